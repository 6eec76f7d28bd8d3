"""What is watched: where code reads what may differ between invocations, and where it acts outside.

Functions are known by name or by code, because a builtin function hashes by its address in C, and
time-machine changes that.
"""

from __future__ import annotations

import _collections_abc
import ast
import asyncio.tasks
import datetime
import glob
import multiprocessing.pool
import os
import pathlib
import platform
import queue
import random
import secrets
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent import futures
from functools import cache
from types import BuiltinFunctionType, CodeType, FrameType
from typing import Any, Literal, NamedTuple

import time_machine

from dacapo.process import randomness
from dacapo.process.own_files import changed_by
from dacapo.process.requests import TELEMETRY, http_request
from dacapo.process.source_lines import tree_of
from dacapo.scheduling import waits
from dacapo.service import functions
from dacapo.service.functions import LambdaContext

Kind = Literal[
    "clock",
    "randomness",
    "environment",
    "context",
    "listing",
    "completion",
    "identity",
    "effect",
    "query",
]
"""`context` for what Lambda or the sandbox says of an invocation, `listing` for the order of a
folder, `completion` for the order in which threads and tasks end, `identity` for addresses and
hashes, `effect` for what others may notice, `query` for a question to AWS or to an extension."""


class Read(NamedTuple):
    """Something that is read or done.

    Parameters:
        what: as code would say it.
        names: by which code that calls it itself must know it; () if it is not known by name.
    """

    kind: Kind
    what: str
    names: tuple[str, ...] = ()


