"""Derive a migration's status from DMS's description of its replication task. Pure functions.

The rule: a full load is finished if the task stopped *because* the load was complete, all data was
loaded, and no table failed. Any other end is a failure, with DMS's own words as the reason. A task
also reports its previous run; that says nothing about this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict

UNDER_WAY = frozenset({"starting", "running"})
"""Task statuses in which DMS refuses to start the task."""
_GONE = "deleted"
_COMPLETE = frozenset(
    {
        "NORMAL",
        "FULL_LOAD_ONLY_FINISHED",
        "STOPPED_AFTER_FULL_LOAD",
        "STOPPED_AFTER_CACHED_EVENTS",
    }
)
"""Stop reasons of a complete load (DMS API reference, ReplicationTask.StopReason)."""
_REASON_PREFIX = "Stop Reason "
_WHOLE_LOAD_PERCENT = 100


class Run(TypedDict):
    """The run that we are about to start.

    Parameters:
        task_arn: ARN of the replication task.
        recorded_at: when this record was written, before the start; ISO 8601.
        earlier_start: start date of the task's previous run, ISO 8601; None if it never ran.
    """

    task_arn: str
    recorded_at: str
    earlier_start: str | None


State = Literal["under way", "finished", "failed"]


class TaskStatus(TypedDict):
    """The migration's status at one check.

    Parameters:
        checked_at: time of the check, ISO 8601; "" before the first one.
        state: whether to keep waiting, and otherwise how the migration ended.
        reason: for people: why it failed, or what the task is doing.
        tables_loaded: number of tables loaded so far.
        tables_errored: number of tables that failed to load.
    """

    checked_at: str
    state: State
    reason: str
    tables_loaded: int
    tables_errored: int


class Finished(TypedDict):
    """The result of a finished migration."""

    task_arn: str
    tables_loaded: int
    reason: str


class MigrationFailed(Exception):  # noqa: N818 - the execution's ErrorType should read as a fact
    """The migration ended without finishing; the message is DMS's reason."""


class MigrationUnfinished(Exception):  # noqa: N818
    """The migration is still running, and our last wait or poll is over."""


class MigrationNotStarted(Exception):  # noqa: N818
    """The migration could not be started."""


NOT_CHECKED_YET: TaskStatus = {
    "checked_at": "",
    "state": "under way",
    "reason": "not checked yet",
    "tables_loaded": 0,
    "tables_errored": 0,
}


def task_arn_of(event: Mapping[str, Any]) -> str:
    """Return the ARN of the replication task from the input.

    Raises:
        MigrationNotStarted: the input has none.
    """
    task_arn = event.get("task_arn")
    if not isinstance(task_arn, str) or ":task:" not in task_arn:
        raise MigrationNotStarted('the input needs "task_arn", the ARN of a DMS replication task')
    return task_arn


def start_of(task: Mapping[str, Any]) -> str | None:
    """Return the start date of the task's latest run, ISO 8601; None if it never ran."""
    started = task.get("ReplicationTaskStartDate")
    return started.isoformat() if isinstance(started, datetime) else None


def status_of(task: Mapping[str, Any] | None, run: Run, now: datetime) -> TaskStatus:
    """Derive the migration's status.

    Parameters:
        task: the task, as returned by DescribeReplicationTasks; None if it does not exist.
        run: the run that we wait for.
        now: time of the description.
    """
    state, reason = _state_and_reason(task or {"Status": _GONE}, run)
    statistics = _statistics_of(task or {})
    return {
        "checked_at": now.isoformat(),
        "state": state,
        "reason": reason,
        "tables_loaded": statistics.get("TablesLoaded", 0),
        "tables_errored": statistics.get("TablesErrored", 0),
    }


def has_ended(status: TaskStatus) -> bool:
    """Return whether the migration has ended, in success or failure."""
    return status["state"] != "under way"


def result_of(status: TaskStatus, task_arn: str) -> Finished:
    """Return the result of a migration that has ended.

    Raises:
        MigrationFailed: it did not finish.
    """
    if status["state"] != "finished":
        raise MigrationFailed(status["reason"])
    return {
        "task_arn": task_arn,
        "tables_loaded": status["tables_loaded"],
        "reason": status["reason"],
    }


def _state_and_reason(task: Mapping[str, Any], run: Run) -> tuple[State, str]:
    match task["Status"]:
        case "deleting" | "deleted":
            return "failed", "the task was deleted"
        case _ if start_of(task) in (None, run["earlier_start"]):
            return "under way", "the run has not begun"
        case "failed":
            return "failed", task.get("LastFailureMessage") or _stop_reason(task)
        case "stopped":
            return _state_of_stopped(task)
        case status:
            return "under way", f"the task is {status}"


def _state_of_stopped(task: Mapping[str, Any]) -> tuple[State, str]:
    reason = _stop_reason(task)
    errored = _statistics_of(task).get("TablesErrored", 0)
    percent = _statistics_of(task).get("FullLoadProgressPercent", 0)
    if errored:
        return "failed", f"{errored} tables failed to load ({reason})"
    if reason not in _COMPLETE:
        return "failed", f"the task was stopped: {reason}"
    if percent < _WHOLE_LOAD_PERCENT:
        return "failed", f"the task was stopped at {percent} % ({reason})"
    return "finished", reason


def _stop_reason(task: Mapping[str, Any]) -> str:
    reason: str = task.get("StopReason") or "DMS gives no reason"
    return reason.removeprefix(_REASON_PREFIX)


def _statistics_of(task: Mapping[str, Any]) -> Mapping[str, int]:
    statistics: Mapping[str, int] = task.get("ReplicationTaskStats") or {}
    return statistics
