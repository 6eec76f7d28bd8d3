"""Processes for invocations: each a fork of an interpreter that has never run a handler.

An interpreter has a hash seed of its own, and has imported what handlers need, but nothing of the
user's. If a handler cannot be found from there (a closure in a test), the interpreter is a fork of
this process, which has the handler and has not called it.
"""

from __future__ import annotations

import ast
import atexit
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

from dacapo.process import children, memory, messages, source_lines
from dacapo.scenario import Scenario
from dacapo.scheduling.baton import real_monotonic, real_sleep
from dacapo.sdk import installed
from dacapo.service.functions import Handler
from dacapo.simulation import boto
from dacapo.simulation.elsewhere.sandbox import Process
from dacapo.simulation.elsewhere.wire import Location, Prepare

HASH_SEEDS = "1", "2", "3", "4", "5", "6", "7"
"""Two strings in a set come in both orders under some of these, in 63 of 64 cases."""
FEW_HASH_SEEDS = HASH_SEEDS[:2]
"""For handlers that iterate no set and take no hash."""
_LONGEST_START_SECONDS = 60.0
_HASHING = ("set", "frozenset", "hash")
_PROGRAM = """
import sys
sys.modules["pytest"] = None  # time_machine would import it
from dacapo.simulation.elsewhere import interpreters
del sys.modules["pytest"]
interpreters.serve(sys.argv[1])
"""
_started: dict[str, subprocess.Popen[bytes]] = {}
_folder: list[str] = []


class CannotStart(Exception):  # noqa: N818 - what happened
    """An interpreter does not start."""


def hash_seeds_for(handler: Handler) -> Sequence[str]:
    """Return the hash seeds that can make a difference to a handler.

    Each costs an interpreter, which takes most of a second to start.
    """
    modules = memory.reached_from([handler])
    files = (getattr(module, "__file__", None) for module in modules)
    return HASH_SEEDS if any(_depends_on_hashes(file) for file in files if file) else FEW_HASH_SEEDS


@cache
def _depends_on_hashes(file: str) -> bool:
    tree = source_lines.tree_of(file)
    return not tree.body or any(
        isinstance(node, ast.Set | ast.SetComp)
        or (isinstance(node, ast.Name) and node.id in _HASHING)
        for node in ast.walk(tree)
    )


def start(hash_seeds: Sequence[str]) -> None:
    """Start interpreters, once, without waiting for them."""
    if not _folder:
        _folder.append(tempfile.mkdtemp(prefix="dacapo-"))
        atexit.register(_end, os.getpid())
    for seed in hash_seeds:
        if seed not in _started:
            environment = {
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": os.pathsep.join(children.import_path()),
            }
            _started[seed] = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-c", _PROGRAM, _address(seed)],
                env=environment,
                stdin=subprocess.PIPE,
                process_group=0,
            )


def prepare(request: Prepare, hash_seeds: Sequence[str], beat: Callable[[], None]) -> None:
    """Have interpreters import and read what invocations will need, before the next of these.

    Parameters:
        hash_seeds: of the interpreters.
        beat: is called while they start.
    """
    for seed in dict.fromkeys(hash_seeds):
        with _connected(_address(seed), beat) as connection:
            messages.send(connection, request)


class Interpreters:
    """Sandboxes that are forks of the interpreters with these hash seeds, in turn.

    Parameters:
        hash_seeds: of them.
        own: address of the interpreter that has the handlers of this process.
    """

    def __init__(self, hash_seeds: Sequence[str], own: str) -> None:
        self._hash_seeds = hash_seeds
        self._own = own

    def connect(self, number: int, location: Location | None, function: str) -> Connection:
        """Return a connection to a process in which no handler has run."""
        if location is None:
            connection = _connected(self._own)
            messages.send(connection, function)
            return connection
        connection = _connected(_address(self._hash_seeds[number % len(self._hash_seeds)]))
        messages.send(connection, None)
        return connection


@contextmanager
def forks_of_this(scenario: Scenario, folder: Path) -> Iterator[str]:
    """Context manager with an interpreter that is a fork of this process, as it is now.

    Parameters:
        scenario: whose handlers it has.
        folder: for its socket.

    Returns:
        Its address.
    """
    address = str(folder / "own")
    listener = Listener(address)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        parent, pid = os.getpid(), os.fork()
    if pid == 0:
        with suppress(BaseException):
            children.die_with_parent(parent)
            _accept(listener, scenario.handlers)
        os._exit(0)
    try:
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        listener.close()  # not before, as this removes the socket


def serve(address: str) -> None:
    """Be an interpreter: listen at `address`, until stdin is closed."""
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    boto.share_models()
    installed.check()  # here, as it takes longer than an invocation
    with Listener(address) as listener:
        _accept(listener, {})


def _accept(listener: Listener, handlers: Mapping[str, Handler]) -> None:
    """Fork for each connection, whose first message says what for.

    Parameters:
        handlers: those that this process has, by the name of their function.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    while True:
        with listener.accept() as connection:
            try:
                request = messages.receive(connection)
            except EOFError:
                continue
            if isinstance(request, Prepare):
                _prepare(request)
                gc.freeze()
                continue
            server = os.getpid()
            if os.fork() == 0:
                children.die_with_parent(server)
                _run(connection, handlers.get(request))


def _run(connection: Connection, handler: Handler | None) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    try:
        Process(connection, handler).serve()
    finally:
        os._exit(0)


def _prepare(request: Prepare) -> None:
    before = list(sys.path)
    sys.path[:] = request.path
    children.import_all(request.modules)
    sys.path[:] = before
    boto.read_models(request.services)


def _address(hash_seed: str) -> str:
    return str(Path(_folder[0], hash_seed))


def _connected(address: str, beat: Callable[[], None] = lambda: None) -> Connection:
    deadline = real_monotonic() + _LONGEST_START_SECONDS
    while True:
        beat()
        try:
            return Client(address)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            if real_monotonic() > deadline:
                raise CannotStart(f"the interpreter at {address} does not answer") from error
            real_sleep(0.005)


def _end(starter: int) -> None:
    if os.getpid() == starter:
        for process in _started.values():
            children.end_group(process.pid)
            process.communicate()
        shutil.rmtree(_folder[0], ignore_errors=True)


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)
