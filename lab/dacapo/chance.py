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

_sources: list[tuple[int, random.Random]] = []
"""The seeds of the runs that are under way, and where their bytes come from."""


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
    source = random.Random(f"bytes {seed}")  # noqa: S311 - to be the same again
    random.seed(f"random {seed}")
    _sources.append((seed, source))
    try:
        # `random` keeps a name of its own for os.urandom; `secrets` reads through it.
        give = source.randbytes
        with patch.object(os, "urandom", give), patch.object(random, "_urandom", give):
            yield
    finally:
        _sources.pop()
        random.setstate(state)


@contextmanager
def drawn_for(*parts: object) -> Iterator[None]:
    """While this lasts, chance gives what the seed and `parts` say, whatever was drawn before.

    So the attempt of a step draws the same however often the handler around it was run. Outside of
    a run it changes nothing.
    """
    if not _sources:
        yield
        return
    seed, source = _sources[-1]
    states = random.getstate(), source.getstate()
    random.seed(f"random {seed} {parts}")
    source.seed(f"bytes {seed} {parts}")
    try:
        yield
    finally:
        random.setstate(states[0])
        source.setstate(states[1])


def _digest(parts: tuple[object, ...]) -> bytes:
    return hashlib.sha256("/".join(map(str, parts)).encode()).digest()
