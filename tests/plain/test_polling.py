"""Polling, with nothing but AWS's own runner and botocore's stubs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.stub import Stubber

from patterns.migration import task
from patterns.polling.handler import Pace, handler, migrate

TASK_ARN = "arn:aws:dms:us-east-1:123456789012:task:orders"
EVENT = json.dumps({"task_arn": TASK_ARN})
STARTED = datetime(2026, 1, 1, tzinfo=UTC)

READY: dict[str, Any] = {"Status": "ready"}
RUNNING = {"Status": "running", "ReplicationTaskStartDate": STARTED}
FINISHED = RUNNING | {
    "Status": "stopped",
    "StopReason": "Stop Reason FULL_LOAD_ONLY_FINISHED",
    "ReplicationTaskStats": {"TablesLoaded": 12, "FullLoadProgressPercent": 100},
}
FAILED = RUNNING | {"Status": "failed", "LastFailureMessage": "no space left"}

RunnerOf = Callable[[Any], DurableFunctionTestRunner]


@pytest.fixture
def dms(stub: Callable[[Any], Stubber]) -> Stubber:
    """Stub DMS."""
    return stub(task.dms)


def script(dms: Stubber, *checks: dict[str, Any]) -> None:
    for before_the_start in (READY, READY):
        dms.add_response("describe_replication_tasks", {"ReplicationTasks": [before_the_start]})
    dms.add_response("start_replication_task", {})
    for described in checks:
        dms.add_response("describe_replication_tasks", {"ReplicationTasks": [described]})


def test_a_migration_is_polled_until_it_has_finished(
    runner_of: RunnerOf, bodies: list[int], dms: Stubber
) -> None:
    script(dms, RUNNING, RUNNING, RUNNING, RUNNING, FINISHED)
    result = runner_of(handler).run(EVENT)
    assert json.loads(str(result.result))["tables_loaded"] == 12
    assert len(bodies) == 5, "the handler was not replayed"


def test_a_failed_migration_fails_the_execution_with_its_reason(
    runner_of: RunnerOf, bodies: list[int], dms: Stubber
) -> None:
    script(dms, RUNNING, FAILED)
    result = runner_of(handler).run(EVENT)
    assert result.error is not None
    assert result.error.message == "no space left"
    assert len(bodies) == 2, "the handler was not replayed"


def test_a_migration_that_outlasts_the_last_poll_fails_the_execution(
    runner_of: RunnerOf, bodies: list[int], dms: Stubber
) -> None:
    # The pattern's own pace takes 120 polls, each a replay that takes the runner 0.1 s.
    hourly = Pace(Duration.from_hours(1), Duration.from_hours(1), backoff_rate=1, max_polls=3)

    @durable_execution
    def impatient(event: dict[str, Any], context: DurableContext) -> Any:
        return migrate(event, context, hourly)

    script(dms, RUNNING, RUNNING, RUNNING)
    result = runner_of(impatient).run(EVENT)
    assert result.error is not None
    assert result.error.message == f"{TASK_ARN} is still running after 3 polls"
    assert len(bodies) == 3, "the handler was not replayed"


def test_a_throttled_poll_is_retried(runner_of: RunnerOf, bodies: list[int], dms: Stubber) -> None:
    script(dms, RUNNING)
    # boto3 doesn't retry what a stub raises, so one error is one failed poll.
    dms.add_client_error("describe_replication_tasks", "ThrottlingException")
    dms.add_response("describe_replication_tasks", {"ReplicationTasks": [FINISHED]})
    result = runner_of(handler).run(EVENT)
    assert json.loads(str(result.result))["reason"] == "FULL_LOAD_ONLY_FINISHED"
    assert len(bodies) == 3, "the handler was not replayed"
