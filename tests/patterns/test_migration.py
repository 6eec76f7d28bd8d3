"""A migration's status, and its task: record, start, check."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns.migration import logic, task
from patterns.migration.logic import MigrationFailed, MigrationNotStarted, Run
from scenarios.worlds.migration import TASK_ARN, MigrationWorld, migration_world
from tests.interference import crash_at, watching

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN: Run = {
    "task_arn": TASK_ARN,
    "recorded_at": "2026-01-01T00:00:00+00:00",
    "earlier_start": "2025-12-24T00:00:00+00:00",
}
COMPLETE = {"TablesLoaded": 12, "TablesErrored": 0, "FullLoadProgressPercent": 100}


def described(status: str, **members: Any) -> dict[str, Any]:
    return {
        "Status": status,
        "ReplicationTaskStartDate": datetime(2026, 1, 1, tzinfo=UTC),
        "ReplicationTaskStats": COMPLETE,
        **members,
    }


def state_and_reason(task: dict[str, Any] | None) -> tuple[str, str]:
    status = logic.status_of(task, RUN, NOW)
    return status["state"], status["reason"]


@pytest.mark.parametrize(
    "reason",
    ["NORMAL", "FULL_LOAD_ONLY_FINISHED", "STOPPED_AFTER_FULL_LOAD", "STOPPED_AFTER_CACHED_EVENTS"],
)
def test_a_load_is_finished_if_the_task_stopped_because_the_load_was_complete(reason: str) -> None:
    task = described("stopped", StopReason=f"Stop Reason {reason}")
    assert state_and_reason(task) == ("finished", reason)


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (described("stopped"), "the task was stopped: DMS gives no reason"),
        (
            described("stopped", StopReason="Stop Reason FATAL_ERROR"),
            "the task was stopped: FATAL_ERROR",
        ),
        (
            described(
                "stopped",
                StopReason="Stop Reason NORMAL",
                ReplicationTaskStats=COMPLETE | {"FullLoadProgressPercent": 40},
            ),
            "the task was stopped at 40 % (NORMAL)",
        ),
        (
            described(
                "stopped",
                StopReason="Stop Reason FULL_LOAD_ONLY_FINISHED",
                ReplicationTaskStats=COMPLETE | {"TablesErrored": 3},
            ),
            "3 tables failed to load (FULL_LOAD_ONLY_FINISHED)",
        ),
        (described("failed", LastFailureMessage="no space"), "no space"),
        (described("failed", StopReason="Stop Reason RECOVERABLE_ERROR"), "RECOVERABLE_ERROR"),
        (described("failed"), "DMS gives no reason"),
        (described("deleting"), "the task was deleted"),
        (None, "the task was deleted"),
    ],
)
def test_any_other_end_is_a_failure_with_the_reason_from_dms(
    task: dict[str, Any] | None, reason: str
) -> None:
    assert state_and_reason(task) == ("failed", reason)


@given(st.sampled_from(["creating", "ready", "starting", "running", "stopping", "modifying"]))
def test_a_task_that_has_not_ended_is_under_way(status: str) -> None:
    assert state_and_reason(described(status))[0] == "under way"


@given(st.sampled_from(["stopped", "failed", "ready"]), st.sampled_from([None, "earlier"]))
def test_a_status_of_an_earlier_run_says_nothing_about_this_one(
    status: str, start: str | None
) -> None:
    earlier = datetime(2025, 12, 24, tzinfo=UTC) if start else None
    task = described(status, ReplicationTaskStartDate=earlier, LastFailureMessage="old news")
    assert state_and_reason(task) == ("under way", "the run has not begun")


def test_a_finished_migration_returns_the_number_of_tables_loaded() -> None:
    task = described("stopped", StopReason="Stop Reason NORMAL")
    finished = logic.result_of(logic.status_of(task, RUN, NOW), TASK_ARN)
    assert finished == {"task_arn": TASK_ARN, "tables_loaded": 12, "reason": "NORMAL"}


def test_a_failed_migration_raises_its_reason() -> None:
    with pytest.raises(MigrationFailed, match="no space"):
        logic.result_of(
            logic.status_of(described("failed", LastFailureMessage="no space"), RUN, NOW), TASK_ARN
        )


@pytest.mark.parametrize("event", [{}, {"task_arn": None}, {"task_arn": "arn:aws:s3:::bucket"}])
def test_an_input_without_a_task_is_rejected(event: dict[str, Any]) -> None:
    with pytest.raises(MigrationNotStarted, match='the input needs "task_arn"'):
        logic.task_arn_of(event)


# -- the task -------------------------------------------------------------------------------------


@pytest.fixture
def world() -> Iterator[MigrationWorld]:
    with migration_world() as world:
        yield world


def test_a_first_run_is_started_and_a_later_one_reloads_its_tables(
    world: MigrationWorld,
) -> None:
    kinds = []

    def record(params: dict[str, Any], **_: Any) -> None:
        kinds.append(params["StartReplicationTaskType"])

    task.dms.meta.events.register("provide-client-params.dms.StartReplicationTask", record)
    try:
        task.start(task.record_earlier_run(TASK_ARN))
        world.finish()
        world.task.start_date = datetime(2025, 12, 24)
        task.start(task.record_earlier_run(TASK_ARN))
    finally:
        task.dms.meta.events.unregister("provide-client-params.dms.StartReplicationTask", record)
    assert kinds == ["start-replication", "reload-target"]
    assert world.task.starts == 2


@pytest.mark.parametrize("moment", [(n, when) for n in (0, 1) for when in ("before", "after")])
def test_a_start_that_crashes_and_is_retried_starts_the_task_once(
    world: MigrationWorld, moment: tuple[int, str]
) -> None:
    run = task.record_earlier_run(TASK_ARN)
    with crash_at([task.dms], moment) as died, pytest.raises(SystemExit):
        task.start(run)
    assert died
    task.start(run)
    assert world.task.starts == 1


def test_a_concurrent_start_by_somebody_else_counts_as_ours(
    world: MigrationWorld,
) -> None:
    run = task.record_earlier_run(TASK_ARN)

    def start_first(number: int, when: str) -> None:
        if (number, when) == (0, "after"):
            world.start()

    with watching([task.dms], start_first) as calls:
        task.start(run)
    assert calls.names.count("StartReplicationTask") == 1, "DMS refused, and we did not retry"
    assert world.task.starts == 1


def test_any_other_refusal_by_dms_is_an_error(
    world: MigrationWorld,
) -> None:
    run = task.record_earlier_run(TASK_ARN)
    world.task.status = "running"  # briefly possible before the run has a start date
    with pytest.raises(task.dms.exceptions.InvalidResourceStateFault):
        task.start(run)


def test_a_task_that_is_already_running_is_left_alone(world: MigrationWorld) -> None:
    world.start()
    with pytest.raises(MigrationNotStarted, match="is already running"):
        task.record_earlier_run(TASK_ARN)


def test_a_task_that_does_not_exist_is_reported(world: MigrationWorld) -> None:
    run = task.record_earlier_run(TASK_ARN)
    world.delete()
    with pytest.raises(MigrationNotStarted, match="there is no replication task"):
        task.record_earlier_run(TASK_ARN)
    with pytest.raises(MigrationNotStarted, match="was deleted before it could be started"):
        task.start(run)
    assert task.check(run)["reason"] == "the task was deleted"


def test_a_check_returns_its_time(world: MigrationWorld) -> None:
    run = task.record_earlier_run(TASK_ARN)
    task.start(run)
    status = task.check(run)
    assert status["state"] == "under way"
    checked_at = datetime.fromisoformat(status["checked_at"])
    assert datetime.now(UTC) - checked_at < timedelta(minutes=1)
