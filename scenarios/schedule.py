"""Work that is due every 20 minutes, every hour on days off, until a moment in the schedule's plan.

Times of the stories are Berlin's unless they say otherwise. Run one with
`dacapo run scenarios/schedule.py:friday_becomes_saturday`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dacapo import Happening, Scenario
from patterns.schedule.handler import handler
from scenarios.worlds.schedule import FUNCTION, SCHEDULE, Readings, readings_world

BERLIN = ZoneInfo("Europe/Berlin")


def _story(start: datetime, until: datetime, *happenings: Happening, **changes: Any) -> Scenario:
    plan = {
        "name": SCHEDULE,
        "function": FUNCTION,
        "calendar": "berlin",
        "until": until.isoformat(),
    }
    return Scenario(
        handler=handler,
        event=plan | changes,
        world=readings_world,
        happenings=happenings,
        start=start,
    )


def _berlin(*date_and_time: int) -> datetime:
    return datetime(*date_and_time, tzinfo=BERLIN)  # type: ignore[arg-type,misc]


def _after(minutes: int, name: str, action: Any) -> Happening:
    return Happening(timedelta(minutes=minutes), name, action)


friday_becomes_saturday = _story(_berlin(2026, 1, 9, 23, 30), _berlin(2026, 1, 10, 1))
# New Year's Day was a Thursday; on Friday people work.
new_year_is_over = _story(_berlin(2026, 1, 1, 22, 30), _berlin(2026, 1, 2, 0, 20))
clocks_go_forward = _story(_berlin(2026, 3, 29, 0, 30), _berlin(2026, 3, 29, 4))
clocks_go_back = _story(_berlin(2026, 10, 25, 1, 30), _berlin(2026, 10, 25, 3))
# Monday the 12th, from 9 o'clock.
MONDAY = _berlin(2026, 1, 12, 9)
NOON = _berlin(2026, 1, 12, 12)
LOST = _after(30, "somebody deletes the queue", Readings.lose_queue)
some_rounds_fail = _story(
    MONDAY,
    _berlin(2026, 1, 12, 10, 20),
    LOST,
    _after(70, "the queue is there again", Readings.make_queue),
)
all_rounds_fail = _story(MONDAY, NOON, LOST)
# The second execution finds that all is done.
hands_over = _story(MONDAY, _berlin(2026, 1, 12, 9, 40), rounds=2)
hands_over_twice = _story(MONDAY, _berlin(2026, 1, 12, 10, 20), rounds=2)
# The second execution, which Lambda was too busy to start for an hour.
starts_late = _story(
    MONDAY, _berlin(2026, 1, 12, 9, 40), generation=2, last="2026-01-12T08:00:00+01:00"
)
over_before_it_begins = _story(MONDAY, MONDAY)
no_schedule = _story(MONDAY, NOON, calendar="atlantis")
