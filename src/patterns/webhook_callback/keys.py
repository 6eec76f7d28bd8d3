"""The keys that requests are signed with, from Secrets Manager.

The secret holds the current key, the one before it, and when the agency changes from one to the
other. Both count until an hour after that, so no request is refused for a rotation. Keys are kept
in memory for some minutes; a signature that does not match has them fetched again, but not more
often than once a minute, whoever sends how many wrong ones.
"""

from __future__ import annotations

import os
import time

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from pydantic import BaseModel, Field, ValidationError

SECRET_VARIABLE = "SIGNING_SECRET"  # noqa: S105 - the name of a variable
"""Names the environment variable that holds the secret's ARN or name."""
KEPT_SECONDS = 300
REFRESH_SECONDS = 60
OVERLAP_SECONDS = 3600
SHORTEST_KEY = 32

provider = SecretsProvider()


class Keys(BaseModel):
    """What the secret holds, as JSON.

    Parameters:
        since: when the current key is first signed with, epoch seconds.
    """

    current: str = Field(min_length=SHORTEST_KEY, repr=False)
    since: float = 0
    previous: str | None = Field(default=None, min_length=SHORTEST_KEY, repr=False)

    def in_use(self, now: float) -> str:
        """The key to sign with at a moment, epoch seconds."""
        return self.previous if self.previous and now < self.since else self.current

    def accepted(self, now: float) -> list[str]:
        """The keys that count at a moment, epoch seconds."""
        if self.previous and now < self.since + OVERLAP_SECONDS:
            return [self.current, self.previous]
        return [self.current]


class KeysUnavailable(Exception):  # noqa: N818 - says what it is
    """The secret can't be read, or does not hold keys: nobody can be let in."""


class _Refresh:
    """When the keys were last fetched for a signature that did not match, epoch seconds."""

    latest = float("-inf")


def forget() -> None:
    """Start as a new environment does: with no key in memory."""
    provider.store.clear()
    _Refresh.latest = float("-inf")


def current() -> Keys:
    """The keys, from memory if they are there.

    Raises:
        KeysUnavailable: they can't be read.
    """
    return _fetch(force=False)


def refreshed() -> Keys | None:
    """The keys, fetched anew; None if that was done less than a minute ago.

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
            max_age=KEPT_SECONDS,
            force_fetch=force,
            VersionStage="AWSCURRENT",
        )
        return Keys.model_validate_json(str(text))
    except GetParameterError:
        raise KeysUnavailable("the secret can't be read") from None
    except ValidationError:
        # Its text would quote the secret.
        raise KeysUnavailable("the secret does not hold keys") from None
