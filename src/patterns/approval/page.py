"""The page behind the link in the reviewer's email: GET shows two buttons, POST decides.

A GET never decides, because email scanners and link previews fetch every link. Nor does it look
anything up, so it doesn't reveal whether a link is valid. The link is the credential: it is valid
for one question and five minutes, and the response headers keep the browser from leaking it.

A decision that can't be delivered now gets a 503 that asks for another try: no browser retries by
itself. Every AWS call times out within 4 s (`HTTP_CLIENT`), and a request makes at most five.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from patterns import callbacks
from patterns.approval.logic import DECISION, Decision
from patterns.callbacks import NotSentYet, Outcome, answers
from patterns.callbacks.reference import Purpose, is_well_formed, row_name
from patterns.transient import name_of

MAX_BODY_LENGTH = 1_000
"""Maximum length of a request body, in characters."""

_STYLE = """\
body { font: 1.25rem system-ui, sans-serif; max-width: 24rem; margin: 15vh auto; padding: 1rem }
button { font: inherit; padding: .75rem 1rem; margin: .5rem 1rem 0 0 }"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_QUESTION = """\
<form method="post">
<p>Do you accept this order?</p>
<button name="decision" value="accepted">Accept</button>
<button name="decision" value="rejected">Reject</button>
</form>"""
_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>Order</title>
<style>{style}</style>
{content}
</html>
"""
_REPLIES = {
    Outcome.SENT: (HTTPStatus.OK, "Thank you. Your decision is recorded."),
    Outcome.ALREADY_SENT: (HTTPStatus.OK, "Thank you. Your decision was already recorded."),
    Outcome.CONFLICT: (HTTPStatus.CONFLICT, "This order already has a different decision."),
    Outcome.CLOSED: (HTTPStatus.GONE, "This order is no longer open."),
    Outcome.EXPIRED: (HTTPStatus.GONE, "This order is no longer open."),
    Outcome.STALE: (HTTPStatus.GONE, "This order is no longer open."),
    Outcome.UNKNOWN: (HTTPStatus.NOT_FOUND, "This link doesn't lead to an order."),
}

logger = Logger(service="approval")
app = APIGatewayHttpResolver()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from the HTTP API (payload format 2.0)."""
    return app.resolve(event, context)


@app.get("/approvals/<reference>")
def ask(reference: str) -> Response[str]:  # noqa: ARG001 - deliberately not looked up
    """Show the two buttons."""
    return _page(HTTPStatus.OK, _QUESTION)


@app.post("/approvals/<reference>")
def decide(reference: str) -> Response[str]:
    """Forward the decision to the execution."""
    decision = _decision(app.current_event.raw_event)
    if decision is None:
        return _page(HTTPStatus.BAD_REQUEST, "<p>Please choose one of the two buttons.</p>")
    if not is_well_formed(reference):
        outcome = Outcome.UNKNOWN
    else:
        try:
            answer = answers.success({DECISION: decision})
            outcome = callbacks.answer(row_name(Purpose.APPROVAL, reference), answer)
        except (NotSentYet, ClientError, BotoCoreError) as error:
            logger.warning("decision not sent yet", reason=name_of(error))
            text = "<p>Something went wrong. Please try again in a moment.</p>"
            return _page(HTTPStatus.SERVICE_UNAVAILABLE, text)
    logger.info("decision handled", decision=decision, outcome=outcome)
    status, text = _REPLIES[outcome]
    return _page(status, f"<p>{text}</p>")


def _decision(event: dict[str, Any]) -> Decision | None:
    body = str(event.get("body") or "")
    try:
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True).decode()
        if len(body) > MAX_BODY_LENGTH:
            return None
        values = parse_qs(body, keep_blank_values=True, max_num_fields=2).get(DECISION, [])
        return Decision(values[0]) if len(values) == 1 else None
    except (binascii.Error, ValueError):
        return None


def _page(status: HTTPStatus, content: str) -> Response[str]:
    return Response(
        status,
        content_types.TEXT_HTML,
        _PAGE.format(style=_STYLE, content=content),
        headers={**_HEADERS},
    )
