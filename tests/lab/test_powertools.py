"""The decorators of Powertools run above `@durable_execution`, in the order that it documents."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.middleware_factory import lambda_handler_decorator
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, idempotent
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from moto import mock_aws

from dacapo import Handler, Scenario, run, verify
from tests.verify.quick import QUICK

TABLE = "idempotency"


@contextmanager
def idempotency_table() -> Iterator[Any]:
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        stored: list[dict[str, Any]] = []
        yield stored
        stored.extend(dynamodb.scan(TableName=TABLE)["Items"])


def scenario(handler: Handler, **options: Any) -> Scenario:
    return Scenario(handler=handler, event={"order": 17}, function_name="orders", **options)


def assert_survives(scenario: Scenario) -> None:
    """Assert that the handler resumes once, and that no experiment finds anything."""
    recording = run(scenario)
    assert (recording.status, recording.result) == ("SUCCEEDED", "shipped")
    assert len(recording.invocations) == 2
    report = verify(scenario, only=QUICK)
    assert report.experiments["replayed"].runs > 1
    assert report.findings == []


def ship(event: dict[str, Any], context: DurableContext) -> str:
    context.step(lambda _: event["order"], name="pack")
    context.wait(Duration.from_days(1), name="wait for the courier")
    return context.step(lambda _: "shipped", name="ship")


def durable() -> Any:
    """Return the handler; Powertools types the context of what it decorates as its own."""
    return durable_execution(ship)


@pytest.mark.prove
def test_the_logger_logs_the_input_of_every_invocation() -> None:
    stream = io.StringIO()
    logger = Logger(service="orders", stream=stream, logger_handler=None)

    @logger.inject_lambda_context(log_event=True)
    @durable_execution
    def handler(event: dict[str, Any], context: DurableContext) -> str:
        context.set_logger(logger)
        context.logger.info("begins")
        return ship(event, context)

    recording = run(scenario(handler))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    inputs = [line["message"] for line in lines if isinstance(line["message"], dict)]
    assert len(inputs) == len(recording.invocations) == 2
    assert {event["DurableExecutionArn"] for event in inputs} == {recording.arn}
    assert [len(event["InitialExecutionState"]["Operations"]) for event in inputs] == [1, 3]
    assert [line["message"] for line in lines].count("begins") == 1
    assert_survives(scenario(handler))


@pytest.mark.filterwarnings("ignore:No application metrics")  # of an invocation that suspends
@pytest.mark.prove
def test_metrics_are_emitted_once_when_the_handler_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics = Metrics(namespace="orders", service="orders")

    @metrics.log_metrics
    @durable_execution
    def handler(event: dict[str, Any], context: DurableContext) -> str:
        result = ship(event, context)
        metrics.add_metric(name="Shipped", unit=MetricUnit.Count, value=1)
        return result

    assert len(run(scenario(handler)).invocations) == 2
    assert capsys.readouterr().out.count('"Shipped":[1.0]') == 1
    assert_survives(scenario(handler))


@pytest.mark.prove
def test_a_middleware_of_the_users_reads_input_and_answer() -> None:
    seen: list[tuple[str, str]] = []

    @lambda_handler_decorator
    def correlated(handler: Handler, event: dict[str, Any], context: Any) -> Any:
        answer = handler(event, context)
        seen.append((event["DurableExecutionArn"], answer["Status"]))
        return answer

    handler = correlated(durable())
    arn = run(scenario(handler)).arn
    assert seen == [(arn, "PENDING"), (arn, "SUCCEEDED")]
    assert_survives(scenario(handler))


@pytest.mark.prove
def test_the_tracer_captures_every_invocation() -> None:
    recorder = MagicMock()  # the X-Ray SDK isn't installed, and would send its segments to a daemon
    tracer = Tracer(service="orders", provider=recorder, auto_patch=False, disabled=False)
    handler = tracer.capture_lambda_handler(durable())
    recording = run(scenario(handler))
    segments = [call.kwargs["name"] for call in recorder.in_subsegment.call_args_list]
    assert segments == ["## ship"] * len(recording.invocations)
    assert_survives(scenario(handler))


@pytest.mark.prove
def test_idempotent_with_its_defaults_runs_and_stores_every_answer() -> None:
    layer = DynamoDBPersistenceLayer(table_name=TABLE)
    handler = idempotent(persistence_store=layer)(durable())
    recording = run(scenario(handler, world=idempotency_table))
    assert (recording.result, len(recording.invocations)) == ("shipped", 2)
    answers = [json.loads(item["data"]["S"])["Status"] for item in recording.world]
    assert sorted(answers) == ["PENDING", "SUCCEEDED"], "the token makes two keys"
    assert_survives(scenario(handler, world=idempotency_table))


def test_a_parser_above_the_decorator_parses_the_input_and_not_the_event() -> None:
    class Order(BaseModel):
        order: int

    parsed = event_parser(model=Order)(durable())
    error = run(scenario(parsed)).error
    assert error is not None
    assert "Field required" in (error.message or "")
