"""What a leed is, when two of them are in each other's way, and what the mails about it say.

A leed is a job that somebody offers on a marketplace: a trade, a date and a place, and the seller
who offers it. The rule: one trade at one place on one day is one slot, and a slot is sold once.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.types import Strict

LARGEST_BODY = 2_000
"""Characters of a posting; the longest valid one has some 500."""
TOLERATED_PERCENT = 10
"""How many of the mails about a leed may be refused before the list itself is taken for bad."""

# No control character may come into the subject of a mail, and `#` keeps the parts of a slot apart.
_Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f#]*$"
    ),
]
_Trade = Annotated[_Text, StringConstraints(to_lower=True)]
_Address = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
# Only as text, as in 2026-03-01: a number would be taken for seconds since 1970.
_Date = Annotated[dt.date, Strict()]


class InvalidLeed(Exception):  # noqa: N818 - says what it is
    """This is no leed; the message names the field, and repeats nothing that was given."""


class Leed(BaseModel):
    """What is offered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trade: _Trade
    date: _Date
    location: _Text

    @property
    def slot(self) -> str:
        """What can be sold once; the same for every way to write the same place."""
        place = " ".join(self.location.casefold().split())
        return f"{self.trade}#{self.date}#{place}"


class Posting(Leed):
    """What a seller posts.

    Parameters:
        seller: an address for mail.
    """

    seller: _Address


class Announcement(Leed):
    """A leed that is stored, as it is passed on: without its seller, who stays in the table."""

    leed_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]


_Model = TypeVar("_Model", bound=BaseModel)


def posting_of(body: str, today: dt.date) -> Posting:
    """The posting that the body of a request holds.

    Parameters:
        today: the date in UTC; where it is still yesterday, yesterday is no past date.

    Raises:
        InvalidLeed: it holds none.
    """
    if len(body) > LARGEST_BODY:
        raise InvalidLeed(f"the body: at most {LARGEST_BODY} characters")
    posting = _parsed(Posting, body)
    if posting.date < today - dt.timedelta(days=1):
        raise InvalidLeed("date: it is past")
    return posting


def announcement_of(event: Any) -> Announcement:
    """The announcement that an event is.

    Raises:
        InvalidLeed: it is none.
    """
    return _parsed(Announcement, json.dumps(event))


def tolerated(subscribers: int) -> int:
    """How many of so many subscribers may be out of reach: a tenth of them, but always one.

    Else one bad address among five would keep the other four from being told.
    """
    return max(1, subscribers * TOLERATED_PERCENT // 100)


def news_of(leed: Leed) -> tuple[str, str]:
    """Subject and text of the mail to a subscriber."""
    subject = f"New leed: {leed.trade} on {leed.date}"
    return subject, f"{leed.trade} wanted on {leed.date}, in {leed.location}.\n"


def confirmation_of(leed: Leed) -> tuple[str, str]:
    """Subject and text of the mail to the seller."""
    subject = f"Your leed is posted: {leed.trade} on {leed.date}"
    return subject, f"It is in {leed.location}. The subscribers of {leed.trade} are being told.\n"


def _parsed(model: type[_Model], text: str) -> _Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the body"
        raise InvalidLeed(f"{field}: {first['msg']}") from None
