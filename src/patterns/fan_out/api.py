"""What requests bring and replies take away, for whoever takes a posting over HTTP."""

from __future__ import annotations

import base64
import datetime as dt
import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.exceptions import BadRequestError

from patterns.fan_out import logic
from patterns.fan_out.logic import InvalidLeed, Posting


def posting_in(event: dict[str, Any]) -> Posting:
    """The posting that a request of the HTTP API holds (payload format 2.0).

    Raises:
        BadRequestError: it holds none; the message names the field.
    """
    body = str(event.get("body") or "")
    try:
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True).decode()
        return logic.posting_of(body, dt.datetime.now(dt.UTC).date())
    except ValueError:
        raise BadRequestError("the body: give JSON in UTF-8") from None
    except InvalidLeed as error:
        raise BadRequestError(str(error)) from None


def posted(leed_id: str, *, is_new: bool) -> Response[str]:
    """The answer to who has got the slot: 201, and 200 to who had it before."""
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return Response(status, content_types.APPLICATION_JSON, json.dumps({"leed_id": leed_id}))
