"""The watch: what a handler does outside every operation, while its history is read back.

During a replay no step runs, so whatever is done is done again on every replay. Sockets, files and
processes are seen by an audit hook, calls of AWS by botocore's events, and looks at the clock, at
chance and at the environment by a profiler: that sees the call itself, with the line that made it,
and nothing has to be replaced. What a library does of its own accord (a log record's time, a
client's credentials) is not the handler's doing: only a call that stands in the user's code counts.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from dacapo import observing, places
from dacapo.places import Place
from dacapo.sdk_internals.installed import runs_user_code
from dacapo.verify import sources
from dacapo.verify.sources import (
    TRANSPARENT,
    WATCHED,
    WATCHED_BUILTINS,
    WATCHED_GLOBALS,
    Kind,
    Seen,
)


@dataclass(frozen=True)
class Sighting:
    """Something that was done outside every operation.

    Parameters:
        what: what was done, as code would say it.
    """

    kind: Kind
    what: str
    place: Place


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

    def begin(self, frame: FrameType, event: str, argument: Any) -> None:
        """Look at the calls of this thread from now on, if a handler is called in it."""
        if not runs_user_code(threading.current_thread()):
            sys.setprofile(None)
            return
        sys.setprofile(profile := self._profiler())
        profile(frame, event, argument)

    def _profiler(self) -> Callable[[FrameType, str, Any], None]:
        # It is called for every call there is: most of them have to be dismissed at once.
        def profile(frame: FrameType, event: str, argument: Any) -> None:
            if event == "call":
                if id(frame.f_globals) in WATCHED_GLOBALS and frame.f_code in WATCHED:
                    self._saw(sources.called(frame), frame.f_back)
            elif event == "c_call" and getattr(argument, "__name__", "") in WATCHED_BUILTINS:
                self._saw(sources.called_builtin(argument), frame)

        return profile

    def _saw(self, seen: Seen | None, by: FrameType | None) -> None:
        user = _user_of(by) if seen else None
        if seen and user:
            self.note(*seen, user)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at an audit event; see `sys.addaudithook`."""
        seen = sources.audited(event, arguments)
        if seen is None or not runs_user_code(threading.current_thread()):
            return
        frame = sys._getframe(1)  # noqa: SLF001 - itself audited, so not before
        if not _is_importing(frame):
            self.note(*seen, frame)

    def observe(self, service: str, operation: str, _: Mapping[str, Any]) -> None:
        """Look at a call of AWS."""
        if runs_user_code(threading.current_thread()):
            kind: Kind = "look" if sources.only_asks(operation) else "effect"
            self.note(kind, f"{service}:{operation}")


_watches: list[Watch] = []
_audits: list[bool] = []


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch the threads in which handlers are called, from now on and while this lasts."""
    watch = Watch()
    if not _audits:
        sys.addaudithook(_audit)  # for good: a hook can't be taken back
        _audits.append(True)
    _watches.append(watch)
    before = threading.getprofile()
    threading.setprofile(watch.begin)
    try:
        with observing.observed_by(watch.observe):
            yield watch
    finally:
        threading.setprofile(before)
        _watches.remove(watch)
        watch.is_on = False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    for watch in _watches:
        watch.audit(event, arguments)


def _user_of(frame: FrameType | None) -> FrameType | None:
    """The user's frame that makes a call itself; None if a library does."""
    while frame is not None and frame.f_code.co_filename in TRANSPARENT:
        if frame.f_code in WATCHED:
            return None  # seen already, under the name that the user knows
        frame = frame.f_back
    return frame if frame is not None and places.is_users(frame.f_code) else None


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
