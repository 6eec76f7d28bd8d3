"""Do work at an interval that depends on the day: when it is done, and what can go wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import dacapo
from dacapo import Durable, Recording, Scenario, quotas
from dacapo.service.invocations import Conditions
from dacapo.simulation import runner
from patterns import starting
from patterns.schedule import handler as schedule
from patterns.schedule import work
from patterns.schedule.plan import MAX_ROUNDS
from patterns.transient import MAX_DELAY, QUICK_RETRIES, RETRIES
from scenarios import schedule as scenarios
from scenarios.worlds.schedule import WAITING
from tests.depth import every
from tests.interference import Moment, at_every_call, crash_at, watching
from tests.scenarios.engines import only_in_virtual_time

CLIENTS = [work.sqs, work.dynamodb, starting.lambda_client]
EVENT = scenarios.hands_over.event | {"rounds": MAX_ROUNDS, "until": "2026-01-12T10:40:00+01:00"}
"""The input of an execution that has no reason to hand over."""


@pytest.fixture(autouse=True)
def _in_virtual_time(durable: Durable) -> None:
    only_in_virtual_time(
        durable, "skips a wait without advancing the clock that the next step reads"
    )


def clocks(recording: Recording, zone: ZoneInfo = scenarios.BERLIN) -> list[str]:
    """Return the local times of the moments that were worked."""
    moments = map(datetime.fromisoformat, recording.world.rows)
    return [moment.astimezone(zone).strftime("%H:%M") for moment in moments]


def assert_works(durable: Durable, scenario: Scenario, **tally: Any) -> Recording:
    """Assert that the execution succeeds, did all work once, and counted nothing else."""
    recording = durable.run(scenario)
    assert recording.status == "SUCCEEDED", recording.error
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.result == {"worked": 0, "failed": 0, "missed": 0} | tally
    assert set(recording.world.rows.values()) == {1}
    assert set(recording.world.read) == {WAITING}
    return recording


def error_of(recording: Recording) -> tuple[str, str]:
    assert recording.status == "FAILED"
    assert recording.error is not None
    return (recording.error.type or "").rsplit(".", 1)[-1], recording.error.message or ""


# -- due moments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "shown"),
    [
        (scenarios.friday_becomes_saturday, "23:40 00:00 01:00"),
        (scenarios.new_year_is_over, "23:00 00:00 00:20"),
        (scenarios.clocks_go_forward, "01:00 03:00 04:00"),
        (scenarios.clocks_go_back, "02:00 02:00 03:00"),
    ],
)
def test_the_pace_follows_the_local_date_and_clock(
    durable: Durable, scenario: Scenario, shown: str
) -> None:
    recording = assert_works(durable, scenario, worked=len(shown.split()))
    assert clocks(recording) == shown.split()


def test_work_is_due_by_the_local_clock_where_the_utc_offset_has_half_hours(
    durable: Durable,
) -> None:
    event = EVENT | {"calendar": "kolkata", "until": "2026-01-12T14:30:00+05:30"}
    scenario = replace(scenarios.hands_over, event=event)
    recording = assert_works(durable, scenario, worked=3)
    assert clocks(recording, ZoneInfo("Asia/Kolkata")) == ["13:40", "14:00", "14:20"]
    assert clocks(recording) == ["09:10", "09:30", "09:50"]


def test_a_schedule_whose_end_has_passed_does_nothing(durable: Durable) -> None:
    recording = durable.run(scenarios.over_before_it_begins)
    assert recording.result == {"worked": 0, "failed": 0, "missed": 0}
    assert recording.world.rows == {}


def test_an_invalid_event_fails_with_the_field_named(durable: Durable) -> None:
    recording = durable.run(scenarios.invalid_schedule)
    message = "calendar: must be one of berlin, kolkata"
    assert error_of(recording) == ("InvalidSchedule", message)
    assert recording.operations == []


# -- failed rounds and missed moments -------------------------------------------------------------


def test_failed_rounds_are_counted_and_the_next_round_follows(durable: Durable) -> None:
    recording = assert_works(durable, scenarios.some_rounds_fail, worked=2, failed=2)
    assert clocks(recording) == ["09:20", "10:20"]


def test_six_failures_in_a_row_end_the_schedule_with_the_reason(durable: Durable) -> None:
    recording = durable.run(scenarios.all_rounds_fail)
    error, message = error_of(recording)
    assert error == "TooManyFailures"
    assert message.startswith(
        "6 rounds in a row failed, the last one due at 2026-01-12T10:20:00+00:00"
    )
    assert "NonExistentQueue" in message
    assert clocks(recording) == ["09:20"]


def test_failures_in_a_row_count_across_executions(durable: Durable) -> None:
    scenario = replace(scenarios.all_rounds_fail, event=EVENT | {"rounds": 4, "until": None})
    recording = durable.run(scenario)
    assert recording.result.items() >= {"worked": 1, "failed": 3}.items()
    (successor,) = recording.others
    error, message = error_of(successor)
    assert error == "TooManyFailures"
    assert message.startswith("6 rounds in a row failed")


def test_moments_missed_by_a_late_start_are_counted_and_not_made_up_for(
    durable: Durable,
) -> None:
    # 8:20, 8:40 and 9:00.
    recording = assert_works(durable, scenarios.starts_late, worked=2, missed=3)
    assert clocks(recording) == ["09:20", "09:40"]


def test_a_round_that_resumes_late_is_still_done_and_the_following_moments_are_missed(
    durable: Durable,
) -> None:
    late = Conditions(backoff=timedelta(minutes=50))
    scenario = replace(scenarios.hands_over, event=EVENT)
    with crash_at([work.sqs], (0, "before")) as crashes:
        recording = runner.run_under(late, scenario, seed=0)
    assert crashes
    # The 9:20 round runs at 10:10; 9:40 and 10:00 have passed by then.
    assert recording.result == {"worked": 3, "failed": 0, "missed": 2}
    assert clocks(recording) == ["09:20", "10:20", "10:40"]


# -- handing over ---------------------------------------------------------------------------------


def successors(recording: Recording) -> list[Recording]:
    return sorted(recording.others, key=lambda other: other.started)


def test_an_execution_hands_over_and_the_next_one_continues_where_it_stopped(
    durable: Durable,
) -> None:
    scenario = replace(scenarios.hands_over, event=EVENT | {"rounds": 2})
    recording = durable.run(scenario)
    second, third = successors(recording)
    assert clocks(recording) == ["09:20", "09:40", "10:00", "10:20", "10:40"]
    assert set(recording.world.rows.values()) == {1}
    assert [r.result["worked"] for r in (recording, second, third)] == [2, 2, 1]
    assert (recording.result["successor"], second.result["successor"]) == (second.arn, third.arn)
    assert "successor" not in third.result


def test_a_full_execution_stays_far_below_the_quota(durable: Durable) -> None:
    def charged(rounds: int) -> int:
        scenario = replace(scenarios.hands_over, event=EVENT | {"rounds": rounds})
        return durable.run(scenario).charged_operations

    a_round = charged(4) - charged(3)
    without_retries = charged(4) + (MAX_ROUNDS - 4) * a_round
    quick = QUICK_RETRIES * MAX_ROUNDS
    slow = MAX_ROUNDS * 3600 // (MAX_DELAY.to_seconds() // 2)
    assert (without_retries, quick, slow) == (434, 720, 1_152)
    assert without_retries + quick + slow + 2 * RETRIES == 2_412 < quotas.OPERATIONS


@pytest.mark.parametrize("seed", every(5, range(10)))
def test_five_hours_without_the_table_lose_no_round_and_count_the_missed_moments(
    durable: Durable, seed: int
) -> None:
    event = EVENT | {"until": "2026-01-12T16:40:00+01:00"}
    outage = dacapo.outage("dynamodb", lasts=timedelta(hours=5), after=timedelta(minutes=10))
    scenario = replace(scenarios.hands_over, event=event, external_events=(outage,))
    recording = durable.run(scenario, seed=seed)
    assert recording.failed_calls
    assert recording.broken_invariant is None
    assert recording.result["failed"] == 0
    assert 14 <= recording.result["missed"] <= 15
    assert clocks(recording)[0] == "09:20"


def test_missed_moments_count_toward_the_moments_of_an_execution(durable: Durable) -> None:
    """Otherwise an execution with many retries could exceed its quota before it hands over."""
    event = EVENT | {"until": "2026-01-12T16:40:00+01:00", "rounds": 6}
    outage = dacapo.outage("dynamodb", lasts=timedelta(hours=5), after=timedelta(minutes=10))
    scenario = replace(scenarios.hands_over, event=event, external_events=(outage,))
    recording = durable.run(scenario)
    assert recording.failed_calls
    assert recording.broken_invariant is None
    assert recording.result.items() >= {"worked": 2}.items()
    assert recording.result["missed"] >= 4
    assert "successor" in recording.result


def test_an_execution_ends_when_it_has_handed_over(durable: Durable) -> None:
    recording = durable.run(scenarios.hands_over)
    (successor,) = recording.others
    assert recording.ended == successor.started


# -- crashes --------------------------------------------------------------------------------------

CALLS = ["GetQueueAttributes", "UpdateItem", "GetQueueAttributes", "UpdateItem", "Invoke"]


def test_two_rounds_and_a_hand_over_make_these_calls(durable: Durable) -> None:
    with watching(CLIENTS) as calls:
        durable.run(scenarios.hands_over)
    assert calls.names == CALLS


@at_every_call(CALLS)
def test_a_crash_at_any_call_loses_no_moment_and_starts_one_successor(
    durable: Durable, moment: Moment
) -> None:
    """One round may do its work twice, because its step runs at least once."""
    with crash_at(CLIENTS, moment) as crashes:
        recording = durable.run(scenarios.hands_over)
    assert crashes
    assert recording.result.items() >= {"worked": 2, "failed": 0, "missed": 0}.items()
    assert clocks(recording) == ["09:20", "09:40"]
    assert Counter(recording.world.rows.values())[1] >= 1
    assert sum(recording.world.rows.values()) <= 3
    assert [other.status for other in recording.others] == ["SUCCEEDED"]


def test_the_maximum_of_failures_spans_two_hours_of_a_working_day() -> None:
    assert timedelta(minutes=20) * schedule.MAX_FAILURES == timedelta(hours=2)
