"""Nights on which the pace of a schedule changes, by hand and durable, and what was done then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from dacapo.service.functions import Handler
from patterns.schedule import before, begin, logic
from patterns.schedule.calendars import CALENDARS
from patterns.schedule.handler import handler
from scenarios.schedule import BERLIN
from scenarios.worlds.rules import RuleClock, once
from scenarios.worlds.schedule import RULE, SCHEDULE, Readings, readings_world, rule_world
from scenarios.worlds.stage import Stage, on_stage

CALENDAR = CALENDARS["berlin"]
SET_UP_BEFORE = timedelta(minutes=7)
"""How long before a night all is set up; so the rule fires at minutes 13, 33 and 53."""
PATIENCE_SECONDS = 600
"""How long after a night what failed in it may be tried again."""
Night = tuple[datetime, datetime]
Disturbance = Callable[[Stage, Readings], AbstractContextManager[object]]


def _night(month: int, day: int, until: int) -> Night:
    evening = datetime(2026, month, day, 22, tzinfo=BERLIN)
    return evening, datetime(2026, month, until, 2, tzinfo=BERLIN)


FRIDAY, SUNDAY = _night(1, 9, until=10), _night(1, 11, until=12)
# From Saturday night to Monday; the clocks go forward on the Sunday in between.
LONG_SUNDAY = _night(3, 28, until=30)


def calm(stage: Stage, world: Readings) -> AbstractContextManager[object]:
    """Nothing goes wrong."""
    return nullcontext()


def by_hand(
    night: Night,
    disturbed: Disturbance = calm,
    calls: Callable[[datetime], int] = once,
    rules: tuple[str, ...] = (RULE,),
) -> dict[datetime, int]:
    """What the hand-made system did, and how often.

    Parameters:
        calls: how often EventBridge calls for a moment.
    """
    begins = night[0] - SET_UP_BEFORE
    with on_stage(rule_world, {"before": before.handler}, begins) as (stage, world):
        with disturbed(stage, world):
            RuleClock("before", *rules).run(night[1], calls)
            stage.pass_time(PATIENCE_SECONDS)
        return done_in(world)


def durable(
    night: Night,
    disturbed: Disturbance = calm,
    rounds: int = 3,
    names: tuple[str, ...] = (SCHEDULE,),
) -> dict[datetime, int]:
    """What the durable system did, and how often; it hands over again and again.

    Parameters:
        names: under which names it is begun, one after the other.
    """
    functions: dict[str, Handler] = {"schedule": handler, "begin": begin.handler}
    until = (night[1] - timedelta(seconds=1)).isoformat()
    event = {"calendar": "berlin", "until": until, "rounds": rounds}
    with on_stage(readings_world, functions, night[0] - SET_UP_BEFORE) as (stage, world):
        with disturbed(stage, world):
            for name in names:
                assert stage.call("begin", event | {"name": name})
            stage.play()
        return done_in(world)


def done_in(world: Readings) -> dict[datetime, int]:
    """The moments that were worked for, and how often."""
    world.look()
    return {datetime.fromisoformat(at): runs for at, runs in world.rows.items()}


def due_in(night: Night) -> list[datetime]:
    """The moments at which work was due."""
    found, moment = [], logic.next_due(night[0] - timedelta(seconds=1), CALENDAR)
    while moment < night[1]:
        found.append(moment)
        moment = logic.next_due(moment, CALENDAR)
    return found


def told(done: dict[datetime, int], night: Night) -> str:
    """How what was done compares with what was due, in words; hour by hour.

    By hand, the minute is whatever the rule makes it.
    """
    due = due_in(night)
    within = {at: runs for at, runs in done.items() if night[0] <= at < night[1]}
    wanted, given = Counter(map(_hour, due)), Counter(map(_hour, within))
    parts = {
        "missing": (wanted - given).total(),
        "too many": (given - wanted).total(),
        "done twice": sum(runs > 1 for runs in within.values()),
    }
    wrong = ", ".join(f"{number} {what}" for what, number in parts.items() if number)
    return f"{wrong}, of {len(due)}" if wrong else f"all {len(due)} once"


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0)


@contextmanager
def at_first(
    client: Any, operation: str, when: str, act: Callable[[], object], since: datetime | None = None
) -> Iterator[None]:
    """Do something `before` or `after` the first call of an operation, since a moment.

    Raises:
        AssertionError: there was no such call.
    """
    came: list[datetime] = []

    def visit(**_: Any) -> None:
        now = datetime.now(UTC)
        if not came and (since is None or now >= since):
            came.append(now)
            act()

    event = f"{when}-call.*.{operation}"
    client.meta.events.register(event, visit)
    try:
        yield
    finally:
        client.meta.events.unregister(event, visit)
    assert came, f"{operation} was never called"
