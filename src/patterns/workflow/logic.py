"""What an order is, and how it can end. Nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypedDict

LONGEST_TEXT = 200
"""Characters: enough for any name, and far from DynamoDB's 2,048 bytes of a key."""
LARGEST_NUMBER = 100_000_000
"""More pieces, or more cents, is a slip and no order."""


class Ending(StrEnum):
    """How an order ends. With any ending but the first, nothing of it is left."""

    SHIPPED = "shipped"
    OUT_OF_STOCK = "out of stock"
    DECLINED = "declined"
    NOT_SHIPPABLE = "not shippable"
    CANCELLED = "cancelled"
    NOT_PICKED_UP = "not picked up"


class Order(TypedDict):
    """What is to be sent where, and whose account pays.

    `order_id` is the workflow's id: asked for twice, it is one order. `account` is an account with
    the payment service, no card; `region` is where the carrier takes it. `cents` is the price of
    all pieces together.
    """

    order_id: str
    item: str
    quantity: int
    cents: int
    account: str
    region: str


class InvalidOrder(Exception):  # noqa: N818 - says what it is
    """The event is no order; the message names the field."""


class OrderFailed(Exception):  # noqa: N818 - says what it is
    """Something broke; all that had been done is undone."""


class NotUndone(Exception):  # noqa: N818 - says what it is
    """Something could not be undone; the message names it. Somebody has to see to it."""


def order_of(event: Any) -> Order:
    """The order that an event holds.

    Raises:
        InvalidOrder: a field is missing, or is not what it should be.
    """
    if not isinstance(event, Mapping):
        raise InvalidOrder("the event: give an object")
    return Order(
        order_id=_text(event, "order_id"),
        item=_text(event, "item"),
        quantity=_number(event, "quantity"),
        cents=_number(event, "cents"),
        account=_text(event, "account"),
        region=_text(event, "region"),
    )


def _text(event: Mapping[str, Any], field: str) -> str:
    value = event.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT:
        raise InvalidOrder(f"{field}: give some text, of at most {LONGEST_TEXT} characters")
    return value


def _number(event: Mapping[str, Any], field: str) -> int:
    value = event.get(field)
    if type(value) is not int or not 0 < value <= LARGEST_NUMBER:  # True is no number
        raise InvalidOrder(f"{field}: give a whole number from 1 to {LARGEST_NUMBER}")
    return value