_CLOCKS = frozenset(
    {
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("localtime", "gmtime", "strftime", "ctime", "clock_gettime", "clock_gettime_ns"),
    }
)
_NOWS = ("now", "utcnow", "today")
READ_BY_TIME_MACHINE = _CLOCKS.union(_NOWS) - {
    *("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "ctime")
}
"""Names of the functions in C that ask time-machine for the time, if they need it: `gmtime(0)` does
not."""
CLOCK_READ = time_machine.Traveller.time_ns.__code__
"""What they all ask. If none of them was called from Python, a library in C or Rust has called one
that it was given."""

_SANDBOX = {
    **{name: ("posix", f"os.{name}()") for name in ("getpid", "getppid", "uname")},
    "gethostname": ("_socket", "socket.gethostname()"),
}
_LISTINGS = ("listdir", "scandir")
_VARIABLES = ("AWS_LAMBDA_LOG_STREAM_NAME", "_X_AMZN_TRACE_ID", "_HANDLER_REQUEST_ID", "HOSTNAME")
"""Environment variables that differ between sandboxes or invocations."""
_PACKETS = {"socket.connect": "a connection to", "socket.sendto": "a datagram to"}
_EXTENSION = 2773
"""Port of the extension that serves parameters and secrets; it has no writes."""

_WITHOUT_ORDER = frozenset(
    {"sorted", "set", "frozenset", "len", "sum", "min", "max", "any", "all", "Counter"}
)
"""Functions whose result is the same in any order of what they receive."""

_Span = tuple[int | None, int | None, int | None, int | None]


def _codes(owner: object, module: str, *names: str) -> dict[CodeType, str]:
    return {getattr(owner, name).__code__: f"{module}.{name}()" for name in names}


_ENVIRONMENT: Any = os.environ
_ENVIRONMENT_READ = type(_ENVIRONMENT).__getitem__.__code__
_NEW_RANDOM = random.Random.__init__.__code__
_OF_RANDOM = _codes(
    random.Random,
    "random",
    *(n for n, f in vars(random.Random).items() if hasattr(f, "__code__") and n[0] != "_"),
)
_DRAWS = {
    **_codes(uuid, "uuid", "uuid1", "uuid4"),
    **_codes(secrets, "secrets", "token_bytes", "token_hex", "token_urlsafe", "randbelow"),
    **_codes(tempfile, "tempfile", "mkstemp", "mkdtemp", "mktemp", "NamedTemporaryFile"),
}
_OF_SANDBOX = {
    LambdaContext.get_remaining_time_in_millis.__code__: "get_remaining_time_in_millis()",
    **{
        getattr(LambdaContext, name).fget.__code__: name
        for name in ("aws_request_id", "log_stream_name")
    },
    **_codes(platform, "platform", "node", "uname"),
    **_codes(uuid, "uuid", "getnode"),
    **_codes(socket, "socket", "getfqdn"),
}
_COMPLETIONS = {
    futures.as_completed.__code__: "as_completed()",
    asyncio.tasks.as_completed.__code__: "asyncio.as_completed()",
    queue.Queue.get.__code__: "Queue.get()",
    multiprocessing.pool.Pool.imap_unordered.__code__: "imap_unordered()",
}
_WAITS = {futures.wait.__code__: "wait()", asyncio.tasks.wait.__code__: "asyncio.wait()"}
_MONOTONIC = ("monotonic", "time")  # `threading` calls it `_time`
_REPLACED: dict[CodeType, Read] = {
    waits.monotonic.__code__: Read("clock", "time.monotonic()", _MONOTONIC),
    waits.monotonic_ns.__code__: Read("clock", "time.monotonic_ns()", _MONOTONIC),
    randomness.urandom.__code__: Read("randomness", "os.urandom()", ("urandom",)),
    CLOCK_READ: Read("clock", "the clock"),
}
"""What stands in for functions in C while handlers run."""
_KNOWN: dict[CodeType, Read] = {
    **{code: Read("randomness", what, (code.co_name,)) for code, what in _DRAWS.items()},
    **{code: Read("context", what, (code.co_name,)) for code, what in _OF_SANDBOX.items()},
    **{code: Read("completion", what, (code.co_name,)) for code, what in _COMPLETIONS.items()},
    **_REPLACED,
}
WATCHED = frozenset({*_KNOWN, *_OF_RANDOM, *_WAITS, _ENVIRONMENT_READ, _NEW_RANDOM})
"""The code in Python that `called` knows."""
WATCHED_GLOBALS = frozenset(
    id(vars(module))
    for module in (
        *(random, uuid, secrets, os, waits, randomness, tempfile, functions, platform, socket),
        *(futures._base, asyncio.tasks, queue, multiprocessing.pool, time_machine),  # noqa: SLF001
    )
)
"""Ids of the globals that it runs in: a frame's code is audited when it is looked at, and hashes by
all that is in it, which takes too long for something that is asked at every call."""
_OF_C = (name for name in dir(random.Random) if not name.startswith("_"))
WATCHED_BUILTINS = frozenset({*_CLOCKS, *_NOWS, *_OF_C, "urandom", *_SANDBOX, *_LISTINGS})
"""Names of the functions in C that `called_builtin` may know."""

TRANSPARENT = frozenset(
    function.__code__.co_filename
    for function in (
        *(random.Random.choice, uuid.uuid4, secrets.token_hex, os.getenv),
        *(_collections_abc.Mapping.get, tempfile.mkstemp, glob.glob, pathlib.Path.iterdir),
        *(platform.node, socket.getfqdn),
    )
)
"""Files of modules that only pass a call on: their caller makes it."""


def called_builtin(function: BuiltinFunctionType) -> Read | None:
    """Return what a call of a function that is written in C reads, if it is watched."""
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    module = getattr(function, "__module__", None)
    if owner is time and name in _CLOCKS:
        return Read("clock", f"time.{name}()", (name,))
    if isinstance(owner, type) and issubclass(owner, datetime.date) and name in _NOWS:
        return Read("clock", f"{owner.__name__}.{name}()", (name,))
    if owner is random._inst:  # noqa: SLF001 - the generator behind the module's functions
        return Read("randomness", f"random.{name}()", (name,))
    if name in _LISTINGS and module == "posix":
        return Read("listing", f"os.{name}()", (name,))
    if name in _SANDBOX and module == _SANDBOX[name][0]:
        return Read("context", _SANDBOX[name][1], (name,))
    return Read("randomness", "os.urandom()", ("urandom",)) if function is os.urandom else None


def called(frame: FrameType) -> Read | None:
    """Return what a call of a function that is written in Python reads, if it is watched."""
    code, local = frame.f_code, frame.f_locals
    known = _KNOWN.get(code)
    if known is not None:
        return known
    if code is _ENVIRONMENT_READ:
        return _variable(local.get("key"), frame.f_back)
    if code is _NEW_RANDOM:
        is_unseeded = local.get("x") is None
        return Read("randomness", "random.Random()", ("Random",)) if is_unseeded else None
    if code in _WAITS:
        is_any = local.get("return_when") != futures.ALL_COMPLETED
        return Read("completion", _WAITS[code], ("wait",)) if is_any else None
    is_global = local.get("self") is random._inst  # noqa: SLF001
    return Read("randomness", _OF_RANDOM[code], (code.co_name,)) if is_global else None


UNSET = "which is not set"
"""Follows the name of a variable that is read without a default, and is not there."""


def _variable(name: object, by: FrameType | None) -> Read:
    kind: Kind = "context" if name in _VARIABLES else "environment"
    has_default = by is not None and by.f_locals.get("default") is not None
    is_missing = name not in os.environ and not has_default
    what = f"os.environ[{name!r}]"
    return Read(kind, f"{what}, {UNSET}," if is_missing else what, ("env",))


def audited(event: str, arguments: tuple[Any, ...]) -> Read | None:
    """Return what an audit event does to the world, if it is watched."""
    if event == "http.client.send":
        return _sent(*arguments)
    if event in _PACKETS:
        port = _port(arguments[1])
        kind: Kind = "query" if port == _EXTENSION else "effect"
        return None if port in TELEMETRY else Read(kind, f"{_PACKETS[event]} {arguments[1]!r}")
    changed = ", ".join(map(repr, changed_by(event, arguments)))
    return Read("effect", f"{event}({changed})") if changed else None


def _sent(connection: Any, data: Any) -> Read | None:
    request = http_request(connection, data)
    if request is None or connection.port in TELEMETRY:
        return None
    kind: Kind = "query" if request.is_query else "effect"
    return Read(kind, f"{request.method} http://{request.target}")


def _port(address: object) -> object:
    return address[1] if isinstance(address, tuple) and len(address) > 1 else None


def ignores_order(frame: FrameType) -> bool:
    """Return whether the expression that a frame executes is an argument of such a function."""
    positions = list(frame.f_code.co_positions())
    line, end_line, column, end_column = positions[frame.f_lasti // 2]
    span = (line, column, end_line, end_column)
    return any(_holds(one, span) for one in _calls(frame.f_code.co_filename))


@cache
def _calls(file: str) -> tuple[_Span, ...]:
    return tuple(_calls_without_order(file))


def _calls_without_order(file: str) -> Iterator[_Span]:
    for node in ast.walk(tree_of(file)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in _WITHOUT_ORDER:
                yield node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _holds(around: _Span, inner: _Span) -> bool:
    if None in inner:
        return False
    starts = (around[0], around[1]) <= (inner[0], inner[1])
    ends = (around[2], around[3]) >= (inner[2], inner[3])
    return starts and ends
