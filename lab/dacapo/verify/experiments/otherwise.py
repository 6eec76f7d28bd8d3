"""Ways in which a sandbox may differ from another one, each alone: for `sensitivity`.

`changed(kind, 0)` is a sandbox in which the source is fixed, so that two replays are equal, and
each other number is one in which it is something else. What is replaced is replaced wherever the
user's code has it, also where it was imported by name.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import builtins
import concurrent.futures
import os
import platform
import random
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dacapo.process import own_threads
from dacapo.process.active_run import ACTIVE
from dacapo.process.own_threads import Origin
from dacapo.process.thread_order import ThreadOrder
from dacapo.process.user_modules import replacing
from dacapo.scenario import Scenario
from dacapo.scheduling import waits
from dacapo.service import quotas
from dacapo.service.functions import InvocationIdentity
from dacapo.service.invocations import Conditions
from dacapo.simulation import runner
from dacapo.simulation.simulation import Simulation
from dacapo.verify.observe.effects import is_of_handler, is_own
from dacapo.verify.observe.sources import Kind

_REMAINING = (
    quotas.INVOCATION,
    *(
        timedelta(minutes=7),
        timedelta(seconds=20),
        timedelta(seconds=2),
        timedelta(milliseconds=50),
    ),
)
"""Time that is left of an invocation: all of it, and ever less."""
_ADDRESS, _OBJECT = 0x7F00_0000_0000, 16
"""Where the first object is, and how far the next one is from it."""
_SALT = 0x5555_5555_5555_5555


@contextmanager
def as_the_run_left_it(scenario: Scenario, seed: int) -> Iterator[None]:
    """Context manager with a scenario's world after a run, in a simulation with no execution."""
    start, region, account = scenario.start, scenario.region, scenario.account
    simulation = Simulation(seed, start, region=region, account=account)
    with simulation.running(), scenario.build_world() as world:
        runner.run_under(
            Conditions(), replace(scenario, world=lambda: nullcontext(world)), seed=seed
        )
        yield


class _Names:
    """Names from a seed, where `tempfile` takes its seed from the operating system.

    Parameters:
        seed: the names that it gives.
    """

    _LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_"

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"names {seed}")  # noqa: S311 - reproducible

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return "".join(self._random.choices(self._LETTERS, k=8))


@contextmanager
def temporary_names(seed: int) -> Iterator[None]:
    """Context manager in which `tempfile` draws the names of a seed, in a folder that is empty."""
    folder = Path(tempfile.gettempdir()) / f"dacapo-replays-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with (
            patch.object(tempfile, "tempdir", str(folder)),
            patch.object(tempfile, "_name_sequence", _Names(seed)),
        ):
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def changed(kind: Kind, number: int) -> AbstractContextManager[None]:
    """Return a context manager that changes one source."""
    return CHANGES[kind](number)


@contextmanager
def _another_sandbox(number: int) -> Iterator[None]:
    identity = InvocationIdentity(
        f"8d3f0b3e-0000-4000-8000-{number:012}",
        f"2026/01/01/[1]{number:032x}",
        lambda: _REMAINING[number % len(_REMAINING)],
    )
    variables = {
        "AWS_LAMBDA_LOG_STREAM_NAME": identity.log_stream,
        "_X_AMZN_TRACE_ID": f"Root=1-5759e988-{number:024x};Parent={number:016x};Sampled=0",
        "HOSTNAME": f"169-254-{number}-21",
    }
    host = f"169-254-{number}-21.localdomain"
    with ExitStack() as stack:
        stack.enter_context(ACTIVE.serving(identity=identity))
        stack.enter_context(patch.dict(os.environ, variables))
        for owner, function, value in (
            (os, os.getpid, 8 + number),
            (os, os.getppid, 1 + number),
            (os, os.uname, _named(host)),
            (socket, socket.gethostname, host),
            (socket, socket.getfqdn, host),
            (platform, platform.node, host),
        ):
            stack.enter_context(replacing(owner, function, _constant(value)))
        yield


@contextmanager
def _listings(number: int) -> Iterator[None]:
    is_reversed = number > 0

    def listdir(path: Any = ".") -> list[Any]:
        return sorted(really_listdir(path), reverse=is_reversed)

    really_listdir, really_scandir = os.listdir, os.scandir

    def scandir(path: Any = ".") -> _Entries:
        with really_scandir(path) as entries:
            return _Entries(sorted(entries, key=lambda one: str(one.name), reverse=is_reversed))

    with replacing(os, os.listdir, listdir), replacing(os, os.scandir, scandir):
        yield


