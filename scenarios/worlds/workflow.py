"""A shop with stock, an account that pays and a carrier, all in one table that can be counted.

What is written is collected where it is written, transaction by transaction, in order.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from patterns.workflow import before, before_state, begin, ledger_writes
from patterns.workflow.ledger_writes import Standing
from patterns.workflow.logic import Order
from scenarios.worlds import faulty_dynamodb
from scenarios.worlds.registry import create_table, dynamodb

lambda_client = boto3.client("lambda")

FUNCTION, BEGIN, BY_HAND = "workflow", "workflow-begin", "workflow-before"
TABLE, WORKFLOWS = "shop", "workflows"
ORDER = Order(order_id="A-17", item="lamp", quantity=2, cents=4900, account="ada", region="north")
STOCK, MONEY, PLACES = "stock#lamp", "account#ada", "van#north"
GOODS, PAYMENT, PARCEL = (f"order#A-17#{what}" for what in ("goods", "payment", "parcel"))
SUPPLIES = {STOCK: 10, MONEY: 10_000, PLACES: 3}
"""What there is before anything happens."""


@dataclass
class Shop:
    """What a story can do to the shop, and what it can look at afterwards.

    Parameters:
        written: what was done, in order: "goods held", "payment given back".
        supplies: what there is, when the run ended.
        at_first: what there was before.
        standings: how what was taken stands then: `{"goods": "held", …}`.
        replies: what whoever asks for the order was told.
        forbidden, unanswered: what of this the table refuses, or does and does not say so.
        is_throttled: whether the table throttles, for reading and writing alike.
        is_unreadable: whether nobody may read the table.
    """

    written: list[str] = field(default_factory=list)
    supplies: dict[str, int] = field(default_factory=dict)
    at_first: dict[str, int] = field(default_factory=dict)
    standings: dict[str, str] = field(default_factory=dict)
    replies: list[dict[str, Any]] = field(default_factory=list)
    forbidden: frozenset[str] = frozenset()
    unanswered: frozenset[str] = frozenset()
    is_throttled: bool = False
    is_unreadable: bool = False

    def be_picked_up(self) -> None:
        """The carrier picks the parcel up, unless it was cancelled."""
        with _unless_too_late():
            dynamodb.update_item(
                TableName=TABLE,
                Key={ledger_writes.KEY: {"S": PARCEL}},
                UpdateExpression="SET standing = :gone",
                ConditionExpression="standing = :held",
                ExpressionAttributeValues={
                    ":gone": {"S": Standing.GONE.value},
                    ":held": {"S": Standing.HELD.value},
                },
            )

    def be_cancelled(self) -> None:
        """The customer has the carrier cancel the parcel, unless it was picked up."""
        writes: list[Any] = [
            ledger_writes.given_back(PARCEL, PLACES, 1),
            {"Update": ledger_writes.more(PLACES, 1)},
        ]
        with _unless_too_late():
            dynamodb.transact_write_items(TransactItems=writes)

    def throttle(self) -> None:
        """The table throttles, until it recovers."""
        self.is_throttled = True

    def recover(self) -> None:
        """The table is well again."""
        self.is_throttled, self.forbidden, self.unanswered = False, frozenset(), frozenset()

    def ask(self, order: Order = ORDER) -> None:
        """Somebody asks for the order."""
        answer = lambda_client.invoke(FunctionName=BEGIN, Payload=json.dumps(order).encode())
        self.replies.append(json.loads(answer["Payload"].read()))

    def read(self, body: dict[str, Any], call: Callable[[], Any]) -> Any:
        """Stand before what reads the table."""
        if self.is_throttled and body["TableName"] == TABLE:
            raise faulty_dynamodb.throttled()
        if self.is_unreadable and body["TableName"] == TABLE:
            raise faulty_dynamodb.forbidden()
        return call()

    def transact(self, body: dict[str, Any], call: Callable[[], Any]) -> Any:
        """Stand before what writes to the table."""
        what = _told(body["TransactItems"])
        if self.is_throttled:
            raise faulty_dynamodb.throttled()
        if what in self.forbidden:
            raise faulty_dynamodb.forbidden()
        try:
            answer = call()
            self.written.append(what)
        finally:
            if what in self.unanswered:
                raise faulty_dynamodb.BrokenError
        return answer


@contextmanager
def shop_world(
    *,
    forbidden: frozenset[str] = frozenset(),
    unanswered: frozenset[str] = frozenset(),
    is_unreadable: bool = False,
    **supplies: int,
) -> Iterator[Shop]:
    """A shop in which nothing has happened yet.

    Parameters:
        supplies: what there is of `stock`, `money` and `places`, if not the usual.
    """
    world = Shop(forbidden=forbidden, unanswered=unanswered, is_unreadable=is_unreadable)
    variables = {
        ledger_writes.TABLE_VARIABLE: TABLE,
        begin.FUNCTION_VARIABLE: f"{FUNCTION}:live",
        before_state.TABLE_VARIABLE: WORKFLOWS,
        before.FUNCTION_VARIABLE: BY_HAND,
    }
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        stack.enter_context(faulty_dynamodb.dynamodb_behind(world.read, world.transact))
        stack.enter_context(patch.dict(os.environ, variables))
        create_table(TABLE, ledger_writes.KEY)
        create_table(WORKFLOWS, before_state.KEY)
        named = {STOCK: "stock", MONEY: "money", PLACES: "places"}
        world.at_first = {s: supplies.get(named[s], usual) for s, usual in SUPPLIES.items()}
        rows: list[Any] = [
            {ledger_writes.KEY: {"S": supply}, "available": {"N": str(available)}}
            for supply, available in world.at_first.items()
        ]
        dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": r}} for r in rows]})
        try:
            yield world
        finally:
            _look(world)


def _look(world: Shop) -> None:
    for row in dynamodb.scan(TableName=TABLE)["Items"]:
        key = row[ledger_writes.KEY]["S"]
        if "available" in row:
            world.supplies[key] = int(row["available"]["N"])
        else:
            world.standings[_name_in(key)] = row["standing"]["S"]


def _told(items: list[dict[str, Any]]) -> str:
    (kind, write), *_ = items[0].items()
    if kind == "Put":
        return f"{_name_in(write['Item'][ledger_writes.KEY]['S'])} {Standing.HELD}"
    return f"{_name_in(write['Key'][ledger_writes.KEY]['S'])} {Standing.GIVEN_BACK}"


def _name_in(key: str) -> str:
    return key.rpartition("#")[2]


@contextmanager
def _unless_too_late() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in (
            "ConditionalCheckFailedException",
            "TransactionCanceledException",
        ):
            raise
