"""Load the signing keys from Secrets Manager.

The secret holds the current key, the previous one, and the time at which the vendor switches from
one to the other. Both keys are accepted until an hour after that switch, so a rotation never causes
a rejected request. Keys are cached in memory for five minutes. A signature that does not match
triggers a refresh, at most once a minute, however many bad signatures arrive.
"""

from __future__ import annotations

import os
import time

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from pydantic import BaseModel, Field, ValidationError

SECRET_VARIABLE = "SIGNING_SECRET"  # noqa: S105 - the name of a variable
"""Environment variable with the secret's ARN or name."""
CACHE_SECONDS = 300
REFRESH_SECONDS = 60
OVERLAP_SECONDS = 3600
MIN_KEY_LENGTH = 32

provider = SecretsProvider()


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
    """The secret can't be read or holds no valid keys, so no request can be verified."""


class _Refresh:
    """Time of the latest refresh caused by a bad signature, epoch seconds."""

    latest = float("-inf")


def forget() -> None:
    """Clear the cache, as in a new execution environment."""
    provider.store.clear()
    _Refresh.latest = float("-inf")


def current() -> Keys:
    """Return the keys, from the cache if possible.

    Raises:
        KeysUnavailable: they can't be read.
    """
    return _fetch(force=False)


def refreshed() -> Keys | None:
    """Fetch the keys again; return None if the latest refresh was less than a minute ago.

    Raises:
        KeysUnavailable: they can't be read.
    """
    if 0 <= time.time() - _Refresh.latest < REFRESH_SECONDS:
        return None
    _Refresh.latest = time.time()
    return _fetch(force=True)


def _fetch(*, force: bool) -> Keys:
    try:
        text = provider.get(
            os.environ[SECRET_VARIABLE],
            max_age=CACHE_SECONDS,
            force_fetch=force,
            VersionStage="AWSCURRENT",
        )
        return Keys.model_validate_json(str(text))
    except GetParameterError:
        raise KeysUnavailable("the secret can't be read") from None
    except ValidationError:
        # The error's text would quote the secret.
        raise KeysUnavailable("the secret holds no valid keys") from None
