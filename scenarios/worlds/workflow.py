"""A shop with stock, an account that pays, and a carrier, all in one table that can be counted.

Writes are collected where they arrive, transaction by transaction, in order.
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

from baselines import workflow as baseline
from baselines import workflow_state
from patterns.workflow import ledger_writes, start
from patterns.workflow.ledger_writes import ReservationStatus
from patterns.workflow.logic import Order
from scenarios.worlds import faulty_dynamodb
from scenarios.worlds.registry import create_table, dynamodb

lambda_client = boto3.client("lambda")

FUNCTION, BEGIN, BASELINE = "workflow", "workflow-begin", "workflow-baseline"
TABLE, WORKFLOWS = "shop", "workflows"
ORDER = Order(order_id="A-17", item="lamp", quantity=2, cents=4900, account="ada", region="north")
STOCK, MONEY, PLACES = "stock#lamp", "account#ada", "van#north"
PARCEL = "order#A-17#parcel"
SUPPLIES = {STOCK: 10, MONEY: 10_000, PLACES: 3}
"""The supplies before the run."""


@dataclass
class Shop:
    """A world: the actions of a scenario on the shop, and the state to inspect afterward.

    Parameters:
        written: the writes in order, such as "goods held" or "payment released".
        supplies: the supplies when they were last counted: at the end of the run.
        initial_supplies: the supplies before the run.
        statuses: the reservations then: `{"goods": "held", …}`.
        replies: the replies to submitted orders.
        forbidden: writes that the table denies.
        unanswered: writes that the table makes without replying.
        is_throttled: True while the table throttles all reads and writes.
        is_unreadable: True if the table denies all reads.
    """

    written: list[str] = field(default_factory=list)
    supplies: dict[str, int] = field(default_factory=dict)
    initial_supplies: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    replies: list[dict[str, Any]] = field(default_factory=list)
    forbidden: frozenset[str] = frozenset()
    unanswered: frozenset[str] = frozenset()
    is_throttled: bool = False
    is_unreadable: bool = False

    def carrier_picks_up(self) -> None:
        """Pick up the parcel as the carrier, unless it was canceled."""
        with _unless_too_late():
            dynamodb.update_item(
                TableName=TABLE,
                Key={ledger_writes.KEY: {"S": PARCEL}},
                UpdateExpression=f"SET {ledger_writes.STATUS} = :picked_up",
                ConditionExpression=f"{ledger_writes.STATUS} = :held",
                ExpressionAttributeValues={
                    ":picked_up": {"S": ReservationStatus.PICKED_UP.value},
                    ":held": {"S": ReservationStatus.HELD.value},
                },
            )

    def customer_cancels(self) -> None:
        """Cancel the parcel as the customer, unless it was picked up."""
        writes: list[Any] = [
            ledger_writes.mark_released(PARCEL, PLACES, 1),
            {"Update": ledger_writes.add(PLACES, 1)},
        ]
        with _unless_too_late():
            dynamodb.transact_write_items(TransactItems=writes)

    def throttle(self) -> None:
        """Throttle the table until it recovers."""
        self.is_throttled = True

    def recover(self) -> None:
        """End all faults of the table."""
        self.is_throttled, self.forbidden, self.unanswered = False, frozenset(), frozenset()

    def submit(self, order: Order = ORDER) -> None:
        """Submit the order."""
        answer = lambda_client.invoke(FunctionName=BEGIN, Payload=json.dumps(order).encode())
        self.replies.append(json.loads(answer["Payload"].read()))

    def count(self) -> None:
        """Count the supplies and the reservations."""
        for row in dynamodb.scan(TableName=TABLE)["Items"]:
            key = row[ledger_writes.KEY]["S"]
            if "available" in row:
                self.supplies[key] = int(row["available"]["N"])
            else:
                self.statuses[_name_in(key)] = row[ledger_writes.STATUS]["S"]

    @property
    def reserved(self) -> dict[str, int]:
        """The reserved amounts, by the supply that each came from."""
        statuses = (ReservationStatus.HELD.value, ReservationStatus.PICKED_UP.value)
        amounts = {
            "goods": (STOCK, ORDER["quantity"]),
            "payment": (MONEY, ORDER["cents"]),
            "parcel": (PLACES, 1),
        }
        return dict(amounts[what] for what, status in self.statuses.items() if status in statuses)

    def read(self, body: dict[str, Any], call: Callable[[], Any]) -> Any:
        """Intercept a read of the table."""
        if self.is_throttled and body["TableName"] == TABLE:
            raise faulty_dynamodb.throttled()
        if self.is_unreadable and body["TableName"] == TABLE:
            raise faulty_dynamodb.forbidden()
        return call()

    def transact(self, body: dict[str, Any], call: Callable[[], Any]) -> Any:
        """Intercept a write to the table."""
        what = _described(body["TransactItems"])
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
    """Context manager that sets up a shop without any orders.

    Parameters:
        forbidden, unanswered, is_unreadable: see `Shop`.
        supplies: the amounts of `stock`, `money`, and `places`, where they differ from `SUPPLIES`.
    """
    world = Shop(forbidden=forbidden, unanswered=unanswered, is_unreadable=is_unreadable)
    variables = {
        ledger_writes.TABLE_VARIABLE: TABLE,
        start.FUNCTION_VARIABLE: f"{FUNCTION}:live",
        workflow_state.TABLE_VARIABLE: WORKFLOWS,
        baseline.FUNCTION_VARIABLE: BASELINE,
    }
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        stack.enter_context(faulty_dynamodb.dynamodb_behind(world.read, world.transact))
        stack.enter_context(patch.dict(os.environ, variables))
        create_table(TABLE, ledger_writes.KEY)
        create_table(WORKFLOWS, workflow_state.KEY)
        named = {STOCK: "stock", MONEY: "money", PLACES: "places"}
        world.initial_supplies = {s: supplies.get(named[s], usual) for s, usual in SUPPLIES.items()}
        rows: list[Any] = [
            {ledger_writes.KEY: {"S": supply}, "available": {"N": str(available)}}
            for supply, available in world.initial_supplies.items()
        ]
        dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": r}} for r in rows]})
        try:
            yield world
        finally:
            world.count()


def _described(items: list[dict[str, Any]]) -> str:
    (kind, write), *_ = items[0].items()
    if kind == "Put":
        return f"{_name_in(write['Item'][ledger_writes.KEY]['S'])} {ReservationStatus.HELD}"
    return f"{_name_in(write['Key'][ledger_writes.KEY]['S'])} {ReservationStatus.RELEASED}"


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
