"""The way people did it before: answer, and leave the rest to a controller, asynchronously.

The request is checked and stored; what the client need not wait for is handed to a second function
with `InvocationType="Event"`. That one is a controller: it holds all subroutines and what they
share, and chooses among them with `match`. One call for each subroutine, so that they run beside
each other and are tried again apart.

Lambda keeps the event and tries it twice more. That is all the memory there is:

- The unit that is tried again is the subroutine, so whoever dies at the seventh mail sends the
  first six again. Three attempts in three minutes is all; then the event is a dead letter, and
  nobody knows which mails are missing.
- Neither `invoke` nor `put_item` knows that the client was here before: what comes again is sent
  again.
- Check and store are two calls, with room for another seller in between.

Mended here, of what was often published: the caller may invoke this one controller and not `*`; an
unknown subroutine is an error and does not pass in silence; one refused address does not end the
loop; the leed is counted once (`leeds.count`); a mail carries a key.
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

from patterns.fan_out import api, leeds, logic, mail, news, subscribers
from patterns.fan_out.logic import Announcement, Posting
from patterns.mails import MailRefused

CONTROLLER_VARIABLE = "LEED_CONTROLLER_FUNCTION"
"""Names the environment variable that holds the controller."""
SUBROUTINES = ("tell_subscribers", "confirm_to_seller", "count_leed")
MOST_SUBSCRIBERS = 3_000
"""A mail takes some fifth of a second, one after the other; an invocation has 15 minutes."""

lambda_client = boto3.client("lambda")
logger = Logger(service="leeds")
app = APIGatewayHttpResolver()


def add_leed(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of the HTTP API (payload format 2.0)."""
    return app.resolve(event, context)


@app.post("/leeds")
def add() -> Response[str]:
    """Take a leed: look for a conflict, store, hand on, answer."""
    posting = api.posting_in(app.current_event.raw_event)
    stored = _stored(posting)
    if stored is not None and stored["seller"]["S"] != posting.seller:
        raise ServiceError(HTTPStatus.CONFLICT, "another seller has this slot")
    # A seller who comes again may do so because nothing was handed on: it can't be told.
    leed_id = stored["leed_id"]["S"] if stored else _store(posting)
    leed = Announcement(leed_id=leed_id, **posting.model_dump(exclude={"seller"}))
    for subroutine in SUBROUTINES:
        _hand_on(subroutine, leed)
    return api.posted(leed_id, is_new=stored is None)


def controller(event: dict[str, Any], context: LambdaContext) -> None:
    """Run the subroutine that an event asks for.

    Parameters:
        event: `{"function": …, "leed": {…}}`.

    Raises:
        ValueError: there is no such subroutine.
        ClientError: AWS can't do something now; Lambda calls again.
    """
    match event["function"]:
        case "tell_subscribers":
            _tell_subscribers(logic.announcement_of(event["leed"]))
        case "confirm_to_seller":
            mail.handler(event["leed"], context)
        case "count_leed":
            leeds.count(logic.announcement_of(event["leed"]))
        case unknown:
            raise ValueError(f"there is no subroutine {unknown!r}")


def _tell_subscribers(leed: Announcement) -> None:
    refused = []
    for subscriber in subscribers.of_trade(leed.trade, MOST_SUBSCRIBERS):
        try:
            news.tell(leed, subscriber)
        except MailRefused:
            refused.append(subscriber)
    if refused:
        logger.warning("not told", leed=leed.leed_id, subscribers=refused)


def _stored(posting: Posting) -> dict[str, Any] | None:
    found = leeds.dynamodb.get_item(
        TableName=os.environ[leeds.TABLE_VARIABLE],
        Key={leeds.KEY: {"S": posting.slot}},
        ConsistentRead=True,
    )
    return found.get("Item")


def _store(posting: Posting) -> str:
    leed_id = uuid.uuid4().hex
    leeds.dynamodb.put_item(
        TableName=os.environ[leeds.TABLE_VARIABLE],
        Item={
            leeds.KEY: {"S": posting.slot},
            "leed_id": {"S": leed_id},
            "seller": {"S": posting.seller},
            "location": {"S": posting.location},
            "expires_at": {"N": str(leeds.expiry(posting.date))},
        },
    )
    return leed_id


def _hand_on(subroutine: str, leed: Announcement) -> None:
    payload = {"function": subroutine, "leed": leed.model_dump(mode="json")}
    lambda_client.invoke(
        FunctionName=os.environ[CONTROLLER_VARIABLE],
        InvocationType="Event",
        Payload=json.dumps(payload).encode(),
    )
