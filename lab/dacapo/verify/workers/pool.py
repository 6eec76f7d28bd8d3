"""Runs works in processes of their own, forked for each of them, and watches over them.

Each work begins in the state that this process has, and other works do not change it: memory,
environment, and a temporary directory of its own. So works may run at the same time, and none can
take the verifier down: a handler may loop for ever, or end the process that it is in.
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
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, TypeVar

from dacapo.errors import HandlerStuck
from dacapo.process import children, messages, source_lines
from dacapo.process.source_lines import Place
from dacapo.scheduling.baton import real_monotonic
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation

PATIENCE_SECONDS = 180.0
"""How long a work may make no progress: any work says more often that it makes some. A handler that
is stuck is noticed long before that; see `scheduling.watchdog`."""
BEAT_SECONDS = 0.5
"""How often progress is reported at most."""
_LONGEST_TRACE_SECONDS = 5
_FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+) in ')

_R = TypeVar("_R")

Beat = Callable[[], None]
"""Says that a work makes progress."""
Work = Callable[[Beat], _R]
"""Does something in a process of its own; what it returns must be picklable."""


@dataclass(frozen=True)
class Stopped:
    """The outcome of a work whose process ended, or had to be stopped.

    Parameters:
        code: `died` if the process ended, `stuck` if it was silent or the run said so.
        message: how it ended.
        place: the line of the user's code that it was at, if that is known.
    """

    code: Code
    message: str
    place: Place | None = None

    def observation(self, experiment: ExperimentName) -> Observation:
        """Return what this shows: a process that is silent may only be slow."""
        evidence = Evidence.SIGHTING if self.code is Code.STUCK else Evidence.DIFFERENCE
        return Observation(self.code, evidence, self.message, experiment, self.place)


@dataclass(frozen=True)
class _Beat:
    """On the wire: the work makes progress."""


@dataclass(frozen=True)
class _Returned:
    """On the wire: the work is done."""

    value: Any


@dataclass(frozen=True)
class _Raised:
    """On the wire: the work raised an error."""

    error: BaseException


_Ended = _Returned | _Raised | Stopped


@dataclass
class _Worker:
    number: int
    process: ForkProcess
    connection: Connection
    trace: Path
    """Where the stack is written of a worker that is silent."""
    heard: float


def run_each(
    works: Sequence[Work[_R]],
    *,
    at_once: int = 1,
    patience: float = PATIENCE_SECONDS,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Iterator[_R | Stopped]:
    """Run works, each in a process of its own, and yield their outcomes in the order of the works.

    Where a process cannot be forked (Windows), they run in this one, one after the other and
    without supervision.

    Parameters:
        works: what to do.
        at_once: how many run at the same time.
        patience: seconds without progress after which a work is stopped.
        on_progress: receives the number of a work that begins or makes progress.

    Raises:
        Exception: what a work raised, in its turn.
    """
    if not hasattr(os, "fork"):
        for number, work in enumerate(works):
            on_progress(number)
            yield _value_of(_done(work, partial(on_progress, number)))
        return
    with tempfile.TemporaryDirectory(prefix="dacapo-", ignore_cleanup_errors=True) as folder:
        pool = _Pool(works, at_once, patience, on_progress, Path(folder))
        try:
            yield from pool.outcomes()
        finally:
            pool.end()


class _Pool:
    def __init__(
        self,
        works: Sequence[Work[Any]],
        at_once: int,
        patience: float,
        on_progress: Callable[[int], None],
        folder: Path,
    ) -> None:
        self.works = works
        self.at_once = at_once
        self.patience = patience
        self.on_progress = on_progress
        self.folder = folder
        self.running: dict[int, _Worker] = {}
        self.done: dict[int, _Ended] = {}
        self.next = 0

    def outcomes(self) -> Iterator[Any]:
        for number in range(len(self.works)):
            while number not in self.done:
                self.fill()
                self.listen()
            yield _value_of(self.done.pop(number))

    def fill(self) -> None:
        while len(self.running) < self.at_once and self.next < len(self.works):
            number, self.next = self.next, self.next + 1
            self.on_progress(number)
            self.running[number] = self.start(number)

    def listen(self) -> None:
        left = min(worker.heard for worker in self.running.values()) + self.patience
        connections = [worker.connection for worker in self.running.values()]
        ready = wait(connections, max(0.0, left - real_monotonic()))
        for worker in list(self.running.values()):
            if worker.connection in ready:
                worker.heard = real_monotonic()
                self.receive(worker)
            elif real_monotonic() - worker.heard >= self.patience:
                self.finish(worker, _stop(worker, self.patience))

    def receive(self, worker: _Worker) -> None:
        try:
            message = messages.receive(worker.connection)
        except EOFError:
            worker.process.join()
            status = worker.process.exitcode
            text = f"the handler ends its process, with exit status {status}"
            self.finish(worker, Stopped(Code.DIED, text))
            return
        if isinstance(message, _Beat):
            self.on_progress(worker.number)
        else:
            self.finish(worker, message)

    def finish(self, worker: _Worker, outcome: _Ended) -> None:
        del self.running[worker.number]
        self.done[worker.number] = outcome
        _end(worker)

    def end(self) -> None:
        for worker in self.running.values():
            _end(worker)

    def start(self, number: int) -> _Worker:
        own = self.folder / str(number)
        own.mkdir()
        trace = self.folder / f"{number}.trace"
        ours, theirs = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(
            target=_be_worker,
            args=(self.works[number], theirs, trace, own, os.getpid()),
            daemon=True,
        )
        with warnings.catch_warnings():
            # Other threads of this process (a test runner's) hold nothing that the worker needs.
            warnings.simplefilter("ignore", DeprecationWarning)
            gc.freeze()  # so that collecting does not copy every page into the new process
            try:
                process.start()
            finally:
                gc.unfreeze()
        with suppress(OSError):  # it has done so itself, or has ended
            os.setpgid(process.pid or 0, process.pid or 0)
        theirs.close()
        return _Worker(number, process, ours, trace, real_monotonic())


def _end(worker: _Worker) -> None:
    children.end_group(worker.process.pid)
    worker.process.join()
    worker.connection.close()


def _be_worker(work: Work[Any], theirs: Connection, trace: Path, folder: Path, parent: int) -> None:
    children.die_with_parent(parent)
    os.setpgid(0, 0)
    # Ctrl-C and the like are for the parent, which then ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None
    last = [0.0]

    def beat() -> None:
        if real_monotonic() - last[0] > BEAT_SECONDS:
            last[0] = real_monotonic()
            messages.send(theirs, _Beat())

    with trace.open("w") as file:
        faulthandler.register(signal.SIGUSR1, file=file, all_threads=True)
        ended = _done(work, beat)
        try:
            messages.send(theirs, ended)
        except messages.Unsendable as unsendable:
            error = ended.error if isinstance(ended, _Raised) else unsendable
            messages.send(theirs, _Raised(RuntimeError(f"{type(error).__name__}: {error}")))
        os._exit(0)  # what the parent registered to be done at its exit is not ours to do


def _done(work: Work[Any], beat: Beat) -> _Ended:
    try:
        return _Returned(work(beat))
    except HandlerStuck as stuck:
        return Stopped(Code.STUCK, stuck.what, stuck.place)
    except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
        error.add_note("".join(traceback.format_exception(error)))  # which does not travel
        return _Raised(error)


def _value_of(ended: _Ended) -> Any:
    match ended:
        case _Returned(value=value):
            return value
        case _Raised(error=error):
            raise error
        case Stopped():
            return ended


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
