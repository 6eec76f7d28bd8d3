"""Watch what a handler does outside every operation, while its history is read back.

During a replay no step runs, so what is done here is done again on every replay. An audit hook
sees sockets, files and processes; botocore's events show calls of AWS; a profiler sees reads of the
clock, of randomness and of the environment: the call itself, with the line that made it, and
nothing is replaced. What a library does by itself (the time of a log record, a client's
credentials) is not the handler's doing: only a call that stands in the user's code counts.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from dacapo.process import source_lines
from dacapo.process.active_run import ACTIVE
from dacapo.process.effect_listeners import listening
from dacapo.process.source_lines import Place
from dacapo.sdk.installed import may_run_handlers, runs_user_code
from dacapo.verify.observe import sources
from dacapo.verify.observe.sources import (
    TRANSPARENT,
    WATCHED,
    WATCHED_BUILTINS,
    WATCHED_GLOBALS,
    Kind,
    Read,
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
    """Records what it sees, while it is on."""

    def __init__(self) -> None:
        self.seen: list[Sighting] = []
        self.is_on = True

    def record(self, kind: Kind, what: str, frame: FrameType | None = None) -> None:
        """Record something that a line of the user's does; ignore what libraries do."""
        place = source_lines.current_line(frame or sys._getframe(1))  # noqa: SLF001
        if place is not None and self.is_on:
            self.seen.append(Sighting(kind, what, place))

    def begin(self, frame: FrameType, event: str, argument: Any) -> None:
        """Look at the calls of this thread from now on, if a handler is called in it."""
        if not may_run_handlers(threading.current_thread()):
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

    def _saw(self, seen: Read | None, by: FrameType | None) -> None:
        user = _user_of(by) if seen and runs_user_code() else None
        if seen and user:
            self.record(*seen, user)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at an audit event; see `sys.addaudithook`."""
        seen = sources.audited(event, arguments)
        if seen is None or not runs_user_code():
            return
        frame = sys._getframe(1)  # noqa: SLF001 - itself audited, so not before
        if not _is_importing(frame):
            self.record(*seen, frame)

    def observe(self, service: str, operation: str, _: Mapping[str, Any]) -> None:
        """Look at a call of AWS."""
        if runs_user_code():
            kind: Kind = "query" if sources.only_queries(operation) else "effect"
            self.record(kind, f"{service}:{operation}")


@contextmanager
def watching() -> Iterator[Watch]:
    """Context manager that watches the threads in which handlers are called."""
    watch = Watch()
    before = threading.getprofile()
    threading.setprofile(watch.begin)
    try:
        with ACTIVE.audited_by(watch.audit), listening(watch.observe):
            yield watch
    finally:
        threading.setprofile(before)
        watch.is_on = False


def _user_of(frame: FrameType | None) -> FrameType | None:
    """Return the user's frame that makes a call itself; None if a library does."""
    while frame is not None and frame.f_code.co_filename in TRANSPARENT:
        if frame.f_code in WATCHED:
            return None  # seen already, under the name that the user knows
        frame = frame.f_back
    return frame if frame is not None and source_lines.is_user_code(frame.f_code) else None


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
