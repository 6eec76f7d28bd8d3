"""The transcription agency, its API and ours: two servers on loopback that speak real HTTP."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import boto3
from moto import mock_aws

from patterns import callback_rows, reference
from patterns.webhook_callback import handler, keys, partner, signature
from scenarios.worlds import loopback
from scenarios.worlds.loopback import Reply, Request
from scenarios.worlds.registry import reference_key, registry

secrets_manager = boto3.client("secretsmanager")

ENDPOINT = "webhook"
SECRET = "signing-key"  # noqa: S105 - its name
FIRST_KEY = "the first key, which is as long as a key must be"
TRANSCRIPT = {"transcript": "s3://transcripts/call-17.txt", "words": 812}


@dataclass
class Agency:
    """A third party that knows nothing of AWS: it takes jobs and calls the URLs that it was given.

    Parameters:
        key_changes: the keys that it was told, each with the moment from which on it is used.
        jobs: by idempotency key; the effect that must happen once.
        replies: what its calls of our URL were answered, status by status.
        refusals: statuses with which it answers the next requests, instead of taking them.
        answers_at_once: what it says of a job before it has even acknowledged it.
    """

    key_changes: list[tuple[float, str]] = field(default_factory=lambda: [(0.0, FIRST_KEY)])
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    replies: list[int] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    answers_at_once: Mapping[str, Any] | None = None
    row: callback_rows.Row | None = None

    def key(self) -> str:
        """The key to sign with now."""
        return next(key for since, key in reversed(self.key_changes) if since <= time.time())

    def answer(self, request: Request) -> Reply:
        """Take a request to the agency's own API."""
        if self.refusals:
            return Reply(self.refusals.pop(0))
        if not self._is_ours(request):
            return Reply(401)
        content = json.loads(request.body)
        if (request.method, request.path) == ("PUT", "/signing-key"):
            under_way = [change for change in self.key_changes if change[0] <= time.time()]
            self.key_changes = [*under_way, (content["since"], content["key"])]
            return Reply(204)
        self.jobs.setdefault(content["job"], content)
        if self.answers_at_once is not None:
            self.say(self.answers_at_once)
        return Reply(202)

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
        """The URL that it was given with its one job."""
        (job,) = self.jobs.values()
        return str(job["callback_url"])

    def say(self, message: Mapping[str, Any], **changes: Any) -> Reply:
        """Call the URL.

        Parameters:
            changes: `key`, `at`, `method`, `url`, `signed_body`: what is other than it should be.
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
        reply = loopback.send(
            changes.get("method", "POST"),
            url,
            body,
            {"content-type": "application/json", **headers},
        )
        self.replies.append(reply.status)
        return reply

    def finish(self) -> None:
        """The transcript is there."""
        self.say({"kind": "success", "result": TRANSCRIPT})

    def finish_otherwise(self) -> None:
        """It says that there is another transcript."""
        self.say({"kind": "success", "result": TRANSCRIPT | {"words": 813}})

    def fail(self) -> None:
        """There will be no transcript."""
        self.say({"kind": "failure", "message": "the recording is silent"})

    def give_sign_of_life(self) -> None:
        """The job goes on."""
        self.say({"kind": "heartbeat"})

    def stammer(self) -> None:
        """It says something that is not as documented."""
        self.say({"kind": "success", "result": {"transcript": 17}})

    def be_impersonated(self) -> None:
        """Somebody who knows the URL, but not the key, says that the transcript is there."""
        self.say({"kind": "success", "result": TRANSCRIPT}, key="f" * keys.SHORTEST_KEY)


@contextmanager
def transcription_world(agency: Agency | None = None) -> Iterator[Agency]:
    """An agency with its API, our HTTP API, an empty registry and a signing key.

    Parameters:
        agency: one with some quirks; None for a plain one.
    """
    agency = agency or Agency()
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        stack.enter_context(registry())
        stack.enter_context(reference_key())
        secrets_manager.create_secret(Name=SECRET, SecretString=json.dumps({"current": FIRST_KEY}))
        keys.forget()
        ours = stack.enter_context(loopback.http_api({"POST /callbacks/{reference}": ENDPOINT}))
        theirs = stack.enter_context(loopback.serving(agency.answer))
        variables = {
            keys.SECRET_VARIABLE: SECRET,
            handler.URL_VARIABLE: ours,
            partner.URL_VARIABLE: theirs,
        }
        stack.enter_context(patch.dict(os.environ, variables))
        try:
            yield agency
        finally:
            agency.row = _row(agency)


def _row(agency: Agency) -> callback_rows.Row | None:
    if not agency.jobs:
        return None
    given = agency.url.rpartition("/")[2]
    return callback_rows.read(reference.row_name(reference.Purpose.WEBHOOK, given))
