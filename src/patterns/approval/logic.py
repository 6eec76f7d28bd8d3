"""Parse an order, and decide what counts as a decision about it.

Exactly two words are decisions. Anything else is an invalid answer, never an approval.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypedDict

_EMAIL_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
DECISION = "decision"
"""The only field of an answer."""


class Decision(StrEnum):
    """The reviewer's decision."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class FinalStatus(StrEnum):
    """The final status of an order."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNANSWERED = "unanswered"


class Order(TypedDict):
    """An order, with the email addresses of the customer and the reviewer."""

    order_id: str
    items: list[str]
    customer: str
    reviewer: str


class InvalidOrder(Exception):  # noqa: N818 - says what it is
    """The event is not a valid order; the message names the field."""


def parse_order(event: Any) -> Order:
    """Return the order in an event, without any other fields.

    Raises:
        InvalidOrder: a field is missing or invalid.
    """
    if not isinstance(event, Mapping):
        raise InvalidOrder("event: must be an object")
    if not _is_text(event.get("order_id")):
        raise InvalidOrder("order_id: must be a non-empty string")
    for field in ("customer", "reviewer"):
        # Check before anything is saved or published: a failed email comes too late to undo that.
        if not _is_text(event.get(field)) or not _EMAIL_ADDRESS.fullmatch(event[field]):
            raise InvalidOrder(f"{field}: must be an email address")
    items = event.get("items")
    if not isinstance(items, list) or not items or not all(map(_is_text, items)):
        raise InvalidOrder("items: must be a list of names")
    return Order(
        order_id=event["order_id"],
        items=items,
        customer=event["customer"],
        reviewer=event["reviewer"],
    )


def parse_decision(payload: str) -> Decision:
    """Return the decision in an answer.

    Raises:
        ValueError: the answer is not a decision.
    """
    try:
        answer = json.loads(payload)
    except RecursionError:  # deeply nested brackets
        raise ValueError("the answer is not JSON") from None
    for decision in Decision:
        if answer == {DECISION: decision}:
            return decision
    raise ValueError("the answer is not a decision")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
