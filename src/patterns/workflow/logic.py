"""Define what an order is and how it can end. Nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypedDict

MAX_TEXT_LENGTH = 200
"""Maximum characters: enough for any name, and far below DynamoDB's 2,048 bytes for a key."""
MAX_NUMBER = 100_000_000
"""A quantity or price above this is a mistake, not an order."""


class Ending(StrEnum):
    """The ways an order can end. Every ending except SHIPPED leaves nothing of the order behind."""

    SHIPPED = "shipped"
    OUT_OF_STOCK = "out of stock"
    DECLINED = "declined"
    NOT_SHIPPABLE = "not shippable"
    CANCELED = "canceled"
    NOT_PICKED_UP = "not picked up"


class Order(TypedDict):
    """An order: the items to ship, the destination, and the account to charge.

    `order_id` is the workflow's ID: submitting it twice makes one order. `account` is an account
    with the payment service, not a card; `region` is the carrier's destination. `cents` is the
    price of all items together.
    """

    order_id: str
    item: str
    quantity: int
    cents: int
    account: str
    region: str


class InvalidOrder(Exception):  # noqa: N818 - says what it is
    """The event isn't a valid order; the message names the field."""


class OrderFailed(Exception):  # noqa: N818 - says what it is
    """A step failed; all completed steps are compensated."""


class CompensationFailed(Exception):  # noqa: N818 - says what it is
    """A compensation failed; the message names it. Somebody has to complete it manually."""


def parse_order(event: Any) -> Order:
    """Parse an event as an order.

    Raises:
        InvalidOrder: a field is missing or invalid.
    """
    if not isinstance(event, Mapping):
        raise InvalidOrder("event: must be an object")
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
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT_LENGTH:
        raise InvalidOrder(f"{field}: must be a string of 1 to {MAX_TEXT_LENGTH} characters")
    return value


def _number(event: Mapping[str, Any], field: str) -> int:
    value = event.get(field)
    if type(value) is not int or not 0 < value <= MAX_NUMBER:  # True is an int, too
        raise InvalidOrder(f"{field}: must be an integer from 1 to {MAX_NUMBER}")
    return value
