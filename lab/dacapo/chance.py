"""Everything random in a run comes from its seed: ids, tokens, what `random` and `uuid` give."""

from __future__ import annotations

import base64
import hashlib
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch
from uuid import UUID


def identifier(*parts: object) -> str:
    """An id made of `parts`, 44 characters of `[A-Za-z0-9+/=]`: the alphabet of callback ids."""
    return base64.b64encode(_digest(parts)).decode()


def uuid_from(*parts: object) -> str:
    """A UUID made of `parts`."""
    return str(UUID(bytes=_digest(parts)[:16], version=4))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """While this lasts, `random`, `uuid4`, `secrets` and `os.urandom` give what the seed says.

    The state of the global generator is put back afterwards.
    """
    state = random.getstate()
    bytes_from = random.Random(f"bytes {seed}").randbytes  # noqa: S311 - to be the same again
    random.seed(f"random {seed}")
    try:
        # `random` keeps a name of its own for os.urandom; `secrets` reads through it.
        with patch.object(os, "urandom", bytes_from), patch.object(random, "_urandom", bytes_from):
            yield
    finally:
        random.setstate(state)


def _digest(parts: tuple[object, ...]) -> bytes:
    return hashlib.sha256("/".join(map(str, parts)).encode()).digest()
