"""Locks of user code: waiting for one passes the baton on, and a timeout is virtual time.

The waits of a test that drives a run step by step (for an event, or a queue) let the run go on.

A lock that a task holds over a sleep would otherwise hang the run: the task that waits for it has
the baton, so the one that would release it never goes on.
"""

from __future__ import annotations

import linecache
import sys
import threading
from collections import deque
from concurrent.futures import thread as executor_threads
from types import CodeType, FrameType
from typing import Any

from dacapo.process.active_run import ACTIVE
from dacapo.scheduling.baton import real_lock, real_monotonic, real_sleep
from dacapo.scheduling.clock import duration
from dacapo.scheduling.scheduler import Scheduler, Waiter, here
from dacapo.scheduling.tasks import InvocationEnded

_WAIT, _START = threading.Condition.wait.__code__, threading.Thread.start.__code__
_FRAMES = 3
"""Calls between the start of a thread and the lock for which it waits."""
_LOOK_AGAIN_SECONDS = 0.001
_SLICE_SECONDS = 0.5
"""Real time after which a real wait shows that it goes on."""


class Lock:
    """A lock, as `threading.Lock` is one; outside a run it is just that."""

    def __init__(self) -> None:
        self._lock = real_lock()
        self._waiters: deque[Waiter] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock; see `threading.Lock.acquire`."""
        scheduler = here()
        if scheduler is None or not blocking:
            if blocking and ACTIVE.outside is not None and _is_in_condition():
                return self._acquire_outside(timeout)
            return self._lock.acquire(blocking, timeout)
        if scheduler.is_unwinding():
            return self._acquire_or_unwind()
        scheduler.switch()
        if self._lock.acquire(False):
            return True
        if has_busy_threads(scheduler):
            return self._acquire_really(scheduler, timeout)
        return self._acquire_virtually(scheduler, timeout)

    def release(self) -> None:
        """Release the lock, and let one task that waits for it go on."""
        self._lock.release()
        if self._waiters:
            self._waiters.popleft().wake()

    def locked(self) -> bool:
        """Return True if the lock is held."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        """Acquire it."""
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        """Release it."""
        self.release()

    def _at_fork_reinit(self) -> None:
        self.__init__()  # type: ignore[misc]

    def _acquire_outside(self, timeout: float) -> bool:
        """Acquire it in a thread of a test that drives a run: virtual time passes, then real."""
        outside = ACTIVE.outside
        if self._lock.acquire(False):
            return True
        if outside is not None and outside.wait_for(lambda: self._lock.acquire(False), timeout):
            return True
        return self._lock.acquire(True, timeout)

    def _acquire_or_unwind(self) -> bool:
        # `finally` and `with` need it, and get it if it is free.
        if self._lock.acquire(False):
            return True
        raise InvocationEnded

    def _acquire_virtually(self, scheduler: Scheduler, timeout: float) -> bool:
        end = scheduler.clock.now + duration(timeout) if timeout >= 0 else None
        while not self._lock.acquire(False):
            waiter = scheduler.waiter()
            self._waiters.append(waiter)
            left = None if end is None else end - scheduler.clock.now
            try:
                if not waiter.wait(left):
                    scheduler.on_sleep()  # nothing came of it: the time has passed, that is all
                    return False
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return True

    def _acquire_really(self, scheduler: Scheduler, timeout: float) -> bool:
        # A thread of the handler's own holds it, or will wake this one: those keep to real time.
        end = real_monotonic() + timeout
        while timeout < 0 or real_monotonic() < end:
            if self._lock.acquire(True, _SLICE_SECONDS):
                return True
            if timeout >= 0:
                scheduler.watchdog.goes_on()
        scheduler.sleep(timeout)
        return False


def _is_in_condition() -> bool:
    """Return True if a condition waits for the lock: an event, a queue, a semaphore.

    One that a thread has started does not count.
    """
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - documented
    codes: list[CodeType] = []
    while frame is not None and len(codes) < _FRAMES:
        codes.append(frame.f_code)
        frame = frame.f_back
    return codes[0] is _WAIT and _START not in codes


def RLock() -> Any:  # noqa: N802 - as in threading
    """Return a reentrant lock, as `threading.RLock` does."""
    lock = threading._PyRLock()  # type: ignore[attr-defined] # noqa: SLF001 - the Python one
    lock._block = Lock()  # noqa: SLF001
    return lock


def has_busy_threads(scheduler: Scheduler) -> bool:
    """Return True if the handler has threads of its own that do something.

    An executor's thread that waits for work does not count. It is looked at twice, because it may
    have got some and not begun.
    """
    if _has_busy_threads(scheduler):
        return True
    if all(not scheduler.is_foreign(thread) for thread in threading.enumerate()):
        return False
    real_sleep(_LOOK_AGAIN_SECONDS)
    return _has_busy_threads(scheduler)


def _has_busy_threads(scheduler: Scheduler) -> bool:
    frames = sys._current_frames()  # noqa: SLF001 - the documented way
    return any(
        not _waits_for_work(frames.get(thread.ident or 0))
        for thread in threading.enumerate()
        if scheduler.is_foreign(thread)
    )


def _waits_for_work(frame: FrameType | None) -> bool:
    return (
        frame is not None
        and frame.f_code is executor_threads._worker.__code__  # noqa: SLF001
        and "get(block=True)" in linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        and frame.f_locals["work_queue"].empty()
    )
