"""Polling: every outcome of a migration, and how many polls it takes to notice."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from dacapo import Durable, Recording, Scenario
from patterns.migration import task
from patterns.polling import handler as polling
from scenarios import polling as scenarios
from tests.interference import crash_at, moments, watching

FINISHED = {"tables_loaded": 12, "reason": "FULL_LOAD_ONLY_FINISHED"}


def assert_replayed(recording: Recording) -> None:
    """Assert that the handler's body ran more than once: otherwise nothing was replayed."""
    assert len(recording.invocations) > 1


def error_of(recording: Recording) -> tuple[str, str]:
    assert recording.status == "FAILED"
    assert recording.error is not None
    name = (recording.error.type or "").rsplit(".", 1)[-1]
    return name, recording.error.message or ""


@pytest.mark.parametrize("scenario", [scenarios.finishes, scenarios.finishes_again])
def test_a_finished_migration_returns_the_number_of_tables_loaded(
    durable: Durable, scenario: Scenario
) -> None:
    recording = durable.run(scenario)
    assert_replayed(recording)
    assert recording.result.items() >= FINISHED.items()
    assert recording.world.task.starts == 1


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        (scenarios.loses_tables, "3 tables failed to load (FULL_LOAD_ONLY_FINISHED)"),
        (scenarios.fails, "Last Error Task error notification received: no space"),
        (scenarios.task_stopped, "the task was stopped at 40 % (NORMAL)"),
        (scenarios.task_deleted, "the task was deleted"),
    ],
)
def test_a_failed_migration_fails_the_execution_with_the_reason_from_dms(
    durable: Durable, scenario: Scenario, reason: str
) -> None:
    recording = durable.run(scenario)
    assert_replayed(recording)
    assert error_of(recording) == ("MigrationFailed", reason)


@pytest.mark.prove
def test_a_migration_that_never_ends_runs_out_of_polls(durable: Durable) -> None:
    recording = durable.run(scenarios.never_ends)
    name, message = error_of(recording)
    assert name == "MigrationUnfinished"
    assert message.endswith("is still running after 120 polls")
    poll = recording.operation("wait until it has ended")
    assert poll.attempts == polling.PACE.max_polls


def test_a_task_that_is_already_running_is_neither_started_nor_waited_for(
    durable: Durable,
) -> None:
    recording = durable.run(scenarios.already_running)
    name, message = error_of(recording)
    assert name == "MigrationNotStarted"
    assert message.endswith("is already running, started elsewhere")
    assert [o.name for o in recording.operations] == ["record the earlier run"]


def test_a_throttled_poll_does_not_end_the_wait(durable: Durable) -> None:
    recording = durable.run(scenarios.dms_throttles)
    assert recording.status == "SUCCEEDED"
    assert recording.world.task.throttled_checks == 0, "DMS never throttled"


def test_the_delay_between_polls_grows_to_15_minutes(durable: Durable) -> None:
    if durable.engine != "sim":
        pytest.skip("the official runner's times are not exact")
    recording = durable.run(scenarios.finishes)
    starts = [invocation.started for invocation in recording.invocations]
    delays = [later - earlier for earlier, later in pairwise(starts)]
    assert delays == sorted(delays)
    assert delays[0] == timedelta(minutes=1)
    assert delays[-1] == timedelta(minutes=15)


def test_every_poll_is_an_invocation_and_a_charged_operation(durable: Durable) -> None:
    recording = durable.run(scenarios.finishes)
    polls = recording.operation("wait until it has ended").attempts
    assert len(recording.invocations) == polls
    assert recording.charged_operations == 1 + 2 + 1 + polls


@pytest.mark.prove
def test_a_crash_at_any_dms_call_starts_the_task_once_and_notices_its_end(
    durable: Durable,
) -> None:
    if durable.engine != "sim":
        pytest.skip("the official runner can't crash a handler")
    with watching([task.dms]) as calls:
        durable.run(scenarios.finishes)
    assert calls.names[:3] == [
        "DescribeReplicationTasks",
        "DescribeReplicationTasks",
        "StartReplicationTask",
    ]
    for moment in moments(5):
        with crash_at([task.dms], moment) as died:
            recording = durable.run(scenarios.finishes)
        assert died
        assert "DIED" in [invocation.status for invocation in recording.invocations]
        assert recording.result.items() >= FINISHED.items(), moment
        assert recording.world.task.starts == 1, moment
