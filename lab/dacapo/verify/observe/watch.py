"""Watch what a handler does outside every operation, while its history is read back.

During a replay no step runs, so what is done here is done again on every replay. An audit hook
sees sockets, files and processes; botocore's events show calls of AWS; a profiler sees reads of the
clock, of randomness, of the sandbox and of orders: the call itself, with the line that made it, and
nothing is replaced. What a library does by itself (the time of a log record, a client's
credentials) is not the handler's doing: only a call that stands in the user's code counts, or one
that a library makes because the user's code handed it the function (`default_factory`). Threads of
the handler's own count as the handler; what a serializer does, does not.
"""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from dacapo.process import own_threads, requests, source_lines, user_modules
from dacapo.process.active_run import ACTIVE
from dacapo.process.effect_listeners import is_of_world, listening
from dacapo.process.own_files import OwnFiles
from dacapo.process.own_threads import Origin
from dacapo.process.source_lines import Place
from dacapo.sdk.installed import may_run_handlers
from dacapo.verify.observe import sources
from dacapo.verify.observe.effects import does_itself, is_of_handler, is_own
from dacapo.verify.observe.sources import (
    CLOCK_READ,
    READ_BY_TIME_MACHINE,
    TRANSPARENT,
    WATCHED,
    WATCHED_BUILTINS,
    WATCHED_GLOBALS,
    Kind,
    Read,
    ignores_order,
)


@dataclass(frozen=True)
class Sighting:
    """Something that was done outside every operation.

    Parameters:
        what: what was done, as code would say it.
        is_unordered: whether the line is known to ignore the order that it reads.
    """

    kind: Kind
    what: str
    place: Place
    is_unordered: bool = False


