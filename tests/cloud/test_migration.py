"""A full load by a real DMS task, awaited by polling and by event."""

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
from tests.cloud.stack import Stack, Stacks, poll

if TYPE_CHECKING:
    from mypy_boto3_dms import DatabaseMigrationServiceClient

TASK_VARIABLE = "DACAPO_DMS_TASK_ARN"
MINUTES_VARIABLE = "DACAPO_DMS_MINUTES"
DEFAULT_MINUTES = 60
"""How long to wait for a load, unless the environment sets it."""
STOPPING_MINUTES = 10
AT_REST = ("ready", "stopped", "failed")


def task(dms: DatabaseMigrationServiceClient, arn: str) -> Mapping[str, Any]:
    """Return DMS's description of the task."""
    filters: Any = [{"Name": "replication-task-arn", "Values": [arn]}]
    response = dms.describe_replication_tasks(Filters=filters, WithoutSettings=True)
    (description,) = response["ReplicationTasks"]
    return description


def bring_to_rest(dms: DatabaseMigrationServiceClient, arn: str) -> bool | None:
    """Stop the task if it is running; return True once it is at rest, None before."""
    status = task(dms, arn)["Status"]
    if status == "running":
        # It may have just ended.
        with suppress(dms.exceptions.InvalidResourceStateFault):
            dms.stop_replication_task(ReplicationTaskArn=arn)
    return status in AT_REST or None


@pytest.fixture(scope="module")
def stack(stacks: Stacks) -> Stack:
    """Provide the stack of the pattern that waits for the event."""
    return stacks.of("EventCallback")


@pytest.fixture
def polled(stacks: Stacks) -> Iterator[Executions]:
    """Start executions of the pattern that polls, and end them after the test."""
    of_this_test = Executions(stacks.of("Polling"))
    try:
        yield of_this_test
    finally:
        of_this_test.end()


@pytest.fixture
def task_arn() -> Iterator[str]:
    """Provide the ARN of a full-load task at rest; stop the task after the test."""
    arn = os.environ.get(TASK_VARIABLE)
    if not arn:
        pytest.skip(f"requires a DMS task with a small load that may run: set {TASK_VARIABLE}")
    dms = boto3.client("dms")
    description = task(dms, arn)
    if description["MigrationType"] != "full-load":
        pytest.skip(f"{arn} would never end: it is {description['MigrationType']}, not full-load")
    if description["Status"] not in AT_REST:
        pytest.skip(f"{arn} is already {description['Status']}, started elsewhere")
    try:
        yield arn
    finally:
        is_at_rest = poll(lambda: bring_to_rest(dms, arn), STOPPING_MINUTES * 60)
        dms.close()
        assert is_at_rest, f"{arn} did not stop"


def max_seconds() -> int:
    return 60 * int(os.environ.get(MINUTES_VARIABLE, DEFAULT_MINUTES))


def assert_finished(returned: Mapping[str, Any], arn: str) -> None:
    assert returned["task_arn"] == arn
    assert returned["tables_loaded"] > 0


def request_run(stack: Stack, arn: str, run: str) -> Mapping[str, Any]:
    """Request a run from the function that starts migrations."""
    response = stack.lambda_client.invoke(
        FunctionName=stack.output("EventCallbackStartFunction"),
        Payload=json.dumps({"task_arn": arn, "run": run}).encode(),
    )
    payload: dict[str, Any] = json.loads(response["Payload"].read())
    assert "FunctionError" not in response, payload
    return payload


def row_of(execution: Execution, arn: str) -> Mapping[str, Any] | None:
    """Return the registry's row of the task, if the execution owns it."""
    row = execution.stack.item("CallbacksTable", "callback_reference", arn)
    return row if row and row["owner"]["S"] == execution.arn else None


def test_a_migration_is_polled_until_it_has_finished(task_arn: str, polled: Executions) -> None:
    execution = polled.start("PollingFunction", {"task_arn": task_arn})
    assert_finished(execution.returned(max_seconds()), task_arn)


def test_a_migration_is_started_once_and_its_event_ends_the_wait(
    task_arn: str, stack: Stack, executions: Executions
) -> None:
    run = f"test {uuid.uuid4()}"
    first = request_run(stack, task_arn, run)
    execution = executions.adopt("EventCallbackFunction", first["execution_arn"])
    try:
        assert request_run(stack, task_arn, run) == first
        assert_finished(execution.returned(max_seconds()), task_arn)
        row = row_of(execution, task_arn)
        assert row is not None
        assert row["state"]["S"] == "CLOSED"
        assert row["ended_with"]["S"], "a timeout ended the wait, not an event"
    finally:
        execution.stop()
        # The row of an aborted wait would block other executions for eight hours.
        if row_of(execution, task_arn):
            stack.delete_item("CallbacksTable", "callback_reference", task_arn)
