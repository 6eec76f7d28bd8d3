"""Randomness of a run, all of it from the seed: IDs, tokens, `random`, `uuid` and `os.urandom`."""

from __future__ import annotations

import _random
import base64
import hashlib
import os
import random
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
from unittest.mock import patch
from uuid import UUID

from dacapo.process.active_run import ACTIVE
from dacapo.process.source_lines import is_user_file

_real_urandom = os.urandom
_GLOBAL: Any = random.getstate.__self__  # type: ignore[attr-defined]
"""The generator behind the functions of `random`."""


def identifier(*parts: object) -> str:
    """Return an ID derived from `parts`: 44 characters of `[A-Za-z0-9+/=]`, as in callback IDs."""
    return base64.b64encode(_digest(parts)).decode()


def uuid_from(*parts: object) -> str:
    """Return a UUID derived from `parts`."""
    return str(UUID(bytes=_digest(parts)[:16], version=4))


class Stream:
    """The randomness of one task: what it draws depends on its seed, not on other tasks.

    `random` has one generator for the whole process. So a task that goes on puts its state there,
    and takes it back when it waits.

    Parameters:
        parts: its seed.
    """

    __slots__ = ("_bytes", "_gauss", "_parts", "_state")

    def __init__(self, *parts: object) -> None:
        self._parts = parts
        self._state: array[int] | None = None
        self._gauss: float | None = None
        self._bytes: random.Random | None = None

    def enter(self) -> None:
        """Make this the randomness of the process."""
        ACTIVE.stream = self
        if self._state is None:
            random.seed(f"random {self._parts}")
        else:
            # The methods of the C class: those of `Random` convert the state, which is slow.
            _random.Random.setstate(_GLOBAL, tuple(self._state))
            _GLOBAL.gauss_next = self._gauss

    def leave(self) -> None:
        """Keep the state, so that another stream can take its place."""
        # Packed: as a tuple of numbers, it takes as much memory as all else of a waiting branch.
        self._state = array("I", _random.Random.getstate(_GLOBAL))
        self._gauss = _GLOBAL.gauss_next

    def restart(self, *parts: object) -> None:
        """Continue from another seed; the stream must be the randomness of the process."""
        self._parts = parts
        self._bytes = None
        random.seed(f"random {parts}")

    def draw(self, length: int) -> bytes:
        """Return random bytes."""
        if self._bytes is None:
            self._bytes = random.Random(f"bytes {self._parts}")  # noqa: S311 - reproducible
        return self._bytes.randbytes(length)


@contextmanager
def seeded(seed: int, stream: Stream) -> Iterator[None]:
    """Context manager that seeds `random`, `uuid4`, `secrets` and `os.urandom`.

    On exit it restores the state of the global generator.

    Parameters:
        seed: seed of the run.
        stream: the randomness to begin with.
    """
    state = random.getstate()
    try:
        # `random` holds a reference of its own to os.urandom; `secrets` reads through it.
        with (
            ACTIVE.serving(seed=seed, stream=stream),
            patch.object(os, "urandom", urandom),
            patch.object(random, "_urandom", urandom),
        ):
            stream.enter()
            yield
    finally:
        random.setstate(state)


def reseed(*parts: object) -> None:
    """Continue the current task's randomness from the run's seed and `parts`.

    Called before each attempt of a step: it then draws the same values, and its retry gets the same
    jitter, no matter how often the handler around it has run. Outside a run it does nothing.
    """
    if ACTIVE.stream is not None:
        ACTIVE.stream.restart(ACTIVE.seed, *parts)


def urandom(length: int) -> bytes:
    """Return random bytes of the current task, in place of `os.urandom`.

    A library that is imported meanwhile gets real ones: what it draws outlives the run. Two runs
    with one seed would give two of them the same ID; moto, for example, has one for each service,
    and takes services with equal IDs for one.
    """
    if _library_is_imported(sys._getframe(1)):  # noqa: SLF001 - the documented way
        return _real_urandom(length)
    drawn: bytes = ACTIVE.stream.draw(length)
    return drawn


def _library_is_imported(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    if frame is None or frame.f_back is None or is_user_file(frame.f_code.co_filename):
        return False
    return frame.f_back.f_code.co_filename.startswith("<frozen importlib")


def _digest(parts: tuple[object, ...]) -> bytes:
    return hashlib.sha256("/".join(map(str, parts)).encode()).digest()