class Watch:
    """Records what it sees, while it is on.

    Side effects are always seen. Reads are seen by a profiler, which costs several times as much as
    a replay; `sees_reads` turns it off for the handlers that are called from then on.
    """

    def __init__(self) -> None:
        self.seen: list[Sighting] = []
        self.is_on = True
        self.sees_reads = True
        self.databases = OwnFiles(self._executed).following_databases

    def record(
        self,
        kind: Kind,
        what: str,
        frame: FrameType | None = None,
        *,
        is_unordered: bool = False,
    ) -> None:
        """Record something that a line of the user's does; ignore what libraries do."""
        frame = source_lines.user_frame(frame or sys._getframe(1))  # noqa: SLF001
        # A thread of the handler's own may have no frame of the user's.
        is_asked = kind == "effect" or frame is None
        place = own_threads.asking_line(frame) if is_asked else source_lines.current_line(frame)
        if place is not None and self.is_on:
            if kind in ("listing", "completion") and frame is not None:
                is_unordered = is_unordered or ignores_order(frame)
            self.seen.append(Sighting(kind, what, place, is_unordered))

    def begin(self, frame: FrameType, event: str, argument: Any) -> None:
        """Look at the calls of this thread from now on, if a handler is called in it."""
        runs_handlers = may_run_handlers(threading.current_thread())
        if not self.sees_reads or not (runs_handlers or own_threads.origin() is not None):
            sys.setprofile(None)
            return
        sys.setprofile(profile := self._profiler())
        profile(frame, event, argument)

    def _profiler(self) -> Callable[[FrameType, str, Any], None]:
        # It is called for every call there is: most of them have to be dismissed at once.
        clock: Read | None = None  # the call from Python that is about to read the clock
        caller = 0

        def profile(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal clock, caller
            if event == "call":
                if id(frame.f_globals) not in WATCHED_GLOBALS or frame.f_code not in WATCHED:
                    return
                seen, by = sources.called(frame), frame.f_back
                if frame.f_code is CLOCK_READ and clock is not None and id(by) == caller:
                    seen, clock = clock, None
                self._saw(seen, by)
            elif event == "c_call" and getattr(argument, "__name__", "") in WATCHED_BUILTINS:
                seen = sources.called_builtin(argument)
                if seen is not None and argument.__name__ in READ_BY_TIME_MACHINE:
                    clock, caller = seen, id(frame)
                else:
                    self._saw(seen, frame)

        return profile

    def _saw(self, seen: Read | None, by: FrameType | None) -> None:
        user = _user_of(by, seen.names) if seen and is_of_handler(by) else None
        if seen and user and not is_of_world(user):
            self.record(seen.kind, seen.what, user)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at an audit event; see `sys.addaudithook`."""
        seen = sources.audited(event, arguments)
        if seen is None:
            return
        frame = sys._getframe(1)  # noqa: SLF001 - itself audited, so not before
        if does_itself(frame) and not (event in _SENT and _is_seen_otherwise(event, frame)):
            self.record(seen.kind, seen.what, frame)

    def observe(self, service: str, operation: str, request: Mapping[str, Any]) -> None:
        """Look at a call of AWS."""
        frame = sys._getframe(1)  # noqa: SLF001
        if is_of_handler(frame) and not is_of_world(frame, most=1):
            is_query = requests.only_queries(operation, request)
            self.record("query" if is_query else "effect", f"{service}:{operation}")

    def _executed(self, statement: str) -> None:
        if is_of_handler(frame := sys._getframe(1)):  # noqa: SLF001
            self.record("effect", f"sqlite3: {statement.split(maxsplit=1)[0].upper()}", frame)

    def origin_here(self) -> Origin | None:
        """Return the origin of a thread that a handler starts here; see `own_threads`."""
        frame = sys._getframe(1)  # noqa: SLF001
        if not is_of_handler(frame) or is_of_world(frame):
            return None
        # What order threads have is of interest only if something depends on it.
        self.record("completion", "the order of threads", frame, is_unordered=True)
        return Origin(own_threads.asking_line(frame))

    @contextmanager
    def identities(self) -> Iterator[None]:
        """Context manager that sees `id` and `hash` in the user's modules, called by anyone."""
        with ExitStack() as stack:
            for function in (id, hash):
                seen = self._seen(function)
                stack.enter_context(user_modules.replacing(builtins, function, seen))
            yield

    def _seen(self, function: Callable[..., int]) -> Callable[..., int]:
        def call(thing: object) -> int:
            frame = source_lines.user_frame(sys._getframe(1))  # noqa: SLF001
            if frame is not None and frame.f_code.co_name != "__hash__" and is_of_handler(frame):
                self.record("identity", f"{function.__name__}()", frame)
            return function(thing)

        return call


@contextmanager
def watching(*, reads: bool = True) -> Iterator[Watch]:
    """Context manager that watches the threads in which handlers are called.

    Parameters:
        reads: whether to see reads as well, at first; see `Watch`.
    """
    watch = Watch()
    watch.sees_reads = reads
    before = threading.getprofile()
    threading.setprofile(watch.begin)
    try:
        with (
            ACTIVE.audited_by(watch.audit),
            listening(watch.observe),
            own_threads.following(watch.origin_here, is_own),
            watch.databases(),
            watch.identities() if reads else nullcontext(),
        ):
            yield watch
    finally:
        threading.setprofile(before)
        watch.is_on = False


def _user_of(frame: FrameType | None, names: tuple[str, ...]) -> FrameType | None:
    """Return the user's frame that makes a call, or hands it to a library; None if neither does."""
    is_direct = True
    while frame is not None and not source_lines.is_user_code(frame.f_code):
        code = frame.f_code
        if code in WATCHED:
            return None  # seen already, under the name that the user knows
        if code.co_filename in TRANSPARENT:
            is_direct = False
        elif not _is_generated(code):
            # A library that does not know the name was given the function.
            return source_lines.user_frame(frame) if is_direct and not _knows(code, names) else None
        frame = frame.f_back
    return frame


def _is_generated(code: CodeType) -> bool:
    """Return whether code was made from a class of the user's, as `dataclass` and `attrs` do."""
    return code.co_filename.startswith("<") and not code.co_filename.startswith("<frozen")


def _knows(code: CodeType, names: tuple[str, ...]) -> bool:
    # Also a parameter that has it as its default, and what a class took from around it.
    all_known = (*code.co_names, *code.co_varnames, *code.co_freevars)
    return any(name in known for name in names for known in all_known)


_SENT = ("socket.connect", "http.client.send")
_HTTP = ("/http/client.py", "/urllib3/connection.py")
_BOTOCORE = "/botocore/"


def _is_seen_otherwise(event: str, frame: FrameType | None) -> bool:
    """Return whether a connection is one of botocore's, or of a client whose request is seen."""
    parts = (_BOTOCORE,) if event == "http.client.send" else (_BOTOCORE, *_HTTP)
    while frame is not None and not source_lines.is_user_code(frame.f_code):
        if any(part in frame.f_code.co_filename for part in parts):
            return True
        frame = frame.f_back
    return False
