"""Work on a calendar, with nothing but AWS's own runner, moto, and botocore's stubs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.stub import ANY, Stubber

from patterns import starting
from patterns.schedule import work
from patterns.schedule.handler import MAX_FAILURES, handler

dynamodb = boto3.client("dynamodb")
sqs = boto3.client("sqs")

PLAN = {"name": "inbox", "function": "schedule:live", "calendar": "berlin", "rounds": 3}
SUCCESSOR = "arn:aws:lambda:us-east-1:123456789012:function:schedule:1/durable-execution/next/1"


@pytest.fixture
def runner(
    runner_of: Callable[[Any], DurableFunctionTestRunner],
    create_table: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> DurableFunctionTestRunner:
    create_table("readings", work.KEY, work.SORT_KEY)
    monkeypatch.setenv(work.TABLE_VARIABLE, "readings")
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    monkeypatch.setenv(work.QUEUE_VARIABLE, queue)
    return runner_of(handler)


@pytest.fixture
def lambda_api(stub: Callable[[Any], Stubber]) -> Stubber:
    """Stub Lambda, which starts the next execution: moto knows no durable executions."""
    return stub(starting.lambda_client)


def readings() -> list[str]:
    """Return the moments that have a reading."""
    items = dynamodb.scan(TableName="readings")["Items"]
    return sorted(item[work.SORT_KEY]["S"] for item in items)


def test_a_schedule_works_its_rounds_and_hands_over(
    runner: DurableFunctionTestRunner, bodies: list[int], lambda_api: Stubber
) -> None:
    expected = {
        "FunctionName": "schedule:live",
        "InvocationType": "Event",
        "DurableExecutionName": starting.execution_name("schedule inbox 2"),
        "Payload": ANY,
    }
    answer = {"StatusCode": 202, "DurableExecutionArn": SUCCESSOR}
    lambda_api.add_response("invoke", answer, expected)
    result = json.loads(str(runner.run(json.dumps(PLAN)).result))
    assert result == {"worked": 3, "failed": 0, "missed": 0, "successor": SUCCESSOR}
    # The runner skips the waits, but the clock that the handler reads goes on as always: the rounds
    # see the same moment, and write the same reading. The interval itself can't be tested, except
    # with a runner whose clock does move: there, each round has a reading of its own.
    assert 1 <= len(readings()) <= 3
    assert len(bodies) == 4, "the handler was not replayed"


def test_a_schedule_that_is_over_ends_without_work(
    runner: DurableFunctionTestRunner, lambda_api: Stubber
) -> None:
    result = runner.run(json.dumps(PLAN | {"until": "2026-01-01T00:00:00+01:00"}))
    assert json.loads(str(result.result)) == {"worked": 0, "failed": 0, "missed": 0}
    assert readings() == []


def test_rounds_that_fail_in_a_row_fail_the_execution(
    runner: DurableFunctionTestRunner, bodies: list[int], lambda_api: Stubber
) -> None:
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="inbox")["QueueUrl"])
    result = runner.run(json.dumps(PLAN | {"rounds": 144}))
    assert result.error is not None
    assert f"{MAX_FAILURES} rounds in a row failed" in str(result.error.message)
    assert readings() == []
    assert len(bodies) == 1 + MAX_FAILURES, "a permanent error was retried"


def test_an_invalid_schedule_fails_the_execution(runner: DurableFunctionTestRunner) -> None:
    result = runner.run(json.dumps(PLAN | {"calendar": "atlantis"}))
    assert result.error is not None
    assert str(result.error.message).startswith("calendar: must be one of")
