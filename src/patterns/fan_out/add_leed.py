"""Takes a leed: POST /leeds. Checks, stores, starts the bookkeeping, and answers at once.

What the client waits for is what it must know: whether the slot is its own. Look at the order:

1. One conditional write (`leeds.book`) checks for a conflict and stores. Between a check and a
   write of its own there is room for another seller.
2. The bookkeeping is started *once*, by the leed's id. Whatever comes again, a client whose answer
   was lost or a gateway, finds its own leed, starts nothing new, and gets the same answer.
3. What can't be done now is a 503. Whoever dies between 1 and 2 leaves a leed that nobody was told
   of, until the client comes again; so a client has to, as long as it gets no 2xx or 4xx.

| status | means |
| --- | --- |
| 200 | stored before, by the same seller |
| 201 | stored |
| 400 | no leed; the field is named |
| 409 | another seller has the slot |
| 503 | can't be done now: send it again |

The seller is taken from the body, so the API has to know who calls: a site's own server (IAM), for
example. Where sellers call themselves, take the seller from the claims of their token instead.
"""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import ServiceError, ServiceUnavailableError
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from patterns.fan_out import api, leeds
from patterns.fan_out.logic import Announcement
from patterns.start import StartedDifferently, start_once
from patterns.transient import name_of

BOOKKEEPING_VARIABLE = "LEED_BOOKKEEPING_FUNCTION"
"""Names the environment variable that holds the durable function, with its alias."""

logger = Logger(service="leeds")
app = APIGatewayHttpResolver()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of the HTTP API (payload format 2.0)."""
    return app.resolve(event, context)


@app.post("/leeds")
def add() -> Response[str]:
    """Take a leed."""
    posting = api.posting_in(app.current_event.raw_event)
    try:
        booking = leeds.book(posting)
        if booking is None:
            raise ServiceError(HTTPStatus.CONFLICT, "another seller has this slot")
        _start_bookkeeping(booking.leed)
    except (ClientError, BotoCoreError) as error:
        logger.warning("not taken yet", reason=name_of(error))
        raise ServiceUnavailableError("send it again in a moment") from None
    logger.info("leed taken", leed=booking.leed.leed_id, is_new=booking.is_new)
    return api.posted(booking.leed.leed_id, is_new=booking.is_new)


def _start_bookkeeping(leed: Announcement) -> None:
    try:
        start_once(
            os.environ[BOOKKEEPING_VARIABLE],
            f"leed {leed.leed_id}",
            leed.model_dump(mode="json"),
        )
    except StartedDifferently:
        # By an older version of this code, which announced the same leed in other words.
        logger.info("the bookkeeping was started before", leed=leed.leed_id)
