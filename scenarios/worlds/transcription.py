"""The transcription vendor's API and our own: two servers on loopback that speak real HTTP."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import boto3
from moto import mock_aws

from patterns.callbacks import reference, table
from patterns.webhook_callback import handler, keys, partner, signature
from scenarios.worlds import loopback
from scenarios.worlds.loopback import Reply, Request
from scenarios.worlds.registry import reference_key, registry, stored_row, sweep

secrets_manager = boto3.client("secretsmanager")

ENDPOINT = "webhook"
SECRET = "signing-key"  # noqa: S105 - its name
FIRST_KEY = "the first key, which is as long as a key must be"
MAX_RETRY_SECONDS = 24 * 3600
"""How long the vendor redelivers a message, first after a minute, then at longer intervals."""
MAX_PAUSE_SECONDS = 1_800
FINAL = frozenset({200, 400, 404, 409, 410, 413})
"""Statuses after which the contract (`endpoint`) forbids another delivery."""
TRANSCRIPT = {"transcript": "s3://transcripts/call-17.txt", "words": 812}

SUCCESS: Mapping[str, Any] = {"kind": "success", "result": TRANSCRIPT}


@dataclass
class Vendor:
    """An external system that knows nothing of AWS: it accepts jobs and calls their URLs.

    Parameters:
        key_changes: the keys announced to it, each with the time from which to sign with it.
        jobs: accepted jobs by idempotency key; the effect that must happen once.
        replies: HTTP statuses of its requests to our URL, in order.
        reply_seconds: how long each reply took.
        accepted: the messages that we replied to with 200, in order.
        rejections: HTTP statuses for the next requests to it, which it rejects.
        immediate_answer: message about a job to send even before acknowledging the job.
        acknowledgment: HTTP status of its replies to a job.
        row: the job's row in the registry when the run ended; None if there is none.
    """

    key_changes: list[tuple[float, str]] = field(default_factory=lambda: [(0.0, FIRST_KEY)])
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    replies: list[int] = field(default_factory=list)
    reply_seconds: list[float] = field(default_factory=list)
    accepted: list[Mapping[str, Any]] = field(default_factory=list)
    rejections: list[int] = field(default_factory=list)
    immediate_answer: Mapping[str, Any] | None = None
    acknowledgment: int = 202
    row: table.Row | None = None

    def key(self) -> str:
        """Return the key to sign with now."""
        return next(key for since, key in reversed(self.key_changes) if since <= time.time())

    def answer(self, request: Request) -> Reply:
        """Handle a request to the vendor's API."""
        if self.rejections:
            return Reply(self.rejections.pop(0))
        if not self._is_ours(request):
            return Reply(401)
        content = json.loads(request.body)
        if (request.method, request.path) == ("PUT", "/signing-key"):
            in_use = [change for change in self.key_changes if change[0] <= time.time()]
            self.key_changes = [*in_use, (content["since"], content["key"])]
            return Reply(204)
        self.jobs.setdefault(content["job"], content)
        if self.immediate_answer is not None:
            self.send(self.immediate_answer)
        return Reply(self.acknowledgment)

    def _is_ours(self, request: Request) -> bool:
        timestamp = request.headers.get(signature.TIMESTAMP_HEADER, "")
        return signature.is_fresh(timestamp, time.time()) and signature.is_signed(
            [key for _, key in self.key_changes],
            request.headers.get(signature.SIGNATURE_HEADER, ""),
            request.method,
            request.path,
            timestamp,
            request.body,
        )

    @property
    def url(self) -> str:
        """Callback URL of its only job."""
        (job,) = self.jobs.values()
        return str(job["callback_url"])

    def send(self, message: Mapping[str, Any], **changes: Any) -> Reply:
        """Send a message to the callback URL, signed.

        Parameters:
            message: the body, serialized as JSON.
            changes: deviations from a valid request: `key`, `at`, `method`, `url`, `signed_body`.
        """
        body = json.dumps(message).encode()
        url = changes.get("url", self.url)
        headers = signature.headers(
            changes.get("key", self.key()),
            changes.get("method", "POST"),
            urlsplit(url).path,
            changes.get("at", time.time()),
            changes.get("signed_body", body),
        )
        sent = time.time()
        reply = loopback.send(
            changes.get("method", "POST"),
            url,
            body,
            {"content-type": "application/json", **headers},
        )
        self.replies.append(reply.status)
        self.reply_seconds.append(time.time() - sent)
        if reply.status == HTTPStatus.OK:
            self.accepted.append(message)
        return reply

    def deliver(self, message: Mapping[str, Any]) -> None:
        """Send a message, and redeliver it until the reply is final, or a day has passed."""
        started, pause = time.time(), 60
        while time.time() < started + MAX_RETRY_SECONDS:
            # A job that arrives later is done later.
            if self.jobs and self.send(message).status in FINAL:
                return
            time.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    def finish(self) -> None:
        """Deliver the transcript."""
        self.deliver(SUCCESS)

    def finish_and_give_up(self) -> None:
        """Send the transcript once."""
        self.send(SUCCESS)

    def finish_differently(self) -> None:
        """Deliver a different transcript."""
        self.deliver({"kind": "success", "result": TRANSCRIPT | {"words": 813}})

    def fail(self) -> None:
        """Report that the job failed."""
        self.deliver({"kind": "failure", "message": "the recording is silent"})

    def send_heartbeat(self) -> None:
        """Report that the job is still running."""
        self.deliver({"kind": "heartbeat"})

    def sweep(self) -> None:
        """Run the function that delivers what senders have given up."""
        sweep()

    def send_invalid_answer(self) -> None:
        """Send an answer that violates the documented format."""
        self.send({"kind": "success", "result": {"transcript": 17}})

    def send_forged_answer(self) -> None:
        """Send a transcript as a stranger would, with the URL but without the key."""
        self.send({"kind": "success", "result": TRANSCRIPT}, key="f" * keys.MIN_KEY_LENGTH)


@contextmanager
def transcription_world(vendor: Vendor | None = None) -> Iterator[Vendor]:
    """Context manager that builds a vendor and its API, our HTTP API, a registry, and a key.

    Parameters:
        vendor: a vendor with special behavior; None for the default.
    """
    vendor = vendor or Vendor()
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        stack.enter_context(registry())
        stack.enter_context(reference_key())
        secrets_manager.create_secret(Name=SECRET, SecretString=json.dumps({"current": FIRST_KEY}))
        keys.forget()
        ours = stack.enter_context(loopback.http_api({"POST /callbacks/{reference}": ENDPOINT}))
        theirs = stack.enter_context(loopback.serving(vendor.answer))
        variables = {
            keys.SECRET_VARIABLE: SECRET,
            handler.URL_VARIABLE: ours,
            partner.URL_VARIABLE: theirs,
        }
        stack.enter_context(patch.dict(os.environ, variables))
        try:
            yield vendor
        finally:
            vendor.row = job_row(vendor)


def job_row(vendor: Vendor) -> table.Row | None:
    """Return the row of the vendor's job in the registry; None if there is none."""
    if not vendor.jobs:
        return None
    job_reference = vendor.url.rpartition("/")[2]
    return stored_row(reference.row_name(reference.Purpose.WEBHOOK, job_reference))
