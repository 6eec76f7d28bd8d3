"""Waiting for an event, with nothing but AWS's own runner, moto and botocore's stubs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.stub import Stubber
from moto import mock_aws

from patterns.callbacks import table
from patterns.event_callback import handler as event_callback
from tests.plain.test_polling import FAILED, FINISHED, RUNNING, TASK_ARN, script

A_SECOND = WaitForCallbackConfig(timeout=Duration.from_seconds(1))


class Run:
    """An execution on AWS's own runner that counts how often the handler's body runs."""

    def __init__(self) -> None:
        self.bodies = 0
        # Without poll_interval, wait_for_callback polls once a second.
        self.runner = DurableFunctionTestRunner(self._counted, poll_interval=0.05)

    def start(self) -> None:
        self.arn = self.runner.run_async(json.dumps({"task_arn": TASK_ARN}), 24 * 3600)

    def callback_id(self) -> str:
        return self.runner.wait_for_callback(self.arn, name="event 1")

    def result(self) -> Any:
        return self.runner.wait_for_result(self.arn)

    def _counted(self, event: Any, context: Any) -> Any:
        self.bodies += 1
        return event_callback.handler(event, context)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("CALLBACKS_TABLE", "callbacks")
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="callbacks",
            KeySchema=[{"AttributeName": "callback_reference", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "callback_reference", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        run = Run()
        with run.runner:
            yield run


def test_an_answer_triggers_a_check_of_the_task(run: Run, dms: Stubber) -> None:
    script(dms, FINISHED)
    run.start()
    callback_id = run.callback_id()
    row = table.read(TASK_ARN)
    assert row is not None
    assert row.callback_id == callback_id, "the stored ID is not the one that is open"
    run.runner.send_callback_success(callback_id, b'"check"')
    assert json.loads(run.result().result)["tables_loaded"] == 12
    assert run.bodies == 2, "the handler was not replayed"


def test_a_failed_migration_fails_the_execution_with_its_reason(run: Run, dms: Stubber) -> None:
    script(dms, FAILED)
    run.start()
    run.runner.send_callback_success(run.callback_id(), b'"check"')
    assert run.result().error.message == "no space left"
    assert run.bodies == 2, "the handler was not replayed"


def test_a_failed_callback_fails_the_execution(run: Run, dms: Stubber) -> None:
    script(dms)
    run.start()
    run.runner.send_callback_failure(run.callback_id(), ErrorObject("enough", None, None, None))
    assert run.result().error.message == "enough"
    row = table.read(TASK_ARN)
    assert row is not None
    assert row.state == "CLOSED"


def test_a_timeout_triggers_a_check_and_another_wait(
    run: Run, dms: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    # skip_time skips waits but not callback timeouts: those take real time, so keep it short.
    monkeypatch.setattr(event_callback, "_WAIT", A_SECOND)
    script(dms, RUNNING, RUNNING, FINISHED)
    run.start()
    assert json.loads(run.result().result)["reason"] == "FULL_LOAD_ONLY_FINISHED"
    assert run.bodies == 3, "the handler was not replayed"
