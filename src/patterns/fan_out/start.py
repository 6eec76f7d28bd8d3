"""Accept a job posting (POST /postings): validate, store, start the bookkeeping, and respond.

The client waits only for what it must know: whether it holds the slot. The order matters:

1. One conditional write (`postings.book`) both checks for a conflict and stores. With a separate
   check and write, another seller could slip in between.
2. The bookkeeping starts *once* per posting ID. A client whose response was lost, or a gateway that
   retries, finds the existing posting, starts nothing new, and receives the same response.
3. Temporary failures return 503, before the function's own timeout: each call ends after 4 s, and
   a request makes at most five. A crash between 1 and 2 leaves a stored posting without
   notifications until the client retries, so a client must retry until it receives a 2xx, or a 4xx
   other than 429.

| status | meaning |
| --- | --- |
| 200 | already stored by the same seller |
| 201 | stored |
| 400 | invalid posting; the message names the field |
| 409 | another seller holds the slot |
| 429 | too many requests at once, says the API itself: retry |
| 503 | temporarily unavailable: retry |

The seller comes from the request body, so the API must authenticate the caller, for example a
site's own server through IAM. If sellers call the API themselves, take the seller from the claims
of their token instead.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.exceptions import (
    BadRequestError,
    ServiceError,
    ServiceUnavailableError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from patterns.fan_out import logic, postings
from patterns.fan_out.logic import Announcement, InvalidPosting, PostingRequest
from patterns.starting import StartedWithDifferentInput, start_once
from patterns.transient import name_of

BOOKKEEPING_VARIABLE = "POSTING_BOOKKEEPING_FUNCTION"
"""Environment variable with the durable function, qualified with its alias."""

logger = Logger(service="postings")
app = APIGatewayHttpResolver()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from the HTTP API (payload format 2.0)."""
    return app.resolve(event, context)


@app.post("/postings")
def add() -> Response[str]:
    """Accept a job posting."""
    request = request_in(app.current_event.raw_event)
    try:
        booking = postings.book(request)
        if booking is None:
            raise ServiceError(HTTPStatus.CONFLICT, "another seller holds this slot")
        _start_bookkeeping(booking.posting)
    except (ClientError, BotoCoreError) as error:
        logger.warning("posting not stored yet", reason=name_of(error))
        raise ServiceUnavailableError("try again shortly") from None
    logger.info("posting stored", posting=booking.posting.posting_id, is_new=booking.is_new)
    return booked_response(booking.posting.posting_id, is_new=booking.is_new)


def request_in(event: dict[str, Any]) -> PostingRequest:
    """Parse the body of a request from the HTTP API (payload format 2.0).

    Raises:
        BadRequestError: the body isn't a valid posting; the message names the field.
    """
    body = str(event.get("body") or "")
    try:
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True).decode()
        return logic.parse_request(body, dt.datetime.now(dt.UTC).date())
    except ValueError:
        raise BadRequestError("body: must be JSON in UTF-8") from None
    except InvalidPosting as error:
        raise BadRequestError(str(error)) from None


def booked_response(posting_id: str, *, is_new: bool) -> Response[str]:
    """Build the response for a booked slot: 201 if it is new, 200 if the seller already held it."""
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return Response(status, content_types.APPLICATION_JSON, json.dumps({"posting_id": posting_id}))


def _start_bookkeeping(posting: Announcement) -> None:
    try:
        start_once(
            os.environ[BOOKKEEPING_VARIABLE],
            f"posting {posting.posting_id}",
            posting.model_dump(mode="json"),
        )
    except StartedWithDifferentInput:
        # An older version of this code wrote the payload for the same posting differently.
        logger.info("bookkeeping already started", posting=posting.posting_id)
