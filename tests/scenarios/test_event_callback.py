"""Waiting for an event: on time, lost, doubled, late, early, stale, about another task."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dacapo import Scenario
from dacapo.pytest_plugin import Durable
from dacapo.recording import Recording
from patterns import callback_rows, callbacks
from patterns.callback_rows import State
from patterns.event_callback import handler as event_callback
from patterns.migration import task
from scenarios import event_callback as stories
from tests.interference import dying_at, moments, watching
from tests.scenarios.engines import only_in_virtual_time

FINISHED = {"tables_loaded": 12, "reason": "FULL_LOAD_ONLY_FINISHED"}
CLIENTS = [task.dms, callback_rows.dynamodb, callbacks.lambda_client]


def assert_finished(recording: Recording, waits: int = 1) -> None:
    """It ended well, was started once, took this many waits, and left nothing open behind."""
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.result.items() >= FINISHED.items()
    assert recording.world.task.starts == 1
    assert recording.world.row.state is State.CLOSED
    looks = [o for o in recording.operations if o.name.startswith("look after event")]
    assert len(looks) == waits


def outcomes(recording: Recording) -> list[str]:
    """What the resolver made of each event."""
    return [str(call.result) for call in recording.calls]


def error_of(recording: Recording) -> tuple[str, str]:
    assert recording.status == "FAILED"
    assert recording.error is not None
    name = (recording.error.type or "").rsplit(".", 1)[-1]
    return name, recording.error.message or ""


def test_an_event_on_time_ends_the_wait(durable: Durable) -> None:
    recording = durable.run(stories.event_on_time)
    assert_finished(recording)
    assert outcomes(recording) == ['{"outcome": "sent"}']


def test_a_wait_for_an_event_is_two_invocations_however_long_it_takes(durable: Durable) -> None:
    recording = durable.run(stories.event_on_time)
    assert len(recording.invocations) == 2
    assert recording.charged_operations == 1 + 1 + 3 + 1 + 1


def test_a_lost_event_costs_time_but_no_migration(durable: Durable) -> None:
    recording = durable.run(stories.event_lost)
    assert_finished(recording)
    assert recording.calls == []
    assert recording.virtual_seconds == event_callback.EVENT_TIMEOUT.to_seconds()


def test_a_doubled_event_is_the_same_answer_twice(durable: Durable) -> None:
    only_in_virtual_time(durable, "ends with the execution, before the second event")
    recording = durable.run(stories.event_doubled)
    assert_finished(recording)
    assert outcomes(recording) == ['{"outcome": "sent"}', '{"outcome": "sent before"}']


def test_a_late_event_finds_the_wait_over(durable: Durable) -> None:
    recording = durable.run(stories.event_late)
    assert_finished(recording)
    assert outcomes(recording) == ['{"outcome": "too late: the callback is closed"}']


def test_an_event_before_the_row_exists_is_nobodys(durable: Durable) -> None:
    recording = durable.run(stories.event_early)
    assert_finished(recording)
    assert outcomes(recording) == [
        '{"outcome": "ignored: nobody waits"}',
        '{"outcome": "sent"}',
    ]


def test_an_event_between_two_waits_is_noticed_by_the_next_one(durable: Durable) -> None:
    recording = durable.run(stories.event_between_waits)
    assert_finished(recording, waits=2)
    assert outcomes(recording) == ['{"outcome": "too late: the callback is closed"}']
    assert recording.operation("event 2").length == timedelta(0)


def test_an_event_of_an_earlier_run_is_ignored(durable: Durable) -> None:
    recording = durable.run(stories.event_stale)
    assert_finished(recording)
    assert outcomes(recording) == [
        '{"outcome": "ignored: older than the wait"}',
        '{"outcome": "sent"}',
    ]


def test_an_event_of_another_task_is_ignored(durable: Durable) -> None:
    recording = durable.run(stories.event_for_another_task)
    assert_finished(recording)
    assert outcomes(recording) == [
        '{"outcome": "ignored: nobody waits"}',
        '{"outcome": "sent"}',
    ]


def test_an_event_while_the_task_still_runs_never_ends_the_migration_wrongly(
    durable: Durable,
) -> None:
    recording = durable.run(stories.event_too_soon)
    assert_finished(recording, waits=2)
    assert outcomes(recording) == ['{"outcome": "sent"}'] * 2


def test_an_event_that_can_not_be_sent_on_is_delivered_again(durable: Durable) -> None:
    recording = durable.run(stories.callbacks_throttled)
    assert_finished(recording)
    refused, sent = recording.calls
    assert refused.error is not None
    assert refused.error.type == "NotSentYet"
    assert sent.result == '{"outcome": "sent"}'


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        (stories.fails, "Last Error Task error notification received: no space"),
        (stories.loses_tables, "3 tables failed to load (FULL_LOAD_ONLY_FINISHED)"),
        (stories.is_deleted, "the task was deleted"),
    ],
)
def test_a_migration_that_fails_fails_the_execution_with_the_services_reason(
    durable: Durable, story: Scenario, reason: str
) -> None:
    recording = durable.run(story)
    assert error_of(recording) == ("MigrationFailed", reason)
    assert recording.world.row.state is State.CLOSED


def test_a_migration_that_never_ends_is_waited_for_a_bounded_number_of_times(
    durable: Durable,
) -> None:
    recording = durable.run(stories.never_ends)
    name, message = error_of(recording)
    assert name == "MigrationUnfinished"
    assert message.endswith("still runs after 12 waits")
    assert (
        recording.virtual_seconds
        == event_callback.MOST_WAITS * event_callback.EVENT_TIMEOUT.to_seconds()
    )
    assert recording.world.row.state is State.CLOSED


def test_a_task_that_somebody_else_runs_is_not_waited_for(durable: Durable) -> None:
    recording = durable.run(stories.runs_already)
    name, message = error_of(recording)
    assert name == "MigrationNotStarted"
    assert message.endswith("is running already, for somebody else")
    assert recording.world.row is None


def test_a_task_that_can_not_be_started_closes_its_row(durable: Durable) -> None:
    recording = durable.run(stories.start_refused)
    name, message = error_of(recording)
    assert name == "MigrationNotStarted"
    assert "InvalidResourceStateFault" in message
    assert recording.world.row.state is State.CLOSED


def test_a_task_that_another_execution_waits_for_is_left_to_it(durable: Durable) -> None:
    recording = durable.run(stories.waited_for_already)
    name, message = error_of(recording)
    assert name == "MigrationNotStarted"
    assert message == "another execution waits for this answer already"
    assert recording.world.row.owner == "another execution"
    assert recording.world.row.state is State.OPEN


def test_whoever_dies_at_any_call_starts_the_task_once_and_finds_its_end(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "can't crash a handler")
    with watching(CLIENTS) as calls:
        durable.run(stories.event_on_time)
    assert calls.made == [
        *("DescribeReplicationTasks", "PutItem"),
        *("DescribeReplicationTasks", "StartReplicationTask"),
        *("UpdateItem", "SendDurableExecutionCallbackSuccess", "UpdateItem"),
        *("UpdateItem", "DescribeReplicationTasks"),
        "GetItem",
    ]
    for moment in moments(len(calls.made) - 1):
        with dying_at(CLIENTS, moment) as died:
            recording = durable.run(stories.event_on_time)
        assert died
        assert_finished(recording)
        taken = [d for d in recording.deliveries if d.refused is None]
        assert len(taken) == 1, moment
