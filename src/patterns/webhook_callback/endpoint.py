"""Receive the vendor's callbacks: POST /callbacks/{reference}, signed.

The order of the checks matters. The signature comes first, over the exact bytes received, before
anything is parsed or looked up: an unsigned request learns nothing, not even whether a reference
exists. Then come the size, the shape, and the registry, which accepts one answer and never loses
it. Anything that can't be done right now is a 503, so the sender retries.

| status | meaning |
| --- | --- |
| 200 | accepted, now or earlier |
| 400 | invalid message: the response names the field, and the wait continues |
| 401 | not signed with an accepted key, or the timestamp is too old or too far in the future |
| 404 | unknown reference |
| 409 | a different answer was accepted earlier |
| 410 | the wait is over |
| 413 | the body is larger than 128 KiB |
| 429 | the API's throttle, before this function: retry |
| 503 | can't be processed right now: retry |
| other 5xx | no reply from this function: retry |

200, 400, 404, 409, 410, and 413 are final. After 401, check the key and the clock, then retry.

Every AWS call times out within 4 s (`HTTP_CLIENT`), and no request makes more than six, so that an
AWS service that hangs leads to a 503 from here and not to a timeout of the function.

Logs never contain the path (it holds the reference), a callback ID, or a key.
"""

from __future__ import annotations

import base64
import binascii
import time
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.exceptions import (
    BadRequestError,
    NotFoundError,
    RequestEntityTooLargeError,
    ServiceError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from patterns import callbacks
from patterns.callbacks import AnswerTooLarge, NotSentYet, Outcome, answers
from patterns.callbacks.reference import Purpose, is_well_formed, row_name
from patterns.transient import name_of
from patterns.webhook_callback import keys, messages, signature

_STATUS = {
    Outcome.SENT: HTTPStatus.OK,
    Outcome.ALREADY_SENT: HTTPStatus.OK,
    Outcome.CONFLICT: HTTPStatus.CONFLICT,
    Outcome.CLOSED: HTTPStatus.GONE,
    Outcome.EXPIRED: HTTPStatus.GONE,
    Outcome.STALE: HTTPStatus.GONE,
    Outcome.UNKNOWN: HTTPStatus.NOT_FOUND,
}

logger = Logger(service="webhook")
app = APIGatewayHttpResolver()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from the HTTP API (payload format 2.0)."""
    return app.resolve(event, context)


@app.post("/callbacks/<reference>")
def receive(reference: str) -> Response[str]:
    """Verify, validate, and deliver one message from the vendor."""
    body = _signed_body()
    # More than a message needs: its result is a claim check, which locates the transcript.
    if len(body) > callbacks.MAX_BODY_BYTES:
        raise RequestEntityTooLargeError(f"at most {callbacks.MAX_BODY_BYTES} bytes")
    try:
        message = messages.parse(body)
    except messages.Malformed as error:
        raise BadRequestError(str(error)) from None
    if not is_well_formed(reference):
        raise NotFoundError(Outcome.UNKNOWN)
    outcome = _deliver(reference, message)
    logger.info("message handled", kind=message.kind, outcome=outcome)
    status = _STATUS[outcome]
    if status is not HTTPStatus.OK:
        raise ServiceError(status, outcome)
    return Response(status, content_types.APPLICATION_JSON, '{"outcome":"accepted"}')


def _signed_body() -> bytes:
    # One response to every failed check, so that a probe can't learn which one failed.
    rejection = UnauthorizedError("invalid signature")
    request = app.current_event
    body = _raw_body(request.raw_event)
    claim = request.headers.get(signature.SIGNATURE_HEADER)
    timestamp = request.headers.get(signature.TIMESTAMP_HEADER)
    if body is None or not claim or not timestamp:
        raise rejection
    if not signature.is_fresh(timestamp, time.time()):
        raise rejection
    if not _is_signed(claim, request.http_method, request.path, timestamp, body):
        raise rejection
    return body


def _is_signed(claim: str, *request: Any) -> bool:
    try:
        valid_keys = keys.current().accepted(time.time())
        if signature.is_signed(valid_keys, claim, *request):
            return True
        # The key may have been rotated since we cached it.
        fresh = keys.refreshed()
    except keys.KeysUnavailable as error:
        logger.error("signing keys unavailable, no request can be verified", reason=str(error))
        raise ServiceUnavailableError("try again") from None
    return signature.is_signed(fresh.accepted(time.time()), claim, *request)


def _raw_body(event: dict[str, Any]) -> bytes | None:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode(errors="surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _deliver(
    reference: str, message: messages.Success | messages.Failure | messages.Heartbeat
) -> Outcome:
    name = row_name(Purpose.WEBHOOK, reference)
    try:
        match message:
            case messages.Heartbeat():
                return callbacks.heartbeat(name)
            case messages.Failure():
                return callbacks.answer(name, answers.failure(message.message, messages.FAILED))
            case messages.Success():
                return callbacks.answer(name, answers.success(message.result.model_dump()))
    except AnswerTooLarge as error:
        raise RequestEntityTooLargeError(str(error)) from None
    except (NotSentYet, ClientError, BotoCoreError) as error:
        logger.warning("not delivered yet, the sender will retry", reason=name_of(error))
        raise ServiceUnavailableError("try again") from None
