"""Nights on which the rate of a schedule changes: the work of the baseline and the durable one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from baselines import schedule as baseline
from dacapo import Handler
from patterns.schedule import logic, start
from patterns.schedule.calendars import CALENDARS
from patterns.schedule.handler import handler
from scenarios.schedule import BERLIN
from scenarios.worlds.rules import RuleClock, once
from scenarios.worlds.schedule import RULE, SCHEDULE, Readings, readings_world, rule_world
from scenarios.worlds.stage import Stage, on_stage

CALENDAR = CALENDARS["berlin"]
SET_UP_BEFORE = timedelta(minutes=7)
"""Time from the setup to the night; the rule then fires at minutes 13, 33 and 53."""
PATIENCE_SECONDS = 600
"""Time after a night in which failed work may be retried."""
Night = tuple[datetime, datetime]
Disturbance = Callable[[Stage, Readings], AbstractContextManager[object]]


def _night(month: int, day: int, until: int) -> Night:
    evening = datetime(2026, month, day, 22, tzinfo=BERLIN)
    return evening, datetime(2026, month, until, 2, tzinfo=BERLIN)


FRIDAY, SUNDAY = _night(1, 9, until=10), _night(1, 11, until=12)
# From Saturday night to Monday; daylight saving time starts on the Sunday in between.
LONG_SUNDAY = _night(3, 28, until=30)


def calm(stage: Stage, world: Readings) -> AbstractContextManager[object]:
    """Inject no fault."""
    return nullcontext()


def baseline_system(
    night: Night,
    disturbed: Disturbance = calm,
    calls: Callable[[datetime], int] = once,
    rules: tuple[str, ...] = (RULE,),
) -> dict[datetime, int]:
    """Run the baseline, and return the moments it worked for and how often.

    Parameters:
        night: its beginning and its end.
        disturbed: injects a fault.
        calls: returns how often EventBridge calls for a moment.
        rules: names of the rules that call the function.
    """
    begins = night[0] - SET_UP_BEFORE
    with on_stage(rule_world, {"baseline": baseline.handler}, begins) as (stage, world):
        with disturbed(stage, world):
            RuleClock("baseline", *rules).run(night[1], calls)
            stage.pass_time(PATIENCE_SECONDS)
        return done_in(world)


def durable(
    night: Night,
    disturbed: Disturbance = calm,
    rounds: int = 3,
    names: tuple[str, ...] = (SCHEDULE,),
) -> dict[datetime, int]:
    """Run the durable schedule with its hand-overs, and return its moments and how often.

    Parameters:
        night: its beginning and its end.
        disturbed: injects a fault.
        rounds: rounds of an execution before it hands over.
        names: names under which to start it, one after the other.
    """
    functions: dict[str, Handler] = {"schedule": handler, "begin": start.handler}
    until = (night[1] - timedelta(seconds=1)).isoformat()
    event = {"calendar": "berlin", "until": until, "rounds": rounds}
    with on_stage(readings_world, functions, night[0] - SET_UP_BEFORE) as (stage, world):
        with disturbed(stage, world):
            for name in names:
                assert stage.call("begin", event | {"name": name})
            stage.play()
        return done_in(world)


def done_in(world: Readings) -> dict[datetime, int]:
    """Return the moments that were worked for, and how often."""
    world.refresh()
    return {datetime.fromisoformat(at): runs for at, runs in world.rows.items()}


def due_in(night: Night) -> list[datetime]:
    """Return the moments at which work was due."""
    due, moment = [], logic.next_due(night[0] - timedelta(seconds=1), CALENDAR)
    while moment < night[1]:
        due.append(moment)
        moment = logic.next_due(moment, CALENDAR)
    return due


def comparison(done: dict[datetime, int], night: Night) -> str:
    """Return how the work done compares with the work due, in words.

    Moments are compared by the hour, because the rule of the baseline decides its minutes.
    """
    due = due_in(night)
    within = {at: runs for at, runs in done.items() if night[0] <= at < night[1]}
    expected, actual = Counter(map(_hour, due)), Counter(map(_hour, within))
    parts = {
        "missing": (expected - actual).total(),
        "extra": (actual - expected).total(),
        "done twice": sum(runs > 1 for runs in within.values()),
    }
    wrong = ", ".join(f"{number} {what}" for what, number in parts.items() if number)
    return f"{len(due)} due: {wrong}" if wrong else f"all {len(due)} done once"


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0)


@contextmanager
def at_first(
    client: Any, operation: str, when: str, act: Callable[[], object], since: datetime | None = None
) -> Iterator[None]:
    """Context manager that acts `before` or `after` the first call of an API operation.

    Parameters:
        client: the boto3 client that makes the call.
        operation: name of the API operation.
        when: `before` or `after`.
        act: runs once.
        since: ignore calls before this moment.

    Raises:
        AssertionError: there was no such call.
    """
    calls: list[datetime] = []

    def visit(**_: Any) -> None:
        now = datetime.now(UTC)
        if not calls and (since is None or now >= since):
            calls.append(now)
            act()

    event = f"{when}-call.*.{operation}"
    client.meta.events.register(event, visit)
    try:
        yield
    finally:
        client.meta.events.unregister(event, visit)
    assert calls, f"{operation} was never called"
