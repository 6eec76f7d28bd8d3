"""The experiments in a process of their own, so that no handler can take the verifier down.

A handler may loop for ever, or end the process that it is in. What was found until then is kept,
and where it was stopped is told.
"""

from __future__ import annotations

import faulthandler
import gc
import multiprocessing
import os
import re
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from dacapo import places
from dacapo.places import Place
from dacapo.verify.findings import PROVED, Code, Finding

Tell = Callable[[Any], None]
PATIENCE_SECONDS = 60.0
"""How long nothing may be heard of the experiments: a run, or a replay, takes far less."""
_LONGEST_TRACE_SECONDS = 5
_FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+) in ')


@dataclass(frozen=True)
class Stopped:
    """It was ended by the handler, or had to be: what is told then, and nothing after it."""

    finding: Finding


@dataclass(frozen=True)
class _Guarded:
    """Something that is done in a process of its own."""

    process: ForkProcess
    ours: Connection
    trace: Path


def told(
    makes: Sequence[Callable[[Tell], None]], patience: float = PATIENCE_SECONDS
) -> Iterator[tuple[int, Any]]:
    """Do things at the same time, each in a process of its own, and give what they tell.

    Where a process can't be forked, they are done in this one, without a guard.

    Parameters:
        makes: each is given what it tells things with; they have to be picklable.
        patience: seconds without a word after which one is stopped.

    Returns:
        What is told, with the number of who tells it; `Stopped` if it was.

    Raises:
        Exception: what one of them raised.
    """
    if not hasattr(os, "fork"):
        for number, make in enumerate(makes):
            said: list[Any] = []
            make(said.append)
            yield from ((number, content) for content in said)
        return
    with tempfile.TemporaryDirectory() as folder:
        guarded = [_start(make, Path(folder, str(n))) for n, make in enumerate(makes)]
        try:
            yield from _heard(dict(enumerate(guarded)), patience)
        finally:
            for one in guarded:
                one.process.kill()
                one.process.join()
                one.ours.close()


def _start(make: Callable[[Tell], None], trace: Path) -> _Guarded:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=_make, args=(make, theirs, trace), daemon=True
    )
    with warnings.catch_warnings():
        # Other threads of this process (a test runner's) hold nothing that the other needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        gc.freeze()  # so that collecting does not copy every page into the new process
        try:
            process.start()
        finally:
            gc.unfreeze()
    theirs.close()
    return _Guarded(process, ours, trace)


def _heard(waiting: dict[int, _Guarded], patience: float) -> Iterator[tuple[int, Any]]:
    heard = dict.fromkeys(waiting, time.monotonic())
    while waiting:
        left = min(heard[number] for number in waiting) + patience - time.monotonic()
        ready = wait([one.ours for one in waiting.values()], max(0, left))
        for number, one in list(waiting.items()):
            if one.ours in ready:
                heard[number] = time.monotonic()
                told = _receive(one)
            elif time.monotonic() - heard[number] >= patience:
                told = Stopped(_silent(one, patience))
            else:
                continue
            if told is None or isinstance(told, Stopped):
                del waiting[number]
            if told is not None:
                yield number, told


def _receive(one: _Guarded) -> Any:
    """What one tells; None if it is done."""
    try:
        kind, content = one.ours.recv()
    except EOFError:
        one.process.join()
        message = f"the handler ends its process, with exit status {one.process.exitcode}"
        return Stopped(Finding(Code.DIED, PROVED, message, ""))
    if kind == "raised":
        raise content
    return content


def _make(make: Callable[[Tell], None], theirs: Connection, trace: Path) -> None:
    with trace.open("w") as file:
        faulthandler.register(signal.SIGUSR1, file=file, all_threads=True)
        try:
            make(lambda content: theirs.send(("told", content)))
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            _send_error(theirs, error)
        else:
            theirs.send(("done", None))
        os._exit(0)  # what the parent registered to be done at its exit is not ours to do


def _send_error(theirs: Connection, error: BaseException) -> None:
    try:
        theirs.send(("raised", error))
    except Exception:  # noqa: BLE001 - an error that can't be pickled
        theirs.send(("raised", RuntimeError(f"{type(error).__name__}: {error}")))


def _silent(one: _Guarded, patience: float) -> Finding:
    os.kill(one.process.pid or 0, signal.SIGUSR1)
    deadline = time.monotonic() + _LONGEST_TRACE_SECONDS
    while not one.trace.read_text() and time.monotonic() < deadline:
        one.process.join(0.05)
    found = (
        Place(match["file"], int(match["line"]))
        for match in _FRAME.finditer(one.trace.read_text())
        if places.is_users_file(match["file"])
    )
    message = f"nothing happens for {patience:g} s: the handler was stopped"
    return Finding(Code.STUCK, PROVED, message, "", next(found, None))
