"""A pre-started worker that forks for each task, so that each task gets a clean interpreter.

The worker has another hash seed than this process, has imported what all handlers need and nothing
of the user's. So a task finds a fresh process at the cost of a fork.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

HASH_SEEDS = "1", "2"
"""The hash seed of the worker, and the one it gets instead if this process has the first."""
PATIENCE_SECONDS = 45
"""How long a task may be silent: less than `supervised` waits for the experiment as a whole."""
_LONGEST_START_SECONDS = 30
_PROGRAM = """
import sys
from dacapo.verify.experiments import fresh_process
fresh_process.serve(sys.argv[1])
"""

Beat = Callable[[], None]
Work = Callable[[Any, Beat], Any]
"""Does a task, and calls the second parameter from time to time to say that it goes on."""


class WorkerSilent(Exception):  # noqa: N818 - what happened
    """Nothing was heard of a task for too long."""


class WorkerEnded(Exception):  # noqa: N818 - what happened
    """The process ended instead of answering."""


@dataclass(frozen=True)
class _GoesOn:
    """The task is still under way."""


@dataclass(frozen=True)
class _Answer:
    """The task is done."""

    content: Any


def ask(task: Any, beat: Beat = lambda: None) -> Any:
    """Have a task done in a fresh process.

    Parameters:
        task: what to do; picklable, without anything of the user's.
        beat: is called as the task goes on.

    Raises:
        WorkerSilent, WorkerEnded: there is no answer.
    """
    with _connected(start()) as connection:
        connection.send(task)
        while connection.poll(PATIENCE_SECONDS):
            try:
                message = connection.recv()
            except EOFError:
                raise WorkerEnded from None
            match message:
                case _GoesOn():
                    beat()
                case _Answer(content=content):
                    return content
        raise WorkerSilent


@cache
def start() -> str:
    """Start the worker, once, and return the address at which it listens."""
    folder = tempfile.mkdtemp(prefix="dacapo-")
    address = str(Path(folder, "fresh-process"))
    first, second = HASH_SEEDS
    environment = {
        **os.environ,
        "PYTHONHASHSEED": second if os.environ.get("PYTHONHASHSEED") == first else first,
        "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path),
    }
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-c", _PROGRAM, address], env=environment, stdin=subprocess.PIPE
    )
    starter = os.getpid()

    def end() -> None:
        if os.getpid() == starter:
            process.kill()
            process.wait()
            Path(address).unlink(missing_ok=True)
            Path(folder).rmdir()

    atexit.register(end)
    return address


def serve(address: str, work: Work) -> None:
    """Listen, and do every task in a process of its own, until stdin is closed.

    Parameters:
        address: the path of the socket to listen at.
        work: does a task.
    """
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with Listener(address) as listener:
        while True:
            with listener.accept() as connection:
                if os.fork() == 0:
                    _answer(connection, work)


def _connected(address: str) -> Connection:
    deadline = time.monotonic() + _LONGEST_START_SECONDS
    while True:
        try:
            return Client(address)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise WorkerEnded from None
            threading.Event().wait(0.01)


def _answer(connection: Connection, work: Work) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def beat() -> None:
        signal.alarm(PATIENCE_SECONDS)  # nobody waits for longer
        connection.send(_GoesOn())

    try:
        connection.send(_Answer(work(connection.recv(), beat)))
    finally:
        os._exit(0)


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)
