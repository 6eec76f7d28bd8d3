"""The third party: an agency that transcribes recordings, and calls a URL when it is through.

Its API takes a job twice under one idempotency key as one job. Requests to it are signed with the
same key as its requests to us.
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
"""Names the environment variable that holds where the agency's API is."""
TIMEOUT_SECONDS = 10

_http = urllib3.PoolManager(timeout=urllib3.Timeout(TIMEOUT_SECONDS), retries=False)


class JobRefused(Exception):  # noqa: N818 - says what it is
    """The agency refuses the request, and would refuse it again."""


def submit(job: str, recording: str, callback_url: str) -> None:
    """Order a transcript; the same job again is the same job.

    Parameters:
        job: the idempotency key.
        recording: where the recording is.
        callback_url: where the agency says how it goes.

    Raises:
        JobRefused: the agency does not want it.
        TransientError: the agency can't be reached now.
    """
    _send("POST", "/jobs", {"job": job, "recording": recording, "callback_url": callback_url})


def announce_key(key: str, since: float) -> None:
    """Tell the agency the key that it has to sign with from a moment on.

    Parameters:
        since: epoch seconds.

    Raises:
        JobRefused, TransientError: as above.
    """
    _send("PUT", "/signing-key", {"key": key, "since": since})


def _send(method: str, path: str, content: Mapping[str, Any]) -> None:
    url = urlsplit(os.environ[URL_VARIABLE] + path)
    body = json.dumps(content).encode()
    try:
        now = time.time()
        key = keys.current().in_use(now)
        answer = _http.request(
            method,
            url.geturl(),
            body=body,
            headers={
                "content-type": "application/json",
                **signature.headers(key, method, url.path, now, body),
            },
        )
    except (urllib3.exceptions.HTTPError, keys.KeysUnavailable) as error:
        # The text of these errors may name the URL.
        raise TransientError(f"no answer from the agency: {type(error).__name__}") from None
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in (
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.REQUEST_TIMEOUT,
    ):
        raise TransientError(f"the agency answers {answer.status}")
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise JobRefused(f"the agency answers {answer.status}")
