"""The rule for due moments in any time zone, calendars, plans, and the start of a schedule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dacapo import START, Simulation
from patterns.schedule import logic, start, work
from patterns.schedule.calendars import CALENDARS, Calendar
from patterns.schedule.handler import handler
from patterns.schedule.plan import MAX_ROUNDS, InvalidSchedule, parse_plan
from scenarios.worlds.schedule import FUNCTION, SCHEDULE, WAITING, readings_world

MINUTE = timedelta(minutes=1)
LONGEST_GAP = 90 * MINUTE
ZONES = [
    *("UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns"),
    *("Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Apia", "Africa/Casablanca"),
]
"""Offsets in whole, half, and quarter hours; DST of an hour, of half an hour, and none."""
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")

moments_of_years = st.datetimes(
    datetime(2026, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC)
)
# Around days when clocks change somewhere.
moments_of_change = st.builds(
    lambda day, minutes: datetime.fromisoformat(f"{day}T00:00Z") + minutes * MINUTE,
    st.sampled_from(["2026-03-28", "2026-10-24", "2026-04-04", "2026-10-03", "2026-10-31"]),
    st.integers(0, 3 * 24 * 60),
)
moments = moments_of_years | moments_of_change
calendars = st.builds(
    Calendar,
    st.sampled_from(ZONES).map(ZoneInfo),
    st.frozensets(st.dates(date(2026, 1, 1), date(2029, 12, 31)), max_size=30),
)


def shown(moment: datetime, calendar: Calendar) -> str:
    return moment.astimezone(calendar.zone).strftime("%a %Y-%m-%d %M")


def due_by_wall_clock(moment: datetime, calendar: Calendar) -> bool:
    """Return True if work is due, by an independent implementation from calendar and wall clock."""
    weekday, day, minute = shown(moment, calendar).split()
    is_off = weekday in ("Sat", "Sun") or day in {str(holiday) for holiday in calendar.holidays}
    return minute == "00" if is_off else minute in ("00", "20", "40")


@given(moments, calendars)
def test_the_next_moment_is_later_and_due_and_at_most_ninety_minutes_away(
    after: datetime, calendar: Calendar
) -> None:
    moment = logic.next_due(after, calendar)
    assert after < moment <= after + LONGEST_GAP
    assert due_by_wall_clock(moment, calendar)


@given(moments, calendars)
@pytest.mark.prove
def test_stepping_from_moment_to_moment_hits_each_one_once(
    after: datetime, calendar: Calendar
) -> None:
    end = after + timedelta(hours=9)
    minute = after.replace(second=0, microsecond=0)
    expected = []
    while minute < end:
        minute += MINUTE
        if minute <= end and due_by_wall_clock(minute, calendar):
            expected.append(minute)
    hit, moment = [], logic.next_due(after, calendar)
    while moment <= end:
        hit.append(moment)
        moment = logic.next_due(moment, calendar)
    assert hit == expected
    assert logic.decide(end, calendar, last=after, until=None)["missed"] == len(expected)


@given(moments, calendars)
def test_waiting_as_decided_ends_at_the_moment_or_less_than_a_second_later(
    now: datetime, calendar: Calendar
) -> None:
    due = logic.decide(now, calendar, last=None, until=None)
    late = now + timedelta(seconds=due["seconds"]) - datetime.fromisoformat(due["at"])
    assert timedelta(0) <= late < timedelta(seconds=1)
    assert due["missed"] == 0


def test_the_longest_gap_is_an_hour_that_dst_extends_by_half_an_hour() -> None:
    days_off = Calendar(LORD_HOWE, frozenset())
    before = datetime(2026, 10, 4, 1, 0, tzinfo=LORD_HOWE)  # a Sunday: 2:00 becomes 2:30
    assert logic.next_due(before, days_off) - before.astimezone(UTC) == LONGEST_GAP


def test_moments_after_the_end_do_not_count_as_missed() -> None:
    berlin = CALENDARS["berlin"]
    last = datetime(2026, 1, 12, 9, tzinfo=UTC)
    due = logic.decide(last + 5 * 20 * MINUTE, berlin, last=last, until=last + 50 * MINUTE)
    assert due["missed"] == 2


def test_saturday_starts_at_local_midnight() -> None:
    berlin = CALENDARS["berlin"]
    midnight = datetime(2026, 1, 10, tzinfo=berlin.zone)
    assert logic.is_due(midnight - 20 * MINUTE, berlin)
    assert logic.is_due(midnight, berlin)
    assert not logic.is_due(midnight + 20 * MINUTE, berlin)


# -- calendars ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", CALENDARS)
def test_every_calendar_covers_the_years_that_it_lists_and_no_later_year(place: str) -> None:
    calendar = CALENDARS[place]
    years = {holiday.year for holiday in calendar.holidays}
    assert years == {2026, 2027, 2028}
    assert calendar.covers(date(2028, 12, 31))
    assert not calendar.covers(date(2029, 1, 1))


# -- plans ----------------------------------------------------------------------------------------

PLAN: dict[str, Any] = {"name": SCHEDULE, "function": FUNCTION, "calendar": "berlin"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"calendar": "atlantis"}, "calendar"),
        ({"until": "2026-01-12T10:00:00"}, "until"),
        ({"rounds": 0}, "rounds"),
        ({"rounds": MAX_ROUNDS + 1}, "rounds"),
        ({"rounds": True}, "rounds"),
        ({"generation": 0}, "generation"),
        ({"function": "schedule"}, "function"),
        ({"function": "schedule:7"}, "function"),
        ({"function": "schedule:$LATEST"}, "function"),
        ({"unit": "hours"}, "unit"),
    ],
)
def test_a_plan_with_an_invalid_field_is_rejected_with_the_field_named(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidSchedule, match=f"^{field}: "):
        parse_plan(PLAN | changes)


@pytest.mark.parametrize("event", [None, [], "x", 7])
def test_an_event_that_is_not_an_object_is_rejected(event: Any) -> None:
    with pytest.raises(InvalidSchedule, match=r"^event: "):
        parse_plan(event)


@pytest.mark.parametrize(
    "function", ["x:live", "arn:aws:lambda:us-east-1:123456789012:function:x:v1"]
)
def test_a_function_name_with_an_alias_is_accepted(function: str) -> None:
    assert parse_plan(PLAN | {"function": function}).function == function


def test_a_successor_is_the_same_plan_in_the_next_generation_with_another_name() -> None:
    plan = parse_plan(PLAN | {"until": "2026-02-01T00:00:00+01:00", "rounds": 7})
    successor = plan.successor(last="2026-01-12T08:20:00+00:00", failures=2)
    assert (successor.until, successor.rounds) == (plan.until, 7)
    assert (successor.generation, successor.failures) == (2, 2)
    assert successor.key != plan.key
    assert parse_plan(json.loads(json.dumps(successor.to_json()))) == successor


# -- work -----------------------------------------------------------------------------------------


def test_repeated_work_keeps_and_returns_its_first_reading(
    simulation: Simulation,
) -> None:
    at = "2026-01-01T00:20:00+00:00"
    with readings_world() as world:
        first = work.take_reading(SCHEDULE, at)
        world.make_queue()
        assert work.take_reading(SCHEDULE, at) == first == WAITING
    assert world.read == [WAITING]
    assert world.rows == {at: 2}


# -- starting -------------------------------------------------------------------------------------


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    simulation = Simulation(0, START)
    simulation.add_function("schedule", handler)
    simulation.add_function("start", start.handler)
    with simulation.running():
        yield simulation


@pytest.fixture
def submit(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(start.FUNCTION_VARIABLE, FUNCTION)

    def submit(**event: Any) -> Any:
        payload = json.dumps({"name": SCHEDULE, "calendar": "berlin"} | event).encode()
        answer = boto3.client("lambda").invoke(FunctionName="start", Payload=payload)
        return None if answer.get("FunctionError") else json.loads(answer["Payload"].read())

    return submit


def test_a_schedule_starts_once_and_receives_its_alias(simulation: Simulation, submit: Any) -> None:
    assert submit() == submit()
    (execution,) = simulation.service.executions.values()
    assert parse_plan(json.loads(execution.payload)).function == FUNCTION


def test_a_schedule_that_has_handed_over_is_not_started_again(
    simulation: Simulation, submit: Any
) -> None:
    with readings_world():
        first = submit(rounds=2)
        simulation.clock.sleep(2 * 3600)
        # Lambda keeps an execution's history for some weeks, and its name for just as long.
        forget(simulation, first["execution_arn"])
        again = submit(rounds=2)
    running = [e for e in simulation.service.executions.values() if e.is_running]
    assert [e.arn for e in running] == [again["execution_arn"]]
    assert again != first


def forget(simulation: Simulation, arn: str) -> None:
    execution = simulation.service.executions.pop(arn)
    assert not execution.is_running
    del simulation.service._by_name[execution.function.name, execution.name]


def test_the_name_of_a_schedule_cannot_be_used_for_another(
    simulation: Simulation, submit: Any
) -> None:
    assert submit()
    assert submit(calendar="kolkata") is None
    assert len(simulation.service.executions) == 1


@pytest.mark.parametrize("event", [{"name": ""}, {"calendar": "atlantis"}, {"function": "x:live"}])
def test_an_invalid_request_starts_nothing(
    simulation: Simulation, submit: Any, event: dict[str, Any]
) -> None:
    assert submit(**event) is None
    assert not simulation.service.executions
