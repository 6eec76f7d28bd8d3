"""A full load by a real DMS task, waited for by asking and by its event."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.cloud.execution import Execution, Executions
from tests.cloud.stack import Stack, look_for

if TYPE_CHECKING:
    from mypy_boto3_dms import DatabaseMigrationServiceClient

TASK_VARIABLE = "DACAPO_DMS_TASK_ARN"
LONGEST_VARIABLE = "DACAPO_DMS_MINUTES"
LONGEST_MINUTES = 60
"""How long a load is waited for, if the environment does not say."""
STOPPING_MINUTES = 10
AT_REST = ("ready", "stopped", "failed")


def task(dms: DatabaseMigrationServiceClient, arn: str) -> Mapping[str, Any]:
    """The task, as DMS describes it."""
    wanted: Any = [{"Name": "replication-task-arn", "Values": [arn]}]
    answer = dms.describe_replication_tasks(Filters=wanted, WithoutSettings=True)
    (found,) = answer["ReplicationTasks"]
    return found


def come_to_rest(dms: DatabaseMigrationServiceClient, arn: str) -> bool | None:
    """Whether the task is at rest; None if not yet: it is told to stop, if it can be."""
    status = task(dms, arn)["Status"]
    if status == "running":
        # It may have ended by itself just now.
        with suppress(dms.exceptions.InvalidResourceStateFault):
            dms.stop_replication_task(ReplicationTaskArn=arn)
    return status in AT_REST or None


@pytest.fixture
def task_arn(stack: Stack) -> Iterator[str]:
    """A full-load task that does not run; what a test has begun is stopped afterwards."""
    arn = os.environ.get(TASK_VARIABLE)
    if not arn:
        pytest.skip(f"needs a DMS task that loads little, and may be run: set {TASK_VARIABLE}")
    dms = boto3.client("dms")
    found = task(dms, arn)
    if found["MigrationType"] != "full-load":
        pytest.skip(f"{arn} is no full load, and would never end: {found['MigrationType']}")
    if found["Status"] not in AT_REST:
        pytest.skip(f"{arn} is {found['Status']}, for somebody else")
    try:
        yield arn
    finally:
        is_at_rest = look_for(lambda: come_to_rest(dms, arn), STOPPING_MINUTES * 60)
        dms.close()
        assert is_at_rest, f"{arn} has not come to rest"


def longest_seconds() -> int:
    return 60 * int(os.environ.get(LONGEST_VARIABLE, LONGEST_MINUTES))


def assert_finished(returned: Mapping[str, Any], arn: str) -> None:
    assert returned["task_arn"] == arn
    assert returned["tables_loaded"] > 0


def ask_for(stack: Stack, arn: str, run: str) -> Mapping[str, Any]:
    """Ask the starter for a run."""
    answer = stack.lambda_client.invoke(
        FunctionName=stack.output("StarterFunction"),
        Payload=json.dumps({"task_arn": arn, "run": run}).encode(),
    )
    said: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def row_of(execution: Execution, arn: str) -> Mapping[str, Any] | None:
    """The registry's row of the task, if it is the execution's."""
    row = execution.stack.item("CallbacksTable", "callback_reference", arn)
    return row if row and row["owner"]["S"] == execution.arn else None


def test_a_migration_is_polled_until_it_has_finished(task_arn: str, executions: Executions) -> None:
    execution = executions.start("PollingFunction", {"task_arn": task_arn})
    assert_finished(execution.returned(longest_seconds()), task_arn)


def test_a_migration_is_started_once_and_its_event_ends_the_wait(
    task_arn: str, stack: Stack, executions: Executions
) -> None:
    run = f"test {uuid.uuid4()}"
    first = ask_for(stack, task_arn, run)
    execution = executions.take_over("EventCallbackFunction", first["execution_arn"])
    try:
        assert ask_for(stack, task_arn, run) == first
        assert_finished(execution.returned(longest_seconds()), task_arn)
        row = row_of(execution, task_arn)
        assert row is not None
        assert row["state"]["S"] == "CLOSED"
        assert row["ended_with"]["S"], "it was a timeout that ended the wait, and no event"
    finally:
        execution.stop()
        # The row of a wait that was broken off would keep others from waiting for eight hours.
        if row_of(execution, task_arn):
            stack.forget("CallbacksTable", "callback_reference", task_arn)