class _Entries:
    """The entries of a folder, as `os.scandir` returns them."""

    def __init__(self, entries: list[os.DirEntry[Any]]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[os.DirEntry[Any]]:
        return self._entries

    def __next__(self) -> os.DirEntry[Any]:
        return next(self._entries)

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the folder was read when it was opened."""

    def close(self) -> None:
        """Do nothing: the folder was read when it was opened."""


@contextmanager
def _completions(number: int) -> Iterator[None]:
    is_reversed = number > 0

    def arrange(those: Iterable[Any]) -> list[Any]:
        things = list(dict.fromkeys(those))
        return things[::-1] if is_reversed else things

    def imap_unordered(
        self: Pool, function: Callable[..., Any], values: Iterable[Any], chunksize: int = 1
    ) -> Iterator[Any]:
        results = self.map(function, values, chunksize)
        return iter(results[::-1] if is_reversed else results)

    order = ThreadOrder(is_reversed=is_reversed)
    with (
        _futures_in(arrange),
        _tasks_in(arrange),
        patch.object(Pool, "imap_unordered", imap_unordered),
        own_threads.following(_origin_here, is_own, order),
    ):
        yield


_Arrange = Callable[[Iterable[Any]], list[Any]]


@contextmanager
def _futures_in(arrange: _Arrange) -> Iterator[None]:
    def as_completed(fs: Iterable[Any], timeout: float | None = None) -> Iterator[Any]:
        ordered = arrange(fs)
        really_wait(ordered, timeout)
        yield from ordered

    def wait(
        fs: Iterable[Any], timeout: float | None = None, return_when: str = "ALL_COMPLETED"
    ) -> Any:
        ordered = arrange(fs)
        result = really_wait(ordered, timeout)
        if return_when == futures.ALL_COMPLETED or result.not_done:
            return result
        return type(result)(set(ordered[:1]), set(ordered[1:]))

    really_as_completed, really_wait = futures.as_completed, futures.wait
    with ExitStack() as stack:
        for owner in (concurrent.futures, futures._base):  # noqa: SLF001
            stack.enter_context(replacing(owner, really_as_completed, as_completed))
            stack.enter_context(replacing(owner, really_wait, wait))
        yield


@contextmanager
def _tasks_in(arrange: _Arrange) -> Iterator[None]:
    def as_completed(fs: Iterable[Any], *, timeout: float | None = None) -> Iterator[Any]:
        _ = timeout
        return iter(arrange([asyncio.ensure_future(one) for one in fs]))

    async def wait(
        fs: Iterable[Any], *, timeout: float | None = None, return_when: str = "ALL_COMPLETED"
    ) -> Any:
        ordered = arrange(fs)
        done, others = await really_wait(ordered, timeout=timeout)
        if return_when == asyncio.ALL_COMPLETED or others:
            return done, others
        return set(ordered[:1]), set(ordered[1:])

    really_as_completed, really_wait = asyncio.tasks.as_completed, asyncio.tasks.wait
    with ExitStack() as stack:
        for owner in (asyncio, asyncio.tasks):
            stack.enter_context(replacing(owner, really_as_completed, as_completed))
            stack.enter_context(replacing(owner, really_wait, wait))
        yield


def _origin_here() -> Origin | None:
    return Origin(None) if is_of_handler(sys._getframe(1)) else None  # noqa: SLF001


@contextmanager
def _identities(number: int) -> Iterator[None]:
    met: dict[int, tuple[int, object]] = {}

    def other_id(thing: object) -> int:
        # In order of appearance: real addresses are never the same twice.
        place, _ = met.setdefault(id(thing), (len(met), thing))
        return _ADDRESS - _OBJECT * place - 1 if number > 0 else _ADDRESS + _OBJECT * place

    def other_hash(thing: object) -> int:
        if isinstance(thing, str | bytes | tuple | frozenset):
            return hash(thing) ^ (_SALT if number > 0 and _is_salted(thing) else 0)
        is_address = type(thing).__hash__ is object.__hash__
        return other_id(thing) // _OBJECT if is_address else hash(thing)

    with replacing(builtins, id, other_id), replacing(builtins, hash, other_hash):
        yield


def _is_salted(thing: object) -> bool:
    """Return whether the hash of a value differs between processes."""
    if isinstance(thing, tuple | frozenset):
        return any(map(_is_salted, thing))
    return isinstance(thing, str | bytes) or type(thing).__hash__ is object.__hash__


def _named(host: str) -> os.uname_result:
    system, _, *others = os.uname()
    return os.uname_result((system, host, *others))


def _constant(value: Any) -> Callable[..., Any]:
    return lambda *_: value


@contextmanager
def _clocks(number: int) -> Iterator[None]:
    later = number * 4_321.25

    def seconds() -> float:
        return waits.monotonic() + later

    def nanoseconds() -> int:
        return round(seconds() * 1e9)

    with ExitStack() as stack:
        for function, other in (
            *((time.monotonic, seconds), (time.perf_counter, seconds)),
            *((time.monotonic_ns, nanoseconds), (time.perf_counter_ns, nanoseconds)),
        ):
            stack.enter_context(replacing(time, function, other))
        yield


CHANGES: dict[Kind, Callable[[int], AbstractContextManager[None]]] = {
    "clock": _clocks,
    "context": _another_sandbox,
    "listing": _listings,
    "completion": _completions,
    "identity": _identities,
}
"""What can be changed apart from the world, the clock and randomness, which a simulation has."""
