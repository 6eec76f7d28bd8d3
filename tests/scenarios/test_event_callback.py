"""Waiting for an event: on time, lost, duplicated, late, early, stale, about another task."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dacapo import Durable, Recording, Scenario
from patterns.callbacks import service, table
from patterns.callbacks.table import State
from patterns.event_callback import handler as event_callback
from patterns.migration import task
from scenarios import event_callback as scenarios
from tests.interference import crash_at, moments, watching
from tests.scenarios.engines import only_in_virtual_time

FINISHED = {"tables_loaded": 12, "reason": "FULL_LOAD_ONLY_FINISHED"}
CLIENTS = [task.dms, table.dynamodb, service.lambda_client]


def assert_finished(recording: Recording, waits: int = 1) -> None:
    """Assert success, with one start, this many waits, and a closed row."""
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.result.items() >= FINISHED.items()
    assert recording.world.task.starts == 1
    assert recording.world.row.state is State.CLOSED
    checks = [o for o in recording.operations if o.name.startswith("check after event")]
    assert len(checks) == waits


def outcomes(recording: Recording) -> list[str]:
    """List the resolver's result for each event."""
    return [str(call.result) for call in recording.calls]


def error_of(recording: Recording) -> tuple[str, str]:
    assert recording.status == "FAILED"
    assert recording.error is not None
    name = (recording.error.type or "").rsplit(".", 1)[-1]
    return name, recording.error.message or ""


def test_an_event_on_time_ends_the_wait(durable: Durable) -> None:
    recording = durable.run(scenarios.event_on_time)
    assert_finished(recording)
    assert outcomes(recording) == ['{"outcome": "sent"}']


def test_a_wait_for_an_event_takes_two_invocations_however_long_it_is(durable: Durable) -> None:
    recording = durable.run(scenarios.event_on_time)
    assert len(recording.invocations) == 2
    assert recording.charged_operations == 1 + 1 + 3 + 1


def test_a_lost_event_costs_time_but_never_a_migration(durable: Durable) -> None:
    recording = durable.run(scenarios.event_lost)
    assert_finished(recording)
    assert recording.calls == []
    assert recording.virtual_seconds == event_callback.EVENT_TIMEOUT.to_seconds()


def test_a_duplicate_event_is_the_same_answer_twice(durable: Durable) -> None:
    only_in_virtual_time(durable, "ends with the execution, before the second event")
    recording = durable.run(scenarios.event_duplicated)
    assert_finished(recording)
    assert outcomes(recording) == ['{"outcome": "sent"}', '{"outcome": "already sent"}']


def test_a_late_event_is_ignored(durable: Durable) -> None:
    recording = durable.run(scenarios.event_late)
    assert_finished(recording)
    assert outcomes(recording) == ['{"outcome": "too late: the callback is closed"}']


def test_an_event_before_the_row_exists_is_ignored(durable: Durable) -> None:
    recording = durable.run(scenarios.event_early)
    assert_finished(recording)
    assert outcomes(recording) == [
        '{"outcome": "ignored: no callback is waiting"}',
        '{"outcome": "sent"}',
    ]


def test_the_next_wait_notices_an_event_between_two_waits(durable: Durable) -> None:
    recording = durable.run(scenarios.event_between_waits)
    assert_finished(recording, waits=2)
    assert outcomes(recording) == ['{"outcome": "too late: the callback is closed"}']
    assert recording.operation("event 2").length == timedelta(0)


def test_an_event_of_an_earlier_run_is_ignored(durable: Durable) -> None:
    recording = durable.run(scenarios.event_stale)
    assert_finished(recording)
    assert outcomes(recording) == [
        '{"outcome": "ignored: predates the wait"}',
        '{"outcome": "sent"}',
    ]


def test_an_event_of_another_task_is_ignored(durable: Durable) -> None:
    recording = durable.run(scenarios.event_for_another_task)
    assert_finished(recording)
    assert outcomes(recording) == [
        '{"outcome": "ignored: no callback is waiting"}',
        '{"outcome": "sent"}',
    ]


def test_an_event_while_the_task_is_running_leads_to_another_wait(
    durable: Durable,
) -> None:
    recording = durable.run(scenarios.event_too_soon)
    assert_finished(recording, waits=2)
    assert outcomes(recording) == ['{"outcome": "sent"}'] * 2


def test_an_event_that_cannot_be_delivered_is_retried(durable: Durable) -> None:
    recording = durable.run(scenarios.callbacks_throttled)
    assert_finished(recording)
    failed, sent = recording.calls
    assert failed.error is not None
    assert failed.error.type == "NotSentYet"
    assert sent.result == '{"outcome": "sent"}'


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        (scenarios.fails, "Last Error Task error notification received: no space"),
        (scenarios.loses_tables, "3 tables failed to load (FULL_LOAD_ONLY_FINISHED)"),
        (scenarios.task_deleted, "the task was deleted"),
    ],
)
def test_a_failed_migration_fails_the_execution_with_the_reason_from_dms(
    durable: Durable, scenario: Scenario, reason: str
) -> None:
    recording = durable.run(scenario)
    assert error_of(recording) == ("MigrationFailed", reason)
    assert recording.world.row.state is State.CLOSED


def test_a_migration_that_never_ends_is_waited_for_a_bounded_number_of_times(
    durable: Durable,
) -> None:
    recording = durable.run(scenarios.never_ends)
    name, message = error_of(recording)
    assert name == "MigrationUnfinished"
    assert message.endswith("is still running after 12 waits")
    assert (
        recording.virtual_seconds
        == event_callback.MAX_WAITS * event_callback.EVENT_TIMEOUT.to_seconds()
    )
    assert recording.world.row.state is State.CLOSED


def test_a_task_that_is_already_running_is_not_waited_for(durable: Durable) -> None:
    recording = durable.run(scenarios.already_running)
    name, message = error_of(recording)
    assert name == "MigrationNotStarted"
    assert message.endswith("is already running, started elsewhere")
    assert recording.world.row is None


def test_a_refused_start_closes_the_row(durable: Durable) -> None:
    recording = durable.run(scenarios.start_refused)
    name, message = error_of(recording)
    assert name == "MigrationNotStarted"
    assert "InvalidResourceStateFault" in message
    assert recording.world.row.state is State.CLOSED


def test_a_task_that_another_execution_waits_for_is_left_to_it(durable: Durable) -> None:
    only_in_virtual_time(durable, "starts no execution while another one runs")
    recording = durable.run(scenarios.already_waited_for)
    name, message = error_of(recording)
    assert name == "MigrationNotStarted"
    assert message == "another execution is already waiting for this answer"
    assert ":elsewhere:" in recording.world.row.owner
    assert recording.world.row.state is State.OPEN


@pytest.mark.prove
def test_a_crash_at_any_call_starts_the_task_once_and_notices_its_end(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "can't crash a handler")
    with watching(CLIENTS) as calls:
        durable.run(scenarios.event_on_time)
    assert calls.names == [
        *("DescribeReplicationTasks", "PutItem"),
        *("DescribeReplicationTasks", "StartReplicationTask"),
        *("UpdateItem", "SendDurableExecutionCallbackSuccess", "UpdateItem"),
        *("UpdateItem", "DescribeReplicationTasks"),
    ]
    for moment in moments(len(calls.names)):
        with crash_at(CLIENTS, moment) as died:
            recording = durable.run(scenarios.event_on_time)
        assert died
        assert_finished(recording)
        accepted = [d for d in recording.deliveries if d.refused is None]
        assert len(accepted) == 1, moment
