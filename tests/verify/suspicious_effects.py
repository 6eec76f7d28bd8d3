"""Correct handlers that look suspicious: side effects, made with stock boto3."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import Any

import boto3
from aws_durable_execution_sdk_python import (
    DurableContext,
    StepContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import StepConfig, StepSemantics
from aws_durable_execution_sdk_python.retries import RetryPresets
from moto import mock_aws

from dacapo import Scenario
from tests.lab.handlers import fails_until
from tests.verify.suspicious import DAY, JITTERED, MINUTE, echo

TABLE = "orders"
PAYMENTS = "https://sqs.us-east-1.amazonaws.com/123456789012/payments.fifo"
AT_MOST_ONCE = StepConfig(
    step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY, retry_strategy=RetryPresets.none()
)

dynamodb = boto3.client("dynamodb")
lambda_client = boto3.client("lambda")
sqs = boto3.client("sqs")


def put(order: str, status: str) -> None:
    """Write an order; repeating the call sends an identical request."""
    item = {"id": {"S": order}, "status": {"S": status}}
    dynamodb.put_item(TableName=TABLE, Item=item)


def send(text: str, key: str) -> None:
    """Send a message; the queue drops another one with the same deduplication ID."""
    sqs.send_message(
        QueueUrl=PAYMENTS, MessageBody=text, MessageGroupId="all", MessageDeduplicationId=key
    )


@durable_execution
def same_item_again(event: str, context: DurableContext) -> str:
    """Write twice after a crash, but the same item under the same key, which is idempotent."""
    context.step(lambda _: put(event, "new"), name="note the order")
    context.wait(DAY, name="a day")
    context.step(lambda _: put(event, "old"), name="close the order")
    return event


@durable_execution
def conditional_put(event: str, context: DurableContext) -> str:
    """Write an item that contains the time, but under a condition that allows one write."""

    def claim(_: StepContext) -> str:
        time.sleep(1)
        item = {"id": {"S": event}, "taken": {"N": str(time.time())}}
        # An earlier attempt may have written the item and crashed before its checkpoint.
        with suppress(dynamodb.exceptions.ConditionalCheckFailedException):
            dynamodb.put_item(
                TableName=TABLE, Item=item, ConditionExpression="attribute_not_exists(id)"
            )
        return event

    number = str(context.step(claim, name="take the number"))
    context.wait(MINUTE, name="a minute")
    return number


@durable_execution
def message_with_a_key(event: str, context: DurableContext) -> str:
    """Send twice after a crash, but with an idempotency key from the ARN, so one arrives."""
    key = uuid.uuid5(uuid.NAMESPACE_URL, context.execution_context.durable_execution_arn)
    context.step(lambda _: send(event, f"{key} pay"), name="pay")
    context.wait(MINUTE, name="a minute")
    return event


@durable_execution
def key_from_a_step(event: str, context: DurableContext) -> str:
    """Send with a random idempotency key, but draw it in an earlier step."""
    key = str(context.step(lambda _: str(uuid.uuid4()), name="draw a key"))
    context.wait(MINUTE, name="a minute")
    context.step(lambda _: send(event, key), name="pay")
    return event


@durable_execution
def paid_or_unclear(event: str, context: DurableContext) -> str:
    """Return something else after a crash during payment, but paying twice would be worse."""
    try:
        answer = context.step(partial(pay, event), name="pay", config=AT_MOST_ONCE)
    except StepError as error:
        answer = f"unclear: {error.error_type.rpartition('.')[2]}"
        context.step(lambda _: put(event, answer), name="ask somebody")
    context.wait(MINUTE, name="a minute")
    return str(context.step(partial(echo, answer), name="tell"))


def pay(text: str, _: StepContext) -> str:
    send(text, str(uuid.uuid4()))
    return "paid"


@durable_execution
def reads_before_it_writes(event: str, context: DurableContext) -> str:
    """Read something else when the step runs again, but end in the same state."""

    def close(_: StepContext) -> str:
        key = {"id": {"S": event}}
        item = dynamodb.get_item(TableName=TABLE, Key=key).get("Item")
        if item is None:
            put(event, "closed")
        return "closed"

    context.wait(MINUTE, name="a minute")
    return str(context.step(close, name="close the order"))


@durable_execution
def retries_after_an_effect(event: str, context: DurableContext) -> int:
    """Write on every attempt, with random delays in between, but always the same item."""

    def work(step: StepContext) -> int:
        put(event, "tried")
        return int(fails_until(2)(step))

    return int(context.step(work, name="work", config=StepConfig(retry_strategy=JITTERED)))


@cache
def client_of_this_process() -> Any:
    return boto3.client("dynamodb")


@durable_execution
def client_created_late(event: str, context: DurableContext) -> str:
    """Cache a client that a cold process has to create, but let no operation depend on it."""
    client = client_of_this_process()
    item = {"id": {"S": event}}
    context.wait(MINUTE, name="a minute")
    context.step(lambda _: bool(client.put_item(TableName=TABLE, Item=item)), name="note it")
    return event


@durable_execution
def branches_that_write(event: list[str], context: DurableContext) -> list[str]:
    """Write items in any order, but each in its own step, under its own key."""

    def branch(child: DurableContext, order: str, _: int, __: Any) -> str:
        child.step(lambda _: put(order, "new"), name="note it")
        child.wait(MINUTE, name="a minute")
        return order

    return context.map(event, branch, name="note all").get_results()


@durable_execution
def threads_in_a_step(event: list[str], context: DurableContext) -> int:
    """Write from threads in any order, but within one step, and without the context."""

    def write(_: StepContext) -> int:
        with ThreadPoolExecutor(2) as pool:
            return len(list(pool.map(lambda order: put(order, "new"), event)))

    written = int(context.step(write, name="note all"))
    context.wait(MINUTE, name="a minute")
    return written


@contextmanager
def table() -> Iterator[None]:
    """Context manager that creates an empty table, and deletes it even if moto stays active."""
    with mock_aws():
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        try:
            yield
        finally:
            dynamodb.delete_table(TableName=TABLE)


@contextmanager
def queue() -> Iterator[None]:
    """Context manager that creates a queue with deduplication, and deletes it."""
    with mock_aws():
        sqs.create_queue(QueueName=PAYMENTS.rpartition("/")[2], Attributes={"FifoQueue": "true"})
        try:
            yield
        finally:
            sqs.delete_queue(QueueUrl=PAYMENTS)


@contextmanager
def bank() -> Iterator[None]:
    """Context manager that creates a table and a queue."""
    with table(), queue():
        yield


@durable_execution
def starts_its_successor(event: list[str], context: DurableContext) -> str:
    """Write another item in each first step, but each in an execution of its own."""
    order, *others = event
    context.step(lambda _: put(order, "new"), name="note the order")
    context.wait(DAY, name="a day")
    if others:
        context.step(lambda _: hand_over(others), name="start the next")
    return order


def hand_over(orders: list[str]) -> None:
    """Start the next execution, idempotently by its name."""
    lambda_client.invoke(
        FunctionName="starts_its_successor:live",
        InvocationType="Event",
        DurableExecutionName=f"order-{orders[0]}",
        Payload=json.dumps(orders).encode(),
    )


SCENARIOS = (
    Scenario(handler=same_item_again, event="17", world=table),
    Scenario(handler=conditional_put, event="17", world=table),
    Scenario(handler=message_with_a_key, event="5 euros", world=queue),
    Scenario(handler=key_from_a_step, event="5 euros", world=queue),
    Scenario(handler=paid_or_unclear, event="5 euros", world=bank),
    Scenario(handler=reads_before_it_writes, event="17", world=table),
    Scenario(handler=retries_after_an_effect, event="17", world=table),
    Scenario(handler=client_created_late, event="17", world=table),
    Scenario(handler=branches_that_write, event=["17", "18"], world=table),
    Scenario(handler=threads_in_a_step, event=["17", "18"], world=table),
    Scenario(handler=starts_its_successor, event=["17", "18"], world=table),
)
