"""Call the vendor's API: it transcribes recordings and calls a URL when it is done.

The API is idempotent: a job submitted twice under one idempotency key is one job. We sign our
requests with the same key that the vendor signs its own with.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3

from patterns.transient import TransientError
from patterns.webhook_callback import keys, signature

URL_VARIABLE = "PARTNER_URL"
"""Environment variable with the base URL of the vendor's API."""
TIMEOUT_SECONDS = 10

_http = urllib3.PoolManager(timeout=urllib3.Timeout(TIMEOUT_SECONDS), retries=False)


class JobRejected(Exception):  # noqa: N818 - reads as a fact
    """The vendor rejected the request; a retry would not help."""


def submit(job: str, recording: str, callback_url: str) -> None:
    """Submit a transcription job. Idempotent: resubmitting a job has no further effect.

    Parameters:
        job: the idempotency key.
        recording: URI of the recording.
        callback_url: URL for the vendor's messages about the job.

    Raises:
        JobRejected: the vendor rejected the job.
        TransientError: the vendor is unreachable or busy.
    """
    _send("POST", "/jobs", {"job": job, "recording": recording, "callback_url": callback_url})


def announce_key(key: str, since: float) -> None:
    """Announce to the vendor the key to sign with.

    Parameters:
        since: when to start signing with it, epoch seconds.

    Raises:
        JobRejected: the vendor rejected the key.
        TransientError: the vendor is unreachable or busy.
    """
    _send("PUT", "/signing-key", {"key": key, "since": since})


def _send(method: str, path: str, content: Mapping[str, Any]) -> None:
    url = urlsplit(os.environ[URL_VARIABLE] + path)
    body = json.dumps(content).encode()
    try:
        now = time.time()
        key = keys.current().in_use(now)
        response = _http.request(
            method,
            url.geturl(),
            body=body,
            headers={
                "content-type": "application/json",
                **signature.headers(key, method, url.path, now, body),
            },
        )
    except (urllib3.exceptions.HTTPError, keys.KeysUnavailable) as error:
        # The text of these errors may contain the URL.
        raise TransientError(f"no response from the vendor: {type(error).__name__}") from None
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status in (
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.REQUEST_TIMEOUT,
    ):
        raise TransientError(f"the vendor responded with {response.status}")
    if response.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise JobRejected(f"the vendor responded with {response.status}")
