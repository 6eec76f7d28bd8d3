"""The watch: what a handler does outside every operation, while its history is read back.

During a replay no step runs, so whatever is done is done again on every replay. Sockets, files and
processes are seen by an audit hook, calls of AWS by botocore's events, and looks at the clock, at
chance and at the environment by a profiler: that sees the call itself, with the line that made it,
and nothing has to be replaced. What a library does of its own accord (a log record's time, a
client's credentials) is not the handler's doing: only a call that stands in the user's code counts.
"""

from __future__ import annotations

import _collections_abc
import datetime
import os
import random
import secrets
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import BuiltinFunctionType, CodeType, FrameType
from typing import Any, Literal

from dacapo import boto, places, sdk_internals
from dacapo.places import Place

Kind = Literal["clock", "chance", "environment", "effect", "look"]


@dataclass(frozen=True)
class Sighting:
    """Something that was done outside every operation.

    Parameters:
        kind: `effect` for what others may notice, `look` for a question to AWS.
        what: what was done, as code would say it.
    """

    kind: Kind
    what: str
    place: Place


# By name, because a builtin function hashes by its address in C, and time-machine changes that.
_CLOCKS = frozenset(
    {
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("localtime", "gmtime", "strftime", "ctime"),
    }
)
_NOWS = ("now", "utcnow", "today")


def _codes(owner: object, *names: str) -> dict[CodeType, str]:
    return {getattr(owner, name).__code__: name for name in names}


_OF_UUID = _codes(uuid, "uuid1", "uuid4")
_OF_SECRETS = _codes(secrets, "token_bytes", "token_hex", "token_urlsafe", "randbelow")
_OF_RANDOM = {
    method.__code__: name
    for name, method in vars(random.Random).items()
    if hasattr(method, "__code__") and not name.startswith("_")
}
_URANDOM = random.Random.randbytes.__code__
_NEW_RANDOM = random.Random.__init__.__code__
_ENVIRONMENT: Any = os.environ
_OF_ENVIRONMENT = {type(_ENVIRONMENT).__getitem__.__code__: "os.environ"}

_TRANSPARENT = frozenset(
    function.__code__.co_filename
    for function in (
        *(random.Random.choice, uuid.uuid4, secrets.token_hex, os.getenv),
        _collections_abc.Mapping.get,
    )
)
"""Modules that only pass a call on: it is made by whoever calls them."""

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
_QUESTIONS = ("Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet")
"""How operations of AWS that only ask begin."""


class Watch:
    """Notes what it sees, while it is on."""

    def __init__(self) -> None:
        self.seen: list[Sighting] = []
        self.is_on = True

    def note(self, kind: Kind, what: str, frame: FrameType | None = None) -> None:
        """Note something that a line of the user's does; anything else is no matter of ours."""
        place = places.acting(frame or sys._getframe(1))  # noqa: SLF001
        if place is not None and self.is_on:
            self.seen.append(Sighting(kind, what, place))

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        """Look at a call; see `sys.setprofile`."""
        if event == "c_call":
            self._called_builtin(frame, argument)
        elif event == "call" and frame.f_code in _WATCHED:
            self._called(frame)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at an audit event; see `sys.addaudithook`."""
        describe = _AUDITED.get(event)
        if describe is None or not sdk_internals.runs_user_code(threading.current_thread()):
            return
        what = describe(arguments)
        frame = sys._getframe(1)  # noqa: SLF001
        if what is not None and not _is_importing(frame):
            self.note("effect", what, frame)

    def observe(self, service: str, operation: str, _: Mapping[str, Any]) -> None:
        """Look at a call of AWS."""
        if sdk_internals.runs_user_code(threading.current_thread()):
            self.note("look" if only_asks(operation) else "effect", f"{service}:{operation}")

    def _called_builtin(self, frame: FrameType, function: BuiltinFunctionType) -> None:
        owner = getattr(function, "__self__", None)
        if owner is time:
            if function.__name__ in _CLOCKS:
                self._by_user("clock", f"time.{function.__name__}()", frame)
        elif isinstance(owner, type) and issubclass(owner, datetime.date):
            if function.__name__ in _NOWS:
                self._by_user("clock", f"{owner.__name__}.{function.__name__}()", frame)
        elif owner is random._inst:  # noqa: SLF001
            self._by_user("chance", f"random.{function.__name__}()", frame)
        elif function is os.urandom:
            self._by_user("chance", "os.urandom()", frame)

    def _called(self, frame: FrameType) -> None:
        code, back = frame.f_code, frame.f_back
        if code in _OF_ENVIRONMENT:
            self._by_user("environment", f"os.environ[{frame.f_locals.get('key')!r}]", back)
        elif code in _OF_UUID:
            self._by_user("chance", f"uuid.{_OF_UUID[code]}()", back)
        elif code in _OF_SECRETS:
            self._by_user("chance", f"secrets.{_OF_SECRETS[code]}()", back)
        elif code is _NEW_RANDOM:
            if frame.f_locals.get("x") is None:
                self._by_user("chance", "random.Random()", back)
        elif frame.f_locals.get("self") is random._inst:  # noqa: SLF001
            self._by_user("chance", f"random.{_OF_RANDOM[code]}()", back)
        elif code is _URANDOM and os.urandom.__self__ is frame.f_locals.get("self"):  # type: ignore[attr-defined]
            self._by_user("chance", "os.urandom()", back)

    def _by_user(self, kind: Kind, what: str, frame: FrameType | None) -> None:
        while frame is not None and frame.f_code.co_filename in _TRANSPARENT:
            if frame.f_code in _WATCHED:
                return  # seen already, under the name that the user knows
            frame = frame.f_back
        if frame is not None and places.is_users(frame.f_code):
            self.note(kind, what, frame)


_WATCHED = frozenset({*_OF_UUID, *_OF_SECRETS, *_OF_RANDOM, *_OF_ENVIRONMENT, _NEW_RANDOM})

_watches: list[Watch] = []
_audits: list[bool] = []


def only_asks(operation: str) -> bool:
    """Whether an operation of AWS changes nothing."""
    return operation.startswith(_QUESTIONS)


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch the threads in which handlers are called, from now on and while this lasts."""
    watch = Watch()
    if not _audits:
        sys.addaudithook(_audit)  # for good: a hook can't be taken back
        _audits.append(True)
    _watches.append(watch)
    before = threading.getprofile()
    threading.setprofile(watch.profile)
    try:
        with boto.observed_by(watch.observe):
            yield watch
    finally:
        threading.setprofile(before)
        _watches.remove(watch)
        watch.is_on = False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    for watch in _watches:
        watch.audit(event, arguments)


def _writes(mode: str | None, flags: int) -> bool:
    if mode is not None:
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
