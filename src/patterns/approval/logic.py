"""What an order is, and what counts as a decision about it. Nothing else.

The rule: only one of two words is a decision. Anything else is no answer, and never an approval.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypedDict

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


def order_of(event: Mapping[str, Any]) -> Order:
    """The order that an event holds.

    Raises:
        InvalidOrder: a field is missing or has the wrong type.
    """
    for field in ("order_id", "guest", "restaurant"):
        if not isinstance(event.get(field), str) or not event[field]:
            raise InvalidOrder(f"{field}: give some text")
    items = event.get("items")
    if not isinstance(items, list) or not items or not all(isinstance(i, str) for i in items):
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
    except ValueError:
        return None
    given = answer.get(DECISION) if isinstance(answer, dict) else None
    return Decision(given) if given in tuple(Decision) else None
