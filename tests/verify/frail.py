"""Handlers, good and bad, whose dependencies are out for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepError, durable_execution
from aws_durable_execution_sdk_python.config import Duration, JitterStrategy, StepConfig
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy
from botocore.config import Config
from moto import mock_aws

from dacapo import ExternalEvent, Recording, Scenario

_CONFIG = Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=5)
dynamodb = boto3.client("dynamodb", config=_CONFIG)
sqs = boto3.client("sqs", config=_CONFIG)
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/parcels"


def after_a_minute(attempts: int) -> StepConfig:
    config = RetryStrategyConfig(
        max_attempts=attempts,
        initial_delay=Duration.from_minutes(1),
        max_delay=Duration.from_minutes(10),
        jitter_strategy=JitterStrategy.NONE,
    )
    return StepConfig(create_retry_strategy(config))


FOR_A_MINUTE, FOR_HOURS = after_a_minute(2), after_a_minute(60)


class Shop:
    """Reads the table, as somebody outside does, during the run and after it."""

    def __init__(self) -> None:
        self.reads: list[int] = []

    @property
    def rows(self) -> list[str]:
        return sorted(item["id"]["S"] for item in dynamodb.scan(TableName="orders")["Items"])

    def check(self) -> None:
        """Read the table, as somebody outside does."""
        self.reads.append(len(self.rows))


@contextmanager
def shop() -> Iterator[Shop]:
    with mock_aws():
        dynamodb.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        sqs.create_queue(QueueName="parcels")
        yield Shop()


def put(key: str) -> str:
    dynamodb.put_item(TableName="orders", Item={"id": {"S": key}})
    return key


def announce(_: Any) -> str:
    sqs.send_message(QueueUrl=QUEUE, MessageBody="parcel")
    return "announced"


@durable_execution
def gives_up(_: Any, context: DurableContext) -> str:
    context.step(lambda _: put("order"), name="store", config=FOR_HOURS)
    context.wait(Duration.from_hours(6), name="pack")
    context.step(lambda _: put("parcel"), name="ship", config=FOR_A_MINUTE)  # <- gives up
    context.step(announce, name="announce", config=FOR_HOURS)
    return "shipped"


@durable_execution
def persists(_: Any, context: DurableContext) -> str:
    context.step(lambda _: put("order"), name="store", config=FOR_HOURS)
    context.wait(Duration.from_hours(6), name="pack")
    context.step(lambda _: put("parcel"), name="ship", config=FOR_HOURS)
    context.step(announce, name="announce", config=FOR_HOURS)
    return "shipped"


@durable_execution
def compensates(_: Any, context: DurableContext) -> str:
    context.step(lambda _: put("order"), name="store", config=FOR_HOURS)
    try:
        context.step(lambda _: put("parcel"), name="ship", config=FOR_A_MINUTE)  # <- compensates
    except StepError:
        return "canceled"
    return "shipped"


def is_shipped(_: Recording, shop: Shop) -> None:
    """An order that is stored has a parcel."""
    assert shop.rows != ["order"], "the order has no parcel"


def has_rows(_: Recording, shop: Shop) -> None:
    """The outside reads the table whenever it wants to."""
    assert shop.reads == [1, 1, 1]


HOURLY = [ExternalEvent(timedelta(hours=n), f"reader {n}", Shop.check) for n in (1, 2, 3)]


def scenario(handler: Any, **more: Any) -> Scenario:
    return Scenario(handler=handler, world=shop, **more)


impatient = scenario(gives_up)
patient = scenario(persists)


def line_of(text: str) -> int:
    lines = Path(__file__).read_text().splitlines()
    (number,) = (n for n, line in enumerate(lines, 1) if line.endswith(f"# <- {text}"))
    return number
