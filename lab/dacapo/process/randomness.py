"""Randomness of a run, all of it from the seed: IDs, tokens, `random`, `uuid` and `os.urandom`."""

from __future__ import annotations

import base64
import hashlib
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch
from uuid import UUID

from dacapo.process.active_run import ACTIVE


def identifier(*parts: object) -> str:
    """Return an ID derived from `parts`: 44 characters of `[A-Za-z0-9+/=]`, as in callback IDs."""
    return base64.b64encode(_digest(parts)).decode()


def uuid_from(*parts: object) -> str:
    """Return a UUID derived from `parts`."""
    return str(UUID(bytes=_digest(parts)[:16], version=4))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Context manager that seeds `random`, `uuid4`, `secrets` and `os.urandom`.

    On exit it restores the state of the global generator.
    """
    state = random.getstate()
    source = random.Random(f"bytes {seed}")  # noqa: S311 - must be reproducible
    random.seed(f"random {seed}")
    try:
        # `random` holds a reference of its own to os.urandom; `secrets` reads through it.
        with (
            ACTIVE.serving(seed=seed, random_bytes=source),
            patch.object(os, "urandom", source.randbytes),
            patch.object(random, "_urandom", source.randbytes),
        ):
            yield
    finally:
        random.setstate(state)


@contextmanager
def seeded_for(*parts: object) -> Iterator[None]:
    """Context manager that reseeds randomness from the run's seed and `parts`.

    With it, an attempt of a step draws the same values no matter how often the handler around it
    has run. Outside a run it does nothing.
    """
    seed, source = ACTIVE.seed, ACTIVE.random_bytes
    if source is None:
        yield
        return
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
