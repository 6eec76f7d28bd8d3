"""Baseline for `fan_out`: respond, and invoke a controller function asynchronously for the rest.

The API function validates and stores the posting, and hands the work that the client need not wait
for to a second function with `InvocationType="Event"`. That function is a controller: it contains
all subroutines and their shared code, and selects one with `match`. It is invoked once for each
subroutine, so that they run concurrently and are retried separately.

Lambda retries an asynchronous event twice. That is all the durability there is:

- The unit of retry is the whole subroutine: a crash at the seventh email sends the first six again.
  After three attempts in three minutes the event is a dead letter, and nothing records which emails
  are missing.
- Neither `invoke` nor `put_item` recognizes a client's retry: each request sends all emails again.
- Checking and storing are two calls, with room for another seller in between.

Unlike widely published versions, this one lets the caller invoke this controller only instead of
`*`, fails on an unknown subroutine instead of ignoring it, continues the loop after a rejected
address, counts a posting once (`postings.count`), and gives each email an idempotency key.
"""

from __future__ import annotations

import json
import os
import uuid
from http import HTTPStatus
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import ServiceError
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.fan_out import logic, mail, postings, start, subscribers
from patterns.fan_out.logic import Announcement, PostingRequest
from patterns.mails import MailRefused

CONTROLLER_VARIABLE = "POSTING_CONTROLLER_FUNCTION"
"""Environment variable with the controller function, qualified with its alias."""
SUBROUTINES = ("notify_subscribers", "confirm_to_seller", "count_posting")
MAX_SUBSCRIBERS = 3_000
"""Emails go out one after another, about 0.2 seconds each; an invocation may take 15 minutes."""

lambda_client = boto3.client("lambda")
logger = Logger(service="postings")
app = APIGatewayHttpResolver()


def add_posting(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from the HTTP API (payload format 2.0)."""
    return app.resolve(event, context)


@app.post("/postings")
def add() -> Response[str]:
    """Accept a job posting: check for a conflict, store, invoke the controller, and respond."""
    request = start.request_in(app.current_event.raw_event)
    stored = _stored(request)
    if stored is not None and stored["seller"]["S"] != request.seller:
        raise ServiceError(HTTPStatus.CONFLICT, "another seller holds this slot")
    # A retry may follow a crash before the controller was invoked; that can't be detected.
    posting_id = stored["posting_id"]["S"] if stored else _store(request)
    posting = Announcement(posting_id=posting_id, **request.model_dump(exclude={"seller"}))
    for subroutine in SUBROUTINES:
        _invoke_controller(subroutine, posting)
    return start.booked_response(posting_id, is_new=stored is None)


def controller(event: dict[str, Any], context: LambdaContext) -> None:
    """Run the subroutine that an event names.

    Parameters:
        event: `{"function": …, "posting": {…}}`.

    Raises:
        ValueError: there is no such subroutine.
        ClientError: a call to AWS failed; Lambda retries the event.
    """
    match event["function"]:
        case "notify_subscribers":
            _notify_subscribers(logic.parse_announcement(event["posting"]))
        case "confirm_to_seller":
            mail.handler(event["posting"], context)
        case "count_posting":
            postings.count(logic.parse_announcement(event["posting"]))
        case unknown:
            raise ValueError(f"unknown subroutine {unknown!r}")


def _notify_subscribers(posting: Announcement) -> None:
    refused = []
    for subscriber in subscribers.of_trade(posting.trade, MAX_SUBSCRIBERS):
        try:
            subscribers.notify(posting, subscriber)
        except MailRefused:
            refused.append(subscriber)
    if refused:
        logger.warning("not notified", posting=posting.posting_id, subscribers=refused)


def _stored(request: PostingRequest) -> dict[str, Any] | None:
    response = postings.dynamodb.get_item(
        TableName=os.environ[postings.TABLE_VARIABLE],
        Key={postings.KEY: {"S": request.slot}},
        ConsistentRead=True,
    )
    return response.get("Item")


def _store(request: PostingRequest) -> str:
    posting_id = uuid.uuid4().hex
    postings.dynamodb.put_item(
        TableName=os.environ[postings.TABLE_VARIABLE],
        Item={
            postings.KEY: {"S": request.slot},
            "posting_id": {"S": posting_id},
            "seller": {"S": request.seller},
            "location": {"S": request.location},
            "expires_at": {"N": str(postings.expiry(request.date))},
        },
    )
    return posting_id


def _invoke_controller(subroutine: str, posting: Announcement) -> None:
    payload = {"function": subroutine, "posting": posting.model_dump(mode="json")}
    lambda_client.invoke(
        FunctionName=os.environ[CONTROLLER_VARIABLE],
        InvocationType="Event",
        Payload=json.dumps(payload).encode(),
    )
