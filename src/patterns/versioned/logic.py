"""Define what a preorder is, how long it waits, and how it can end. Nothing else."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

MAX_WAIT = timedelta(days=300)
"""Longest time until the release: an execution may last 366 days, and its steps retry for hours."""
MAX_TEXT_LENGTH = 200
"""Maximum characters: enough for any name, and far below DynamoDB's 2,048 bytes for a key."""
MAX_CENTS = 100_000_000
"""A price above this is a mistake, not a preorder."""
MIN_WAIT_SECONDS = 1


class Ending(StrEnum):
    """The ways a preorder can end."""

    SETTLED = "settled"
    """The item is paid and shipped, and the seller has the money."""
    REFUSED = "refused"
    """The account is suspected of fraud: nothing is charged, and the reservation is canceled."""


class InvalidPreorder(Exception):  # noqa: N818 - says what it is
    """The event isn't a valid preorder; the message names the field."""


class Preorder(BaseModel):
    """An item to charge and ship on the day it is released, which may be months from now.

    Parameters:
        order_id: the preorder's ID: submitting it twice makes one preorder.
        item: the item to reserve, 1 to 200 characters.
        cents: its price.
        account: the account to charge, with the payment service; not a card.
        released_at: when the item may be charged and shipped, with a UTC offset; at most 300 days
            from now. A moment in the past means now.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    order_id: str = Field(min_length=1, max_length=MAX_TEXT_LENGTH)
    item: str = Field(min_length=1, max_length=MAX_TEXT_LENGTH)
    cents: int = Field(ge=1, le=MAX_CENTS, strict=True)
    account: str = Field(min_length=1, max_length=MAX_TEXT_LENGTH)
    released_at: AwareDatetime

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return self.model_dump(mode="json")


def parse_preorder(event: Any) -> Preorder:
    """Parse an event as a preorder.

    Raises:
        InvalidPreorder: a field is missing or invalid.
    """
    try:
        return Preorder.model_validate(event)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "event"
        raise InvalidPreorder(f"{field}: {first['msg']}") from None


def seconds_until_release(preorder: Preorder, now: datetime) -> int:
    """Return how long to wait, in seconds: at least one, the shortest wait there is.

    Parameters:
        now: the current time, with a time zone.

    Raises:
        InvalidPreorder: the release is too far away.
    """
    left = preorder.released_at - now
    if left > MAX_WAIT:
        raise InvalidPreorder(f"released_at: must be at most {MAX_WAIT.days} days from now")
    return max(MIN_WAIT_SECONDS, math.ceil(left.total_seconds()))
