"""Simulate the parts of SES that moto lacks.

- Refused addresses: moto checks only the format of an address.
- Throttling and outages: moto sends every email.
- Tags: moto drops them, and the idempotency key is one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import boto3
from moto.core.exceptions import JsonRESTError
from moto.sesv2.responses import SESV2Response

sesv2 = boto3.client("sesv2")

_deliver = SESV2Response.send_email


class _ThrottledError(JsonRESTError):
    code = 429


@dataclass(frozen=True)
class Letter:
    """An email that SES accepted."""

    to: str
    subject: str
    text: str
    key: str


@dataclass
class PostOffice:
    """SES, with the faults that a scenario injects.

    Parameters:
        refused: addresses that it refuses.
        closed_until: time until which it throttles every call, epoch seconds.
        letters: emails that it accepted, in order.
    """

    refused: set[str] = field(default_factory=set)
    closed_until: float = 0
    letters: list[Letter] = field(default_factory=list)

    def close_for(self, seconds: float) -> None:
        """Throttle every call for this many seconds."""
        self.closed_until = time.time() + seconds

    def accept(self, request: dict[str, Any]) -> None:
        """Accept an email (API: SendEmail).

        Raises:
            JsonRESTError: the call is throttled, or the address is refused.
        """
        (to,) = request["Destination"]["ToAddresses"]
        if time.time() < self.closed_until:
            raise _ThrottledError("TooManyRequestsException", "Maximum sending rate exceeded.")
        if to in self.refused:
            raise JsonRESTError("MessageRejected", f"Email address is not verified: {to}")
        content = request["Content"]["Simple"]
        key = request["EmailTags"][0]["Value"]
        text = content["Body"]["Text"]["Data"]
        self.letters.append(Letter(to, content["Subject"]["Data"], text, key))


@contextmanager
def post_office(sender: str) -> Iterator[PostOffice]:
    """Context manager that simulates SES with one verified sender. Requires moto."""
    office = PostOffice()
    sesv2.create_email_identity(EmailIdentity=sender)

    def send_email(response: SESV2Response) -> str:
        office.accept(json.loads(response.body))
        reply: str = _deliver(response)
        return reply

    with patch.object(SESV2Response, "send_email", send_email):
        yield office
