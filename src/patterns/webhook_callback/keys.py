"""Load the signing keys from Secrets Manager.

The secret holds the current key, the previous one, and the time at which the vendor switches from
one to the other. Both keys are accepted until an hour after that switch, so a rotation never causes
a rejected request. Keys are cached in memory for five minutes.

A signature that doesn't match may come from a stranger, or from a vendor whose key we don't know
yet. Only fresh keys tell the two apart, and a stranger must not make us fetch them without limit.
So they are fetched at most once a minute for this reason. A request that doesn't match, and for
which they can't be fetched, is neither accepted nor rejected: `KeysUnavailable` makes the endpoint
respond 503, so the vendor retries. That is what is left to strangers: in the minute after each
fetch they get a 503 where they deserve a 401.

After a fetch that failed, none is made for five seconds. Each execution environment counts for
itself.
"""

from __future__ import annotations

import os
import time
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, Field, ValidationError

from patterns.transient import HTTP_CLIENT, name_of

SECRET_VARIABLE = "SIGNING_SECRET"  # noqa: S105 - the name of a variable
"""Environment variable with the secret's ARN or name."""
CACHE_SECONDS = 300
REFRESH_SECONDS = 60
FAILURE_SECONDS = 5
"""How long a failed fetch is remembered: the vendor's retry finds the keys soon after an outage."""
OVERLAP_SECONDS = 3600
MIN_KEY_LENGTH = 32

secrets_manager = boto3.client("secretsmanager", config=HTTP_CLIENT)


class Keys(BaseModel):
    """The secret's content, as JSON.

    Parameters:
        current: the key to sign with from `since` on; at least 32 characters.
        since: when signing with the current key starts, epoch seconds.
        previous: the key to sign with before `since`; None before the first rotation.
    """

    current: str = Field(min_length=MIN_KEY_LENGTH, repr=False)
    since: float = 0
    previous: str | None = Field(default=None, min_length=MIN_KEY_LENGTH, repr=False)

    def in_use(self, now: float) -> str:
        """Return the key to sign with at time `now`, epoch seconds."""
        return self.previous if self.previous and now < self.since else self.current

    def accepted(self, now: float) -> list[str]:
        """Return the keys whose signatures are accepted at time `now`, epoch seconds."""
        if self.previous and now < self.since + OVERLAP_SECONDS:
            return [self.current, self.previous]
        return [self.current]


class KeysUnavailable(Exception):  # noqa: N818 - reads as a fact
    """The keys can't be read now, or not again so soon, so the request can't be verified."""


class _Memory:
    """The cache of this execution environment; times in epoch seconds."""

    keys: Keys | None = None
    fetched = refreshed = failed = float("-inf")
    failure = ""


def forget() -> None:
    """Clear the cache, as in a new execution environment."""
    _Memory.keys, _Memory.failure = None, ""
    _Memory.fetched = _Memory.refreshed = _Memory.failed = float("-inf")


def current() -> Keys:
    """Return the keys, from the cache if possible.

    Raises:
        KeysUnavailable: they can't be read.
    """
    if _Memory.keys and _is_within(CACHE_SECONDS, _Memory.fetched):
        return _Memory.keys
    return _fetch()


def refreshed() -> Keys:
    """Fetch the keys again, because a signature doesn't match the ones that are cached.

    Raises:
        KeysUnavailable: they can't be read, or were fetched for this reason less than a minute ago.
    """
    if _is_within(REFRESH_SECONDS, _Memory.refreshed):
        raise KeysUnavailable("the keys were fetched again less than a minute ago")
    keys = _fetch()
    # Only now: after a failed fetch, the next request has to try again.
    _Memory.refreshed = time.time()
    return keys


def _is_within(seconds: float, since: float) -> bool:
    # A clock that was set back must not extend the time.
    return 0 <= time.time() - since < seconds


def _fetch() -> Keys:
    if _is_within(FAILURE_SECONDS, _Memory.failed):
        raise KeysUnavailable(_Memory.failure)
    try:
        _Memory.keys = Keys.model_validate_json(_read())
    except (ClientError, BotoCoreError) as error:
        raise _remembered(f"the secret can't be read: {name_of(error)}") from None
    except ValidationError:
        # The error's text would quote the secret.
        raise _remembered("the secret holds no valid keys") from None
    _Memory.fetched = time.time()
    return _Memory.keys


def _read() -> str:
    response: Any = secrets_manager.get_secret_value(
        SecretId=os.environ[SECRET_VARIABLE], VersionStage="AWSCURRENT"
    )
    # A binary secret has no text, and no valid keys either.
    return str(response.get("SecretString", ""))


def _remembered(failure: str) -> KeysUnavailable:
    _Memory.failed, _Memory.failure = time.time(), failure
    return KeysUnavailable(failure)
