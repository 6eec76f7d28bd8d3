"""Parse requests to post a job, and build the responses to them, for every HTTP endpoint."""

from __future__ import annotations

import base64
import datetime as dt
import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.exceptions import BadRequestError

from patterns.fan_out import logic
from patterns.fan_out.logic import InvalidPosting, PostingRequest


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
