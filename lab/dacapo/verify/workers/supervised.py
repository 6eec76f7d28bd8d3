"""Workers in processes of their own, supervised, so that no handler can take the verifier down.

A handler may loop for ever, or end the process that it is in. What a worker sent until then is
kept, and where it was stopped is reported.
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
from typing import Generic, TypeVar

from dacapo.process import source_lines
from dacapo.process.source_lines import Place
from dacapo.verify.findings import Code

PATIENCE_SECONDS = 60.0
"""How long a worker may be silent: a run, or a replay, takes far less."""
_LONGEST_TRACE_SECONDS = 5
_FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+) in ')

_R = TypeVar("_R")


@dataclass(frozen=True)
class Progress:
    """A worker goes on with something.

    Parameters:
        name: what it works on.
    """

    name: str


@dataclass(frozen=True)
class Result(Generic[_R]):
    """A worker finished a part of its work."""

    content: _R


@dataclass(frozen=True)
class Stopped:
    """The handler ended the worker, or the worker had to be stopped; nothing comes after this.

    Parameters:
        code: `died` or `stuck`.
        message: how it ended.
        place: the line of the user's code that it was at, if that is known.
    """

    code: Code
    message: str
    place: Place | None = None


Message = Progress | Result[_R] | Stopped
Send = Callable[[Progress | Result[_R]], None]
Work = Callable[[Send[_R]], None]
"""Does the work of one process, and sends what it comes to."""


@dataclass(frozen=True)
class _Sent:
    """On the wire: a message of the work itself."""

    message: object


@dataclass(frozen=True)
class _Raised:
    """On the wire: the work raised an error, which ends the worker."""

    error: BaseException


@dataclass(frozen=True)
class _Finished:
    """On the wire: the work is done, which ends the worker."""


@dataclass(frozen=True)
class _Worker:
    process: ForkProcess
    connection: Connection
    trace: Path
    """Where the stack is written of a worker that is silent."""


def supervise(
    works: Sequence[Work[_R]], patience: float = PATIENCE_SECONDS
) -> Iterator[tuple[int, Message[_R]]]:
    """Run several works at the same time, each in a process of its own.

    Where a process cannot be forked (Windows), they run in this one, one after the other and
    without supervision.

    Parameters:
        works: each receives the function to send its messages with; messages must be picklable.
        patience: seconds without a message after which a worker is stopped.

    Returns:
        Messages as they arrive, each with the number of the work that it is from.

    Raises:
        Exception: what one of the works raised.
    """
    if not hasattr(os, "fork"):
        for number, work in enumerate(works):
            messages: list[Progress | Result[_R]] = []
            work(messages.append)
            yield from ((number, message) for message in messages)
        return
    with tempfile.TemporaryDirectory() as folder:
        workers = [_start(work, Path(folder, str(number))) for number, work in enumerate(works)]
        try:
            yield from _messages(dict(enumerate(workers)), patience)
        finally:
            for worker in workers:
                worker.process.kill()
                worker.process.join()
                worker.connection.close()


def _start(work: Work[_R], trace: Path) -> _Worker:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=_be_worker, args=(work, theirs, trace), daemon=True
    )
    with warnings.catch_warnings():
        # Other threads of this process (a test runner's) hold nothing that the worker needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        gc.freeze()  # so that collecting does not copy every page into the new process
        try:
            process.start()
        finally:
            gc.unfreeze()
    theirs.close()
    return _Worker(process, ours, trace)


def _messages(running: dict[int, _Worker], patience: float) -> Iterator[tuple[int, Message[_R]]]:
    heard = dict.fromkeys(running, time.monotonic())
    while running:
        left = min(heard[number] for number in running) + patience - time.monotonic()
        ready = wait([worker.connection for worker in running.values()], max(0, left))
        for number, worker in list(running.items()):
            if worker.connection in ready:
                heard[number] = time.monotonic()
                message = _receive(worker)
            elif time.monotonic() - heard[number] >= patience:
                message = _stop(worker, patience)
            else:
                continue
            match message:
                case _Finished():
                    del running[number]
                case _Raised(error=error):
                    raise error
                case Stopped():
                    del running[number]
                    yield number, message
                case _Sent(message=own):
                    yield number, own  # type: ignore[misc]  # pickling loses the type


def _receive(worker: _Worker) -> _Sent | _Raised | _Finished | Stopped:
    try:
        message: _Sent | _Raised | _Finished = worker.connection.recv()
    except EOFError:
        worker.process.join()
        status = worker.process.exitcode
        return Stopped(Code.DIED, f"the handler ends its process, with exit status {status}")
    return message


def _be_worker(work: Work[_R], theirs: Connection, trace: Path) -> None:
    with trace.open("w") as file:
        faulthandler.register(signal.SIGUSR1, file=file, all_threads=True)
        try:
            work(lambda message: theirs.send(_Sent(message)))
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            _send_error(theirs, error)
        else:
            theirs.send(_Finished())
        os._exit(0)  # what the parent registered to be done at its exit is not ours to do


def _send_error(theirs: Connection, error: BaseException) -> None:
    try:
        theirs.send(_Raised(error))
    except Exception:  # noqa: BLE001 - an error that cannot be pickled
        theirs.send(_Raised(RuntimeError(f"{type(error).__name__}: {error}")))


def _stop(worker: _Worker, patience: float) -> Stopped:
    os.kill(worker.process.pid or 0, signal.SIGUSR1)
    deadline = time.monotonic() + _LONGEST_TRACE_SECONDS
    while not worker.trace.read_text() and time.monotonic() < deadline:
        worker.process.join(0.05)
    places = (
        Place(match["file"], int(match["line"]))
        for match in _FRAME.finditer(worker.trace.read_text())
        if source_lines.is_user_file(match["file"])
    )
    message = f"nothing happens for {patience:g} s: the handler was stopped"
    return Stopped(Code.STUCK, message, next(places, None))
