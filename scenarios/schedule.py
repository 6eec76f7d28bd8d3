"""Scenarios of `schedule`: work is due every 20 minutes, or hourly on days off, until an end.

Times are in Berlin unless noted otherwise. Run one with
`dacapo run scenarios/schedule.py:friday_becomes_saturday`.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dacapo import ExternalEvent, Recording, Scenario
from patterns.schedule.handler import handler
from patterns.schedule.logic import is_due, next_due
from patterns.schedule.plan import Plan, parse_plan
from scenarios.worlds.schedule import FUNCTION, SCHEDULE, Readings, readings_world

BERLIN = ZoneInfo("Europe/Berlin")


def _adds_up(recording: Recording, readings: Readings) -> None:
    """Every moment is worked, failed, or missed, and counted once, in the whole chain.

    Only moments that are due have a reading, and the readings are those of the moments that were
    worked, or that failed after their reading was recorded.
    """
    readings.refresh()
    if not recording.operations:
        assert not readings.rows, "an invalid schedule took a reading"
        return
    plan = parse_plan(json.loads(recording.payload))
    moments = [datetime.fromisoformat(at) for at in readings.rows]
    assert all(is_due(at, plan.days) for at in moments), "a reading was taken at another moment"
    chain = [recording, *recording.others]
    if any(execution.status != "SUCCEEDED" for execution in chain):
        return
    count = Counter[str]()
    for execution in chain:
        count.update({key: execution.result[key] for key in ("worked", "failed", "missed")})
    assert count["worked"] <= len(moments) <= count["worked"] + count["failed"], "a reading is lost"
    first = recording.operation("schedule round 1").result["at"]
    due = _due(plan, plan.last or datetime.fromisoformat(first) - timedelta(seconds=1))
    assert count.total() == len(due), f"{count.total()} moments are counted, {len(due)} were due"


def _due(plan: Plan, after: datetime) -> list[datetime]:
    due, moment = [], next_due(after, plan.days)
    while plan.until and moment <= plan.until:
        due.append(moment)
        moment = next_due(moment, plan.days)
    return due


def _scenario(
    start: datetime,
    until: datetime,
    *external_events: ExternalEvent,
    expects: str | None = None,
    **changes: Any,
) -> Scenario:
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
        external_events=external_events,
        start=start,
        expects=expects,
        invariant=_adds_up,
        # Other moments are missed. That they all are counted is what the invariant checks.
        outage_endings=["SUCCEEDED"],
    )


def _berlin(*date_and_time: int) -> datetime:
    return datetime(*date_and_time, tzinfo=BERLIN)  # type: ignore[arg-type,misc]


def _after(minutes: int, name: str, action: Any) -> ExternalEvent:
    return ExternalEvent(timedelta(minutes=minutes), name, action)


friday_becomes_saturday = _scenario(_berlin(2026, 1, 9, 23, 30), _berlin(2026, 1, 10, 1))
# New Year's Day is a Thursday; Friday is a working day.
new_year_is_over = _scenario(_berlin(2026, 1, 1, 22, 30), _berlin(2026, 1, 2, 0, 20))
clocks_go_forward = _scenario(_berlin(2026, 3, 29, 0, 30), _berlin(2026, 3, 29, 4))
clocks_go_back = _scenario(_berlin(2026, 10, 25, 1, 30), _berlin(2026, 10, 25, 3))
# Monday the 12th, from 9:00.
MONDAY = _berlin(2026, 1, 12, 9)
NOON = _berlin(2026, 1, 12, 12)
LOST = _after(30, "somebody deletes the queue", Readings.lose_queue)
some_rounds_fail = _scenario(
    MONDAY,
    _berlin(2026, 1, 12, 10, 20),
    LOST,
    _after(70, "the queue is restored", Readings.make_queue),
)
all_rounds_fail = _scenario(MONDAY, NOON, LOST, expects="TooManyFailures")
# The second execution finds nothing left to do.
hands_over = _scenario(MONDAY, _berlin(2026, 1, 12, 9, 40), rounds=2)
hands_over_twice = _scenario(MONDAY, _berlin(2026, 1, 12, 10, 20), rounds=2)
# The second execution, which Lambda starts an hour late.
starts_late = _scenario(
    MONDAY, _berlin(2026, 1, 12, 9, 40), generation=2, last="2026-01-12T08:00:00+01:00"
)
over_before_it_begins = _scenario(MONDAY, MONDAY)
invalid_schedule = _scenario(MONDAY, NOON, calendar="atlantis", expects="InvalidSchedule")
