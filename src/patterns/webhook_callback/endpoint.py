"""Takes the third party's word for its job: POST /callbacks/{reference}, signed.

The order is what matters. First the signature, over exactly the bytes that came, before anything
is parsed or looked up: who can't sign learns nothing, not even whether a reference exists. Then the
size, then the shape, then the registry, which sees to it that an answer is given once and never
lost. Whatever can't be done now is a 503, so that the sender comes again.

| status | means |
| --- | --- |
| 200 | taken, or taken before |
| 400 | not as documented; the field is named; the wait goes on |
| 401 | not signed with a key that counts, or too long ago, or too far in the future |
| 404 | no such reference |
| 409 | another answer was given |
| 410 | the wait is over |
| 413 | the body is too large |
| 503 | can't be done now: send it again |

Neither the path, which holds the reference, nor a callback id or a key is ever logged.
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

from patterns import callback_answers, callbacks
from patterns.callbacks import NotSentYet, Outcome
from patterns.reference import Purpose, is_well_formed, row_name
from patterns.transient import name_of
from patterns.webhook_callback import keys, messages, signature

LARGEST_BODY_BYTES = 128 * 1024
"""The API takes 1 MiB for a callback's result; what belongs here is where a result is."""

_STATUS = {
    Outcome.SENT: HTTPStatus.OK,
    Outcome.ALREADY_SENT: HTTPStatus.OK,
    Outcome.OTHER_ANSWER: HTTPStatus.CONFLICT,
    Outcome.CLOSED: HTTPStatus.GONE,
    Outcome.EXPIRED: HTTPStatus.GONE,
    Outcome.STALE: HTTPStatus.GONE,
    Outcome.UNKNOWN: HTTPStatus.NOT_FOUND,
}

logger = Logger(service="webhook")
app = APIGatewayHttpResolver()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of the HTTP API (payload format 2.0)."""
    return app.resolve(event, context)


@app.post("/callbacks/<reference>")
def take(reference: str) -> Response[str]:
    """Take what the third party says of its job."""
    body = _signed_body()
    if len(body) > LARGEST_BODY_BYTES:
        raise RequestEntityTooLargeError(f"at most {LARGEST_BODY_BYTES} bytes")
    try:
        message = messages.parse(body)
    except messages.Malformed as error:
        raise BadRequestError(str(error)) from None
    if not is_well_formed(reference):
        raise NotFoundError(Outcome.UNKNOWN)
    outcome = _pass_on(reference, message)
    logger.info("message handled", kind=message.kind, outcome=outcome)
    status = _STATUS[outcome]
    if status is not HTTPStatus.OK:
        raise ServiceError(status, outcome)
    return Response(status, content_types.APPLICATION_JSON, '{"outcome":"taken"}')


def _signed_body() -> bytes:
    # One answer to all that is wrong, so that it can't be told what is.
    refused = UnauthorizedError("not signed")
    request = app.current_event
    body = _raw_body(request.raw_event)
    given = request.headers.get(signature.SIGNATURE_HEADER)
    timestamp = request.headers.get(signature.TIMESTAMP_HEADER)
    if body is None or not given or not timestamp:
        raise refused
    if not signature.is_fresh(timestamp, time.time()):
        raise refused
    if not _is_signed(given, request.http_method, request.path, timestamp, body):
        raise refused
    return body


def _is_signed(given: str, *request: Any) -> bool:
    try:
        counting = keys.current().accepted(time.time())
        if signature.is_signed(counting, given, *request):
            return True
        # Perhaps the key was rotated since it was fetched.
        anew = keys.refreshed()
    except keys.KeysUnavailable as error:
        logger.error("no request can be checked", reason=str(error))
        raise ServiceUnavailableError("try again") from None
    return anew is not None and signature.is_signed(anew.accepted(time.time()), given, *request)


def _raw_body(event: dict[str, Any]) -> bytes | None:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode(errors="surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _pass_on(
    reference: str, message: messages.Success | messages.Failure | messages.Heartbeat
) -> Outcome:
    name = row_name(Purpose.WEBHOOK, reference)
    try:
        match message:
            case messages.Heartbeat():
                return callbacks.heartbeat(name)
            case messages.Failure():
                return callbacks.answer(
                    name, callback_answers.failure(message.message, messages.FAILED)
                )
            case messages.Success():
                return callbacks.answer(name, callback_answers.success(message.result.model_dump()))
    except (NotSentYet, ClientError, BotoCoreError) as error:
        logger.warning("not passed on yet", reason=name_of(error))
        raise ServiceUnavailableError("try again") from None
