"""The threads of a test: those that may still answer a callback have to be waited for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import FrameType
from weakref import WeakSet

from dacapo.sdk.installed import may_run_handlers

_FRAMES = 5
"""How many of a thread's innermost frames say what it waits for."""
_WITHOUT_A_JOB = {("concurrent/futures/thread.py", "_worker")}
"""Innermost frames of threads that have nothing to do."""
_WAITS_FOR_OTHERS = {
    ("socketserver.py", "serve_forever"),
    ("threading.py", "join"),
    ("concurrent/futures/_base.py", "result"),
    ("concurrent/futures/_base.py", "exception"),
    ("concurrent/futures/_base.py", "wait"),
}
"""Functions of the standard library in which a thread waits for what another one does."""


class Parties:
    """The threads that may act on a run from outside, besides the one that drives it.

    Those are the main thread, and each one that starts after this: threads that were there before
    (of a test runner, a server) are not waited for, unless they make a call.
    """

    def __init__(self) -> None:
        own = (threading.current_thread(), threading.main_thread())
        self._others = WeakSet(t for t in threading.enumerate() if t not in own)
        self._of_run: WeakSet[threading.Thread] = WeakSet()

    def admit(self) -> None:
        """Count the current thread as a party, because it makes a call."""
        self._others.discard(threading.current_thread())

    def note_threads_of_run(self, before: set[threading.Thread]) -> None:
        """Note which threads a handler started.

        Parameters:
            before: the threads that there were before it ran.
        """
        self._of_run.update(thread for thread in threading.enumerate() if thread not in before)

    def sees_virtual_time(self) -> bool:
        """Return True if the current thread is the test's: a handler's own ones see real time."""
        me = threading.current_thread()
        return me not in self._others and me not in self._of_run and not may_run_handlers(me)

    def busy(self, waiting: set[int]) -> bool:
        """Return True if another thread may still do something.

        Parameters:
            waiting: identifiers of the threads that wait for virtual time.
        """
        me = threading.current_thread()
        return any(
            thread is not me
            and thread.ident not in waiting
            and thread not in self._others
            and not may_run_handlers(thread)
            and not _waits(thread)
            for thread in threading.enumerate()
        )


def _waits(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - the documented way
    if frame is None:
        return True
    functions = list(_functions(frame))
    return functions[0] in _WITHOUT_A_JOB or bool(_WAITS_FOR_OTHERS.intersection(functions))


def _functions(frame: FrameType | None) -> Iterator[tuple[str, str]]:
    for _ in range(_FRAMES):
        if frame is None:
            return
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        known = (path for path, _ in _WITHOUT_A_JOB | _WAITS_FOR_OTHERS if file.endswith(path))
        yield next(known, file), name
        frame = frame.f_back
