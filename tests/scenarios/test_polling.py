"""Polling: every way in which the migration can end, and what it took to find out."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from dacapo import Scenario
from dacapo.pytest_plugin import Durable
from dacapo.recording import Recording
from patterns.migration import task
from patterns.polling import handler as polling
from scenarios import polling as stories
from tests.interference import dying_at, moments, watching

FINISHED = {"tables_loaded": 12, "reason": "FULL_LOAD_ONLY_FINISHED"}


def assert_replayed(recording: Recording) -> None:
    """A guard: the handler's body ran more than once, else nothing was replayed."""
    assert len(recording.invocations) > 1


def error_of(recording: Recording) -> tuple[str, str]:
    assert recording.status == "FAILED"
    assert recording.error is not None
    name = (recording.error.type or "").rsplit(".", 1)[-1]
    return name, recording.error.message or ""


@pytest.mark.parametrize("story", [stories.finishes, stories.finishes_again])
def test_a_migration_that_finishes_gives_what_it_loaded(durable: Durable, story: Scenario) -> None:
    recording = durable.run(story)
    assert_replayed(recording)
    assert recording.result.items() >= FINISHED.items()
    assert recording.world.task.starts == 1


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        (stories.loses_tables, "3 tables failed to load (FULL_LOAD_ONLY_FINISHED)"),
        (stories.fails, "Last Error Task error notification received: no space"),
        (stories.is_stopped, "the task was stopped at 40 % (NORMAL)"),
        (stories.is_deleted, "the task was deleted"),
    ],
)
def test_a_migration_that_fails_fails_the_execution_with_the_services_reason(
    durable: Durable, story: Scenario, reason: str
) -> None:
    recording = durable.run(story)
    assert_replayed(recording)
    assert error_of(recording) == ("MigrationFailed", reason)


def test_a_migration_that_never_ends_runs_out_of_polls_and_says_so(durable: Durable) -> None:
    recording = durable.run(stories.never_ends)
    name, message = error_of(recording)
    assert name == "MigrationUnfinished"
    assert message.endswith("still runs after 120 polls")
    poll = recording.operation("wait until it has ended")
    assert poll.attempts == polling.PACE.most_polls


def test_a_task_that_somebody_else_runs_is_not_started_and_not_waited_for(
    durable: Durable,
) -> None:
    recording = durable.run(stories.runs_already)
    name, message = error_of(recording)
    assert name == "MigrationNotStarted"
    assert message.endswith("is running already, for somebody else")
    assert [o.name for o in recording.operations] == ["note the earlier run"]


def test_a_poll_that_dms_throttles_is_not_the_end_of_the_wait(durable: Durable) -> None:
    recording = durable.run(stories.dms_throttles)
    assert recording.status == "SUCCEEDED"
    assert recording.world.task.throttled_looks == 0, "DMS never throttled"


def test_the_pause_between_two_polls_grows_to_a_quarter_of_an_hour(durable: Durable) -> None:
    if durable.engine != "sim":
        pytest.skip("the official runner's times are not exact")
    recording = durable.run(stories.finishes)
    starts = [invocation.started for invocation in recording.invocations]
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert pauses == sorted(pauses)
    assert pauses[0] == timedelta(minutes=1)
    assert pauses[-1] == timedelta(minutes=15)


def test_every_poll_is_an_invocation_and_an_operation_that_is_charged(durable: Durable) -> None:
    recording = durable.run(stories.finishes)
    polls = recording.operation("wait until it has ended").attempts
    assert len(recording.invocations) == polls
    assert recording.charged_operations == 1 + 2 + 1 + polls


def test_whoever_dies_at_any_call_of_dms_starts_the_task_once_and_finds_its_end(
    durable: Durable,
) -> None:
    if durable.engine != "sim":
        pytest.skip("the official runner can't crash a handler")
    with watching([task.dms]) as calls:
        durable.run(stories.finishes)
    assert calls.made[:3] == [
        "DescribeReplicationTasks",
        "DescribeReplicationTasks",
        "StartReplicationTask",
    ]
    for moment in moments(5):
        with dying_at([task.dms], moment) as died:
            recording = durable.run(stories.finishes)
        assert died
        assert "DIED" in [invocation.status for invocation in recording.invocations]
        assert recording.result.items() >= FINISHED.items(), moment
        assert recording.world.task.starts == 1, moment
