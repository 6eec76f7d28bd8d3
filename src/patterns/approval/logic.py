"""What an order is, and what counts as a decision about it. Nothing else.

The rule: only one of two words is a decision. Anything else is no answer, and never an approval.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypedDict

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
DECISION = "decision"
"""The one field of an answer."""


class Decision(StrEnum):
    """What the restaurant says."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Ending(StrEnum):
    """How an order ends."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNANSWERED = "unanswered"


class Order(TypedDict):
    """What a guest orders, and whom to write to."""

    order_id: str
    items: list[str]
    guest: str
    restaurant: str


class InvalidOrder(Exception):  # noqa: N818 - says what it is
    """The event is no order; the message names the field."""


def order_of(event: Any) -> Order:
    """The order that an event holds.

    Raises:
        InvalidOrder: a field is missing, or is not what it should be.
    """
    if not isinstance(event, Mapping):
        raise InvalidOrder("the event: give an object")
    if not _is_text(event.get("order_id")):
        raise InvalidOrder("order_id: give some text")
    for field in ("guest", "restaurant"):
        # Before anything is saved or announced: a mail that can't be sent is noticed too late.
        if not _is_text(event.get(field)) or not _ADDRESS.fullmatch(event[field]):
            raise InvalidOrder(f"{field}: give an address for mail")
    items = event.get("items")
    if not isinstance(items, list) or not items or not all(map(_is_text, items)):
        raise InvalidOrder("items: give a list of names")
    return Order(
        order_id=event["order_id"],
        items=items,
        guest=event["guest"],
        restaurant=event["restaurant"],
    )


def decision_of(payload: str) -> Decision | None:
    """The decision that an answer holds; None if it holds none."""
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):  # brackets in brackets in brackets …
        return None
    for decision in Decision:
        if answer == {DECISION: decision}:
            return decision
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
