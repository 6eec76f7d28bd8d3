"""What is watched: where code reads clock, randomness and environment, and where it acts outside.

Functions are known by name or by code, because a builtin function hashes by its address in C, and
time-machine changes that.
"""

from __future__ import annotations

import _collections_abc
import datetime
import os
import random
import secrets
import time
import uuid
from collections.abc import Callable
from types import BuiltinFunctionType, CodeType, FrameType
from typing import Any, Literal

from dacapo.process import randomness
from dacapo.scheduling import waits

Kind = Literal["clock", "randomness", "environment", "effect", "query"]
"""`effect` for what others may notice, `query` for a question to AWS."""

Read = tuple[Kind, str]
"""Something that is read or done, and how code would say it."""

_CLOCKS = frozenset(
    {
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("localtime", "gmtime", "strftime", "ctime"),
    }
)
_NOWS = ("now", "utcnow", "today")
_QUERIES = ("Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet")
"""Prefixes of AWS operations that only read."""

_AUDITED: dict[str, Callable[[tuple[Any, ...]], str | None]] = {
    "open": lambda a: f"open({a[0]!r})" if _writes(a[1], a[2]) else None,
    "os.remove": lambda a: f"os.remove({a[0]!r})",
    "os.rename": lambda a: f"os.rename({a[0]!r})",
    "os.mkdir": lambda a: f"os.mkdir({a[0]!r})",
    "socket.connect": lambda a: f"a connection to {a[1]!r}",
    "socket.sendto": lambda a: f"a datagram to {a[1]!r}",
    "subprocess.Popen": lambda a: f"the process {a[0]!r}",
    "os.system": lambda a: f"the command {a[0]!r}",
}


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
}
_REPLACED: dict[CodeType, Read] = {
    waits.monotonic.__code__: ("clock", "time.monotonic()"),
    waits.monotonic_ns.__code__: ("clock", "time.monotonic_ns()"),
    randomness.urandom.__code__: ("randomness", "os.urandom()"),
}
"""What stands in for functions in C while handlers run."""
WATCHED = frozenset({*_OF_RANDOM, *_DRAWS, *_REPLACED, _ENVIRONMENT_READ, _NEW_RANDOM})
"""The code in Python that `called` knows."""
WATCHED_GLOBALS = frozenset(
    id(vars(module)) for module in (random, uuid, secrets, os, waits, randomness)
)
"""Ids of the globals that it runs in: a frame's code is audited when it is looked at, and hashes by
all that is in it, which takes too long for something that is asked at every call."""
_OF_C = (name for name in dir(random.Random) if not name.startswith("_"))
WATCHED_BUILTINS = frozenset({*_CLOCKS, *_NOWS, *_OF_C, "urandom"})
"""Names of the functions in C that `called_builtin` may know."""

TRANSPARENT = frozenset(
    function.__code__.co_filename
    for function in (
        *(random.Random.choice, uuid.uuid4, secrets.token_hex, os.getenv),
        _collections_abc.Mapping.get,
    )
)
"""Files of modules that only pass a call on: their caller makes it."""


def only_queries(operation: str) -> bool:
    """Return whether an operation of AWS changes nothing."""
    return operation.startswith(_QUERIES)


def called_builtin(function: BuiltinFunctionType) -> Read | None:
    """Return what a call of a function that is written in C reads, if it is watched."""
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if owner is time and name in _CLOCKS:
        return "clock", f"time.{name}()"
    if isinstance(owner, type) and issubclass(owner, datetime.date) and name in _NOWS:
        return "clock", f"{owner.__name__}.{name}()"
    if owner is random._inst:  # noqa: SLF001 - the generator behind the module's functions
        return "randomness", f"random.{name}()"
    return ("randomness", "os.urandom()") if function is os.urandom else None


def called(frame: FrameType) -> Read | None:
    """Return what a call of a function that is written in Python reads, if it is watched."""
    code, local = frame.f_code, frame.f_locals
    if code is _ENVIRONMENT_READ:
        return "environment", f"os.environ[{local.get('key')!r}]"
    if code in _DRAWS:
        return "randomness", _DRAWS[code]
    if code is _NEW_RANDOM:
        return ("randomness", "random.Random()") if local.get("x") is None else None
    if local.get("self") is random._inst:  # noqa: SLF001
        return "randomness", _OF_RANDOM[code]
    return _REPLACED.get(code)


def audited(event: str, arguments: tuple[Any, ...]) -> Read | None:
    """Return what an audit event does to the world, if it is watched."""
    describe = _AUDITED.get(event)
    what = describe and describe(arguments)
    return ("effect", what) if what else None


def _writes(mode: str | None, flags: int) -> bool:
    if mode is not None:
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR))
