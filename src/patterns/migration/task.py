"""The replication task: record, start, check. Run each of these in a step of its own.

A step may run more than once, and StartReplicationTask takes no idempotency token. The start date
of the previous run makes our start idempotent: it is recorded in a step of its own, and as soon as
the task shows a different one, our run has begun, no matter which attempt started it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3

from patterns.migration import logic
from patterns.migration.logic import MigrationNotStarted, Run, TaskStatus
from patterns.transient import STEP_CLIENT

dms = boto3.client("dms", config=STEP_CLIENT)


def record_earlier_run(task_arn: str) -> Run:
    """Record the start date of the task's previous run, before we start our own.

    Raises:
        MigrationNotStarted: the task does not exist, or is already running.
    """
    task = _describe(task_arn)
    if task is None:
        raise MigrationNotStarted(f"there is no replication task {task_arn}")
    if task["Status"] in logic.UNDER_WAY:
        raise MigrationNotStarted(f"{task_arn} is already {task['Status']}, started elsewhere")
    return {
        "task_arn": task_arn,
        "recorded_at": datetime.now(UTC).isoformat(),
        "earlier_start": logic.start_of(task),
    }


def start(run: Run) -> None:
    """Start the run. Idempotent: does nothing if an earlier attempt has started it.

    Raises:
        MigrationNotStarted: the task no longer exists.
        botocore.exceptions.ClientError: DMS refused to start it.
    """
    if _has_begun(run):
        return
    # A task that has run before reloads its tables; DMS rejects a reload as the first run.
    try:
        dms.start_replication_task(
            ReplicationTaskArn=run["task_arn"],
            StartReplicationTaskType="reload-target"
            if run["earlier_start"]
            else "start-replication",
        )
    except dms.exceptions.InvalidResourceStateFault:
        if not _has_begun(run):
            raise


def check(run: Run) -> TaskStatus:
    """Return the migration's current status."""
    return logic.status_of(_describe(run["task_arn"]), run, datetime.now(UTC))


def _has_begun(run: Run) -> bool:
    task = _describe(run["task_arn"])
    if task is None:
        raise MigrationNotStarted(f"{run['task_arn']} was deleted before it could be started")
    return logic.start_of(task) != run["earlier_start"]


def _describe(task_arn: str) -> Mapping[str, Any] | None:
    try:
        response = dms.describe_replication_tasks(
            Filters=[{"Name": "replication-task-arn", "Values": [task_arn]}], WithoutSettings=True
        )
    except dms.exceptions.ResourceNotFoundFault:
        return None
    tasks = response["ReplicationTasks"]
    return tasks[0] if tasks else None
