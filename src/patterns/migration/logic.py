"""How a migration stands, judged from what DMS says of its replication task. Nothing else.

The rule: a full load is finished if the task stopped *because* the load was complete, all of it
was loaded, and no table failed. Any other end is a failure, and DMS's own words are the reason.
A task also remembers its previous run; what it says of that one is no news of this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict

UNDER_WAY = frozenset({"starting", "running"})
"""Statuses in which a task can't be started."""
_GONE = "deleted"
_COMPLETE = frozenset(
    {
        "NORMAL",
        "FULL_LOAD_ONLY_FINISHED",
        "STOPPED_AFTER_FULL_LOAD",
        "STOPPED_AFTER_CACHED_EVENTS",
    }
)
"""Stop reasons that mean a complete load (DMS API reference, ReplicationTask.StopReason)."""
_REASON_PREFIX = "Stop Reason "
_WHOLE_LOAD_PERCENT = 100


class Run(TypedDict):
    """The run that is about to start: which task, noted when, and how the run before it began."""

    task_arn: str
    noted_at: str
    earlier_start: str | None


State = Literal["under way", "finished", "failed"]


class Standing(TypedDict):
    """How the migration stood at a moment. `reason` is for people: why it failed, what it does."""

    looked_at: str
    state: State
    reason: str
    tables_loaded: int
    tables_errored: int


class Finished(TypedDict):
    """What a migration that finished has to tell."""

    task_arn: str
    tables_loaded: int
    reason: str


class MigrationFailed(Exception):  # noqa: N818 - the execution's ErrorType should read as a fact
    """The migration ended, but not well; the message is DMS's reason."""


class MigrationUnfinished(Exception):  # noqa: N818
    """The migration still runs, and we have waited for it as long as we were willing to."""


class MigrationNotStarted(Exception):  # noqa: N818
    """The migration could not be started."""


NOT_LOOKED_YET: Standing = {
    "looked_at": "",
    "state": "under way",
    "reason": "not looked yet",
    "tables_loaded": 0,
    "tables_errored": 0,
}


def task_arn_of(event: Mapping[str, Any]) -> str:
    """The replication task that the input names.

    Raises:
        MigrationNotStarted: it names none.
    """
    task_arn = event.get("task_arn")
    if not isinstance(task_arn, str) or ":task:" not in task_arn:
        raise MigrationNotStarted('the input needs "task_arn", the ARN of a DMS replication task')
    return task_arn


def start_of(task: Mapping[str, Any]) -> str | None:
    """When the task's latest run started, as ISO 8601 text; None if it never ran."""
    started = task.get("ReplicationTaskStartDate")
    return started.isoformat() if isinstance(started, datetime) else None


def judge(task: Mapping[str, Any] | None, run: Run, now: datetime) -> Standing:
    """How the migration stands.

    Parameters:
        task: the task, as DescribeReplicationTasks gives it; None if there is none.
        run: the run that we wait for.
        now: when it was described.
    """
    state, reason = _state_and_reason(task or {"Status": _GONE}, run)
    statistics = _statistics_of(task or {})
    return {
        "looked_at": now.isoformat(),
        "state": state,
        "reason": reason,
        "tables_loaded": statistics.get("TablesLoaded", 0),
        "tables_errored": statistics.get("TablesErrored", 0),
    }


def has_ended(standing: Standing) -> bool:
    """Whether there is nothing left to wait for."""
    return standing["state"] != "under way"


def result_of(standing: Standing, task_arn: str) -> Finished:
    """What a migration that has ended comes to.

    Raises:
        MigrationFailed: it did not finish.
    """
    if standing["state"] != "finished":
        raise MigrationFailed(standing["reason"])
    return {
        "task_arn": task_arn,
        "tables_loaded": standing["tables_loaded"],
        "reason": standing["reason"],
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
            return _judge_stopped(task)
        case status:
            return "under way", f"the task is {status}"


def _judge_stopped(task: Mapping[str, Any]) -> tuple[State, str]:
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
