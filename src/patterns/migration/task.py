"""The replication task itself: note, start, look. Each call belongs into a step of its own.

A step may run more than once, and StartReplicationTask takes no idempotency token. What makes
starting idempotent is the start date of the run before ours, noted in a step of its own: as soon
as the task shows another one, our run has begun, whoever's attempt it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from patterns.migration import logic
from patterns.migration.logic import MigrationNotStarted, Run, Standing

# One quick retry at most: a step or a poll that comes again later waits for less.
dms = boto3.client("dms", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))


def note_earlier_run(task_arn: str) -> Run:
    """Note how the task stands before anything is done to it.

    Raises:
        MigrationNotStarted: the task does not exist, or somebody else's run is under way.
    """
    task = _describe(task_arn)
    if task is None:
        raise MigrationNotStarted(f"there is no replication task {task_arn}")
    if task["Status"] in logic.UNDER_WAY:
        raise MigrationNotStarted(f"{task_arn} is {task['Status']} already, for somebody else")
    return {
        "task_arn": task_arn,
        "noted_at": datetime.now(UTC).isoformat(),
        "earlier_start": logic.start_of(task),
    }


def start(run: Run) -> None:
    """Start the run; an attempt of this step that has landed before is left alone.

    Raises:
        MigrationNotStarted: the task was deleted meanwhile.
        botocore.exceptions.ClientError: DMS refuses to start it.
    """
    if _has_begun(run):
        return
    # A task that has run before loads its tables again; DMS refuses that for a first run.
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


def look(run: Run) -> Standing:
    """How the migration stands now."""
    return logic.judge(_describe(run["task_arn"]), run, datetime.now(UTC))


def _has_begun(run: Run) -> bool:
    task = _describe(run["task_arn"])
    if task is None:
        raise MigrationNotStarted(f"{run['task_arn']} was deleted before it could be started")
    return logic.start_of(task) != run["earlier_start"]


def _describe(task_arn: str) -> Mapping[str, Any] | None:
    try:
        answer = dms.describe_replication_tasks(
            Filters=[{"Name": "replication-task-arn", "Values": [task_arn]}], WithoutSettings=True
        )
    except dms.exceptions.ResourceNotFoundFault:
        return None
    tasks = answer["ReplicationTasks"]
    return tasks[0] if tasks else None
