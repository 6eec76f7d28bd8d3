"""Threads that wait for the baton, and what stops one that never gives it back."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

TASK_THREAD = "dacapo-task"
"""Name of the threads of tasks."""
real_lock = threading.Lock
real_monotonic = time.monotonic
real_sleep = time.sleep
"""The originals: `waits` replaces the names in their modules."""


def locked() -> Any:
    """Return a real lock that is held already."""
    lock = real_lock()
    lock.acquire()
    return lock


def stop_thread(ident: int, error: type[BaseException]) -> None:
    """Raise an exception in a thread, as soon as it executes Python."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(error))


class Thread:
    """A thread that does one job after another.

    Parameters:
        within: context in which it does them.
    """

    def __init__(self, within: Callable[[], AbstractContextManager[None]]) -> None:
        self._within = within
        self._go = locked()
        self._job: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._work, daemon=True, name=TASK_THREAD)
        self._thread.start()

    def give(self, job: Callable[[], None]) -> None:
        """Have a job done."""
        self._job = job
        self._go.release()

    def end(self) -> None:
        """End the thread after its job."""
        self._job = None
        self._go.release()

    def join(self, seconds: float) -> None:
        """Wait until it has ended, in real time."""
        self._thread.join(seconds)

    def _work(self) -> None:
        with self._within():
            while True:
                self._go.acquire()
                job = self._job
                if job is None:
                    return
                job()
