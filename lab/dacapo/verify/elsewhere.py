"""Another process, which is there before it is needed.

It has another hash seed, has imported what all handlers need and nothing of the user's, and forks
for each task: so every task finds a fresh process, at the cost of a fork.
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
from functools import cache
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

HASH_SEEDS = "1", "2"
"""The hash seed of the other process, and what it is instead if this one has the first."""
PATIENCE_SECONDS = 45
"""How long nothing may be heard of a task: less than `guarded` waits for all of this."""
_LONGEST_START_SECONDS = 30

Beat = Callable[[], None]
Work = Callable[[Any, Beat], Any]
"""Does a task, and tells from time to time that it goes on."""


class TookTooLong(Exception):  # noqa: N818 - says what it is
    """Nothing was heard of a task for too long."""


class Ended(Exception):  # noqa: N818 - says what it is
    """The process ended instead of answering."""


def ask(task: Any, beat: Beat = lambda: None) -> Any:
    """Have something done elsewhere.

    Parameters:
        task: what to do; picklable, without anything of the user's.
        beat: is called as it goes on.

    Raises:
        TookTooLong, Ended: there is no answer.
    """
    with _connected(ready()) as connection:
        connection.send(task)
        while connection.poll(PATIENCE_SECONDS):
            try:
                is_done, content = connection.recv()
            except EOFError:
                raise Ended from None
            if is_done:
                return content
            beat()
        raise TookTooLong


@cache
def ready() -> str:
    """Where the other process listens; the first call starts it."""
    folder = tempfile.mkdtemp(prefix="dacapo-")
    address = str(Path(folder, "elsewhere"))
    first, second = HASH_SEEDS
    environment = {
        **os.environ,
        "PYTHONHASHSEED": second if os.environ.get("PYTHONHASHSEED") == first else first,
        "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path),
    }
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "dacapo.verify.moved", address],
        env=environment,
        stdin=subprocess.PIPE,
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


def _connected(address: str) -> Connection:
    deadline = time.monotonic() + _LONGEST_START_SECONDS
    while True:
        try:
            return Client(address)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise Ended from None
            threading.Event().wait(0.01)


def serve(address: str, work: Work) -> None:
    """Listen, and do every task in a process of its own, until stdin is closed."""
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with Listener(address) as listener:
        while True:
            with listener.accept() as connection:
                if os.fork() == 0:
                    _answer(connection, work)


def _answer(connection: Connection, work: Work) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def beat() -> None:
        signal.alarm(PATIENCE_SECONDS)  # nobody waits for longer
        connection.send((False, None))

    try:
        connection.send((True, work(connection.recv(), beat)))
    finally:
        os._exit(0)


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)
