"""SES as far as moto can't simulate it, and so it is simulated here; each with the reason.

- A refused address. moto checks an address's form, and nothing else.
- Throttling, and an outage. moto sends every mail.
- A mail's tags. moto forgets them, and the idempotency key is one.
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
    """A mail that SES took."""

    to: str
    subject: str
    text: str
    key: str


@dataclass
class PostOffice:
    """SES, and what a story wants of it.

    Parameters:
        refused: addresses that it won't write to.
        closed_until: it throttles all until then, epoch seconds.
        letters: what it took, in order.
    """

    refused: set[str] = field(default_factory=set)
    closed_until: float = 0
    letters: list[Letter] = field(default_factory=list)

    def close_for(self, seconds: float) -> None:
        """Send nothing for so long."""
        self.closed_until = time.time() + seconds

    def take(self, request: dict[str, Any]) -> None:
        """Take a mail (API: SendEmail).

        Raises:
            JsonRESTError: it throttles, or refuses.
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
    """SES with one verified sender; moto has to be on."""
    office = PostOffice()
    sesv2.create_email_identity(EmailIdentity=sender)

    def send_email(response: SESV2Response) -> str:
        office.take(json.loads(response.body))
        answer: str = _deliver(response)
        return answer

    with patch.object(SESV2Response, "send_email", send_email):
        yield office
