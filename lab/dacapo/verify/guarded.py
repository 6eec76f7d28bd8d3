"""The experiments in a process of their own, so that no handler can take the verifier down.

A handler may loop for ever, or end the process that it is in. What was found until then is kept,
and where it was stopped is told.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import re
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from dacapo import places
from dacapo.places import Place
from dacapo.verify.findings import PROVED, Code, Finding

Tell = Callable[[Any], None]
PATIENCE_SECONDS = 60.0
"""How long nothing may be heard of the experiments: a run, or a replay, takes far less."""
_FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+) in ')


class Stopped(Exception):  # noqa: N818 - what happened
    """The experiments were ended by the handler, or had to be."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def told(make: Callable[[Tell], None], patience: float = PATIENCE_SECONDS) -> Iterator[Any]:
    """Do something in a process of its own, and give what it tells, as it tells it.

    Where a process can't be forked, it is done in this one, without a guard.

    Parameters:
        make: is given what it tells things with; they have to be picklable.
        patience: seconds without a word after which it is ended.

    Raises:
        Stopped: it fell silent, or its process ended.
        Exception: what it raised.
    """
    if not hasattr(os, "fork"):
        said: list[Any] = []
        make(said.append)
        yield from said
        return
    ours, theirs = multiprocessing.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace")
        process = multiprocessing.get_context("fork").Process(
            target=_make, args=(make, theirs, trace), daemon=True
        )
        with warnings.catch_warnings():
            # Other threads of this process (a test runner's) hold nothing that the other needs.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        theirs.close()
        try:
            yield from _heard(ours, process, trace, patience)
        finally:
            process.kill()
            process.join()
            ours.close()


def _heard(ours: Connection, process: ForkProcess, trace: Path, patience: float) -> Iterator[Any]:
    while True:
        if not ours.poll(patience):
            raise Stopped(_silent(process, trace, patience))
        try:
            kind, content = ours.recv()
        except EOFError:
            process.join()
            message = f"the handler ends its process, with exit status {process.exitcode}"
            raise Stopped(Finding(Code.DIED, PROVED, message, "")) from None
        if kind == "raised":
            raise content
        if kind == "done":
            return
        yield content


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


def _silent(process: ForkProcess, trace: Path, patience: float) -> Finding:
    os.kill(process.pid or 0, signal.SIGUSR1)
    deadline = time.monotonic() + 1
    while not trace.read_text() and time.monotonic() < deadline:
        process.join(0.05)
    found = (
        Place(match["file"], int(match["line"]))
        for match in _FRAME.finditer(trace.read_text())
        if places.is_users_file(match["file"])
    )
    message = f"nothing happens for {patience:g} s: the handler was stopped"
    return Finding(Code.STUCK, PROVED, message, "", next(found, None))
