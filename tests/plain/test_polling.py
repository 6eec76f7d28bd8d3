"""Polling, with nothing but AWS's own runner and botocore's stubs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.stub import Stubber

from patterns.polling.handler import handler

TASK_ARN = "arn:aws:dms:us-east-1:123456789012:task:orders"
STARTED = datetime(2026, 1, 1, tzinfo=UTC)

READY: dict[str, Any] = {"Status": "ready"}
RUNNING = {"Status": "running", "ReplicationTaskStartDate": STARTED}
FINISHED = RUNNING | {
    "Status": "stopped",
    "StopReason": "Stop Reason FULL_LOAD_ONLY_FINISHED",
    "ReplicationTaskStats": {"TablesLoaded": 12, "FullLoadProgressPercent": 100},
}
FAILED = RUNNING | {"Status": "failed", "LastFailureMessage": "no space left"}


def script(dms: Stubber, *checks: dict[str, Any]) -> None:
    for before_the_start in (READY, READY):
        dms.add_response("describe_replication_tasks", {"ReplicationTasks": [before_the_start]})
    dms.add_response("start_replication_task", {})
    for task in checks:
        dms.add_response("describe_replication_tasks", {"ReplicationTasks": [task]})


def run() -> tuple[Any, int]:
    """Run the handler; return its result, and how often its body ran."""
    bodies: list[int] = []

    def counted(event: Any, context: Any) -> Any:
        bodies.append(1)
        return handler(event, context)

    with DurableFunctionTestRunner(counted, skip_time=True) as runner:
        result = runner.run(json.dumps({"task_arn": TASK_ARN}))
    return result, len(bodies)


def test_a_migration_is_polled_until_it_has_finished(dms: Stubber) -> None:
    script(dms, RUNNING, RUNNING, FINISHED)
    result, bodies = run()
    assert json.loads(result.result)["tables_loaded"] == 12
    assert bodies == 3, "the handler was not replayed"


def test_a_failed_migration_fails_the_execution_with_its_reason(dms: Stubber) -> None:
    script(dms, RUNNING, FAILED)
    result, bodies = run()
    assert result.error.message == "no space left"
    assert bodies == 2, "the handler was not replayed"


def test_a_throttled_poll_is_retried(dms: Stubber) -> None:
    script(dms, RUNNING)
    for _ in range(2):  # boto3 retries once by itself
        dms.add_client_error("describe_replication_tasks", "ThrottlingException")
    dms.add_response("describe_replication_tasks", {"ReplicationTasks": [FINISHED]})
    result, _ = run()
    assert json.loads(result.result)["reason"] == "FULL_LOAD_ONLY_FINISHED"
