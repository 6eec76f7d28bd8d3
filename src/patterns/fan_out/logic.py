"""Define job postings, the slots that they compete for, and the emails about them.

A posting offers a job on a marketplace: a trade, a date, a location, and the seller who offers it.
The rule: one trade at one location on one day is one slot, and each slot is sold once.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.types import Strict

MAX_BODY_CHARS = 2_000
"""Maximum characters of a request body; the longest valid one has about 500."""
MAX_NAME_CHARS = 80
"""Maximum characters of a trade or a location, also in lower case.

A slot has at most 172 characters, so its UTF-8 is far below the 2,048 bytes that DynamoDB allows
for a partition key.
"""
MAX_DAYS_AHEAD = 3_650
"""Maximum days until a posting's date. Dates end in 9999, before the posting would expire."""
TOLERATED_PERCENT = 10
"""Percentage of emails about a posting that may fail before the whole list counts as bad."""


def _fits(text: str) -> str:
    # Lower case may be longer: a single "İ" becomes two characters, and "ﬃ" becomes three.
    if len(text) > MAX_NAME_CHARS:
        raise ValueError(f"must have at most {MAX_NAME_CHARS} characters in lower case")
    return text


# Email subjects must not contain control characters, and `#` separates the parts of a slot.
_Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=MAX_NAME_CHARS,
        pattern=r"^[^\x00-\x1f\x7f#]*$",
    ),
]
_Trade = Annotated[_Text, StringConstraints(to_lower=True), AfterValidator(_fits)]
_Location = Annotated[_Text, AfterValidator(lambda text: _fits(text.casefold()) and text)]
_Address = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
# Text only, as in 2026-03-01: a number would be parsed as seconds since 1970.
_Date = Annotated[dt.date, Strict()]


class InvalidPosting(Exception):  # noqa: N818 - says what it is
    """The posting is invalid; the message names the field and never repeats the input."""


class JobPosting(BaseModel):
    """A job offered on the marketplace."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trade: _Trade
    date: _Date
    location: _Location

    @property
    def slot(self) -> str:
        """Slot that the posting competes for; all spellings of a location give the same slot."""
        location = " ".join(self.location.casefold().split())
        return f"{self.trade}#{self.date}#{location}"


class PostingRequest(JobPosting):
    """A seller's request to post a job.

    Parameters:
        seller: the seller's email address.
    """

    seller: _Address


class Announcement(JobPosting):
    """A stored posting, as other functions receive it: the seller stays in the table."""

    posting_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]


_Model = TypeVar("_Model", bound=BaseModel)


def parse_request(body: str, today: dt.date) -> PostingRequest:
    """Parse the body of a request to post a job.

    Parameters:
        today: the date in UTC. Yesterday is accepted as well, because it may still be today
            elsewhere.

    Raises:
        InvalidPosting: the body isn't a valid request.
    """
    if len(body) > MAX_BODY_CHARS:
        raise InvalidPosting(f"body: must have at most {MAX_BODY_CHARS} characters")
    request = _parsed(PostingRequest, body)
    if request.date < today - dt.timedelta(days=1):
        raise InvalidPosting("date: must not be in the past")
    if request.date > today + dt.timedelta(days=MAX_DAYS_AHEAD):
        raise InvalidPosting(f"date: must be at most {MAX_DAYS_AHEAD:,} days ahead")
    return request


def parse_announcement(event: Any) -> Announcement:
    """Parse an event as an announcement.

    Raises:
        InvalidPosting: the event isn't a valid announcement.
    """
    return _parsed(Announcement, json.dumps(event))


def tolerated_failures(subscribers: int) -> int:
    """Return how many emails to this many subscribers may fail: one in ten, but always one.

    Otherwise one bad address among five would stop the emails to the other four.
    """
    return max(1, subscribers * TOLERATED_PERCENT // 100)


def news_of(posting: JobPosting) -> tuple[str, str]:
    """Return the subject and text of the email to a subscriber."""
    subject = f"New job posting: {posting.trade} on {posting.date}"
    return subject, f"{posting.trade} wanted on {posting.date}, in {posting.location}.\n"


def confirmation_of(posting: JobPosting) -> tuple[str, str]:
    """Return the subject and text of the email to the seller."""
    subject = f"Your job is posted: {posting.trade} on {posting.date}"
    return subject, f"Location: {posting.location}. We are notifying {posting.trade} subscribers.\n"


def _parsed(model: type[_Model], text: str) -> _Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidPosting(f"{field}: {first['msg']}") from None
