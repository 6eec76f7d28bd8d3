"""Make a start idempotent by its execution name, never with a decorator above `@durable_execution`.

A decorator above `@durable_execution` runs at every invocation, and receives what Lambda sends: the
ARN, a checkpoint token, and the history. By default, `@idempotent` makes its key from all of that.
The token changes, so no key repeats, and a duplicate starts a second execution
(`broken_by_default`). With a stable key, such as the event, the second invocation gets the stored
answer of the first: that it suspended. The handler never continues, and the execution fails, unless
the stored answer expires during the wait. A quick test without a wait misses both. AWS's local
runner fails for another reason: it passes an object where Lambda passes a dict. With a
`DurableExecutionName` made from the event, the service starts nothing for a duplicate.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent,
)

from dacapo import ExternalEvent, Handler, Scenario
from gotchas import shop

SHOWS = "the second invocation gets the stored answer of the first one, and the execution fails"
SHOWS_AT = "@same_event"

A_WHILE = Duration.from_minutes(15)
TABLE = "answers"
Decorator = Callable[[Handler], Handler]

_dynamodb = boto3.client("dynamodb")
_lambda = boto3.client("lambda")
any_input: Decorator = idempotent(persistence_store=DynamoDBPersistenceLayer(TABLE))
same_event: Decorator = idempotent(
    persistence_store=DynamoDBPersistenceLayer(TABLE),
    config=IdempotencyConfig(
        event_key_jmespath="InitialExecutionState.Operations[0].ExecutionDetails.InputPayload"
    ),
)


@same_event
@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Announce an order, and send it once it is paid."""
    context.step(lambda _: shop.send(f"order {event['order']}"), name="announce the order")
    context.wait(A_WHILE, name="wait for the payment")
    context.step(lambda _: shop.send("on its way"), name="send the parcel")
    return "sent"


@any_input
@durable_execution
def broken_by_default(event: dict[str, Any], context: DurableContext) -> str:
    """Announce an order, and send it once it is paid."""
    context.step(lambda _: shop.send(f"order {event['order']}"), name="announce the order")
    context.wait(A_WHILE, name="wait for the payment")
    context.step(lambda _: shop.send("on its way"), name="send the parcel")
    return "sent"


@durable_execution  # started as DurableExecutionName="order-17"
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Leave it to the service to recognize a duplicate start."""
    context.step(lambda _: shop.send(f"order {event['order']}"), name="announce the order")
    context.wait(A_WHILE, name="wait for the payment")
    context.step(lambda _: shop.send("on its way"), name="send the parcel")
    return "sent"


@contextmanager
def _world() -> Iterator[shop.Shop]:
    with shop.world() as world:
        _dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield world


_EVENT = {"order": 17}


def redelivered(function: str, **options: Any) -> ExternalEvent:
    """Return a duplicate of the message that started an execution, five minutes later.

    Parameters:
        function: the function that is invoked once more.
        options: further parameters of the call.
    """

    def start_again(_: shop.Shop) -> None:
        _lambda.invoke(
            FunctionName=f"{function}:live",
            InvocationType="Event",
            Payload=json.dumps(_EVENT),
            **options,
        )

    return ExternalEvent(timedelta(minutes=5), "the message is redelivered", start_again)


breaks = Scenario(
    handler=broken, event=_EVENT, world=_world, expects="InvalidParameterValueException"
)
breaks_by_default = Scenario(
    handler=broken_by_default,
    event=_EVENT,
    world=_world,
    external_events=[redelivered("broken_by_default")],
)
holds = Scenario(handler=fixed, event=_EVENT, world=_world, execution_name="order-17")
holds_redelivered = replace(
    holds, external_events=[redelivered("fixed", DurableExecutionName="order-17")]
)
