"""Increments that a crash or a replay repeats, and one that happens once."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from botocore.exceptions import ClientError

from dacapo import Scenario
from tests.verify.corpus.aws import tables
from tests.verify.corpus.case import DAY, HOUR, MINUTE, bad, correct

dynamodb = boto3.resource("dynamodb")
client = boto3.client("dynamodb")

REPEATED = ("effect-repeated", "different-effects", "ran-twice")


@durable_execution
def loyalty_points(event: dict[str, Any], context: DurableContext) -> str:
    """Add points to an account with ADD."""

    def add(_: StepContext) -> str:
        dynamodb.Table("accounts").update_item(  # <- cause of loyalty_points
            Key={"id": event["customer"]},
            UpdateExpression="ADD points :n",
            ExpressionAttributeValues={":n": event["cents"] // 100},
        )
        return "added"

    context.wait(HOUR, name="wait for the payment")
    context.step(add, name="add the points")
    return context.step(lambda _: "thanks", name="thank")


@durable_execution
def ticket_notes(event: dict[str, Any], context: DurableContext) -> int:
    """Append to a list with list_append."""

    def append(text: str, _: StepContext) -> bool:
        client.update_item(  # <- cause of ticket_notes
            TableName="tickets",
            Key={"id": {"S": event["ticket"]}},
            UpdateExpression="SET notes = list_append(if_not_exists(notes, :none), :new)",
            ExpressionAttributeValues={":none": {"L": []}, ":new": {"L": [{"S": text}]}},
        )
        return True

    for number, text in enumerate(event["notes"]):
        context.step(partial(append, text), name=f"append {number}")
        context.wait(MINUTE, name=f"after {number}")
    return len(event["notes"])


class Stock:
    """The stock of a shop, as a table."""

    def __init__(self, table: str) -> None:
        self.table = table

    def take(self, item: str, pieces: int) -> None:
        dynamodb.Table(self.table).update_item(  # <- cause of stock_taking
            Key={"id": item},
            UpdateExpression="SET pieces = pieces - :n",
            ExpressionAttributeValues={":n": pieces},
        )

    def run(self, event: dict[str, Any], context: DurableContext) -> str:
        context.step(lambda _: self.take(event["item"], event["pieces"]), name="take from stock")
        context.wait(DAY, name="wait for the courier")
        return context.step(lambda _: f"shipped {event['item']}", name="ship")


stock_taking = durable_execution(Stock("stock").run)


@durable_execution
def page_views(event: list[str], context: DurableContext) -> int:
    """Count in the body: each replay counts again."""
    table = dynamodb.Table("accounts")
    for page in event:
        context.step(lambda _: None, name=f"render {page}")
        table.update_item(  # <- cause of page_views
            Key={"id": page},
            UpdateExpression="ADD hits :one",
            ExpressionAttributeValues={":one": 1},
        )
        context.wait(MINUTE, name=f"after {page}")
    return len(event)


def add_once(account: str, points: int, key: str) -> str:
    """Add points unless this key has added them already."""
    with suppress(ClientError):
        dynamodb.Table("accounts").update_item(
            Key={"id": account},
            UpdateExpression="ADD points :n SET last_key = :key",
            ConditionExpression="attribute_not_exists(last_key) OR last_key <> :key",
            ExpressionAttributeValues={":n": points, ":key": key},
        )
    return "added"


@durable_execution
def loyalty_points_once(event: dict[str, Any], context: DurableContext) -> str:
    """Add points under a condition that an execution fulfills once."""
    key = context.execution_context.durable_execution_arn
    points = event["cents"] // 100
    context.wait(HOUR, name="wait for the payment")
    context.step(lambda _: add_once(event["customer"], points, key), name="add the points")
    return context.step(lambda _: "thanks", name="thank")


_POINTS = {"customer": "Ada", "cents": 1900}
_TAKE = {"item": "tea", "pieces": 3}

CASES = (
    bad(
        Scenario(handler=loyalty_points, event=_POINTS, world=partial(tables, "accounts")),
        "increment",
        *REPEATED,
    ),
    bad(
        Scenario(
            handler=ticket_notes,
            event={"ticket": "T-1", "notes": ["one", "two"]},
            world=partial(tables, "tickets"),
        ),
        "increment",
        *REPEATED,
    ),
    bad(
        Scenario(
            handler=stock_taking,
            event=_TAKE,
            name="stock_taking",
            world=partial(tables, stock={"id": "tea", "pieces": 9}),
        ),
        "increment",
        *REPEATED,
    ),
    bad(
        Scenario(handler=page_views, event=["home", "shop"], world=partial(tables, "accounts")),
        "increment",
        "effect-outside-step",
        *REPEATED,
    ),
    correct(
        Scenario(handler=loyalty_points_once, event=_POINTS, world=partial(tables, "accounts")),
        "conditional increment",
    ),
)
"""Cases of increments."""
