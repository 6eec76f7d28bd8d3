"""Waiting for an event, with nothing but AWS's own runner, moto, and botocore's stubs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.stub import Stubber

from patterns.callbacks import table
from patterns.event_callback import handler as event_callback
from patterns.migration import task

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


@pytest.fixture
def runner(
    runner_of: RunnerOf, create_table: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> DurableFunctionTestRunner:
    monkeypatch.setenv(table.TABLE_VARIABLE, "callbacks")
    create_table("callbacks", table.KEY)
    return runner_of(event_callback.handler)


def script(dms: Stubber, *checks: dict[str, Any]) -> None:
    for before_the_start in (READY, READY):
        dms.add_response("describe_replication_tasks", {"ReplicationTasks": [before_the_start]})
    dms.add_response("start_replication_task", {})
    for described in checks:
        dms.add_response("describe_replication_tasks", {"ReplicationTasks": [described]})


def start(runner: DurableFunctionTestRunner) -> tuple[str, str]:
    """Start the execution; return its ARN, and the ID of its callback once it is open."""
    arn = runner.run_async(EVENT)
    return arn, runner.wait_for_callback(arn)


def row() -> table.Row:
    row = table.read(TASK_ARN)
    assert row is not None
    return row


def test_an_answer_triggers_a_check_of_the_task(
    runner: DurableFunctionTestRunner, bodies: list[int], dms: Stubber
) -> None:
    script(dms, FINISHED)
    arn, callback_id = start(runner)
    assert row().callback_id == callback_id, "the stored ID is not the one that is open"
    runner.send_callback_success(callback_id, b'"check"')
    result = runner.wait_for_result(arn)
    assert json.loads(str(result.result))["tables_loaded"] == 12
    assert len(bodies) == 2, "the handler was not replayed"


def test_a_failed_migration_fails_the_execution_with_its_reason(
    runner: DurableFunctionTestRunner, bodies: list[int], dms: Stubber
) -> None:
    script(dms, FAILED)
    arn, callback_id = start(runner)
    runner.send_callback_success(callback_id, b'"check"')
    result = runner.wait_for_result(arn)
    assert result.error is not None
    assert result.error.message == "no space left"
    assert len(bodies) == 2, "the handler was not replayed"


def test_a_failed_callback_fails_the_execution_and_closes_the_row(
    runner: DurableFunctionTestRunner, dms: Stubber
) -> None:
    script(dms)
    arn, callback_id = start(runner)
    runner.send_callback_failure(callback_id, ErrorObject("enough", None, None, None))
    result = runner.wait_for_result(arn)
    assert result.error is not None
    assert result.error.message == "enough"
    assert row().state == "CLOSED"


def test_a_timeout_triggers_a_check_and_another_wait(
    runner: DurableFunctionTestRunner,
    bodies: list[int],
    dms: Stubber,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The runner skips waits but not callback timeouts: those take real time, so keep it short.
    a_second = WaitForCallbackConfig(timeout=Duration.from_seconds(1))
    monkeypatch.setattr(event_callback, "_WAIT", a_second)
    script(dms, RUNNING, RUNNING, FINISHED)
    result = runner.run(EVENT)
    assert json.loads(str(result.result))["reason"] == "FULL_LOAD_ONLY_FINISHED"
    assert len(bodies) == 3, "the handler was not replayed"
