"""Waits of a handler that move virtual time: sleeps, timeouts of locks, and an event loop's.

Modules bind these names when they are imported (`from time import sleep`), and create their locks
then. So the replacements are installed once, before a handler is imported, and look up what they
serve: in a thread that runs no task they are what they replace.
"""

from __future__ import annotations

import asyncio.base_events
import functools
import os
import queue
import selectors
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from types import FrameType
from typing import Any

from dacapo.process import source_lines, user_modules
from dacapo.process.active_run import ACTIVE
from dacapo.scheduling.baton import real_lock, real_monotonic, real_sleep
from dacapo.scheduling.locks import Lock, RLock, has_busy_threads
from dacapo.scheduling.scheduler import Scheduler, here

_real_rlock = threading.RLock
_UNKNOWN = object()
_IS_USERS: dict[str, Any] = {
    module.__file__: None
    for module in (threading, queue, functools, futures._base, futures.thread)  # noqa: SLF001
    if module.__file__ is not None
}
"""Whether a file is the user's; None for modules whose locks belong to the code that calls them."""
_EVENT_LOOP = asyncio.base_events.__file__
_SELF_PIPE = 1
"""File descriptors that every event loop waits for: those by which other threads wake it."""


def install() -> None:
    """Let the waits of handlers move virtual time, from now on."""
    if time.sleep is not real_sleep:
        return
    time.sleep = _sleep  # type: ignore[assignment]
    time.monotonic = queue.time = monotonic  # type: ignore[attr-defined]
    threading._time = monotonic  # type: ignore[attr-defined] # noqa: SLF001
    time.monotonic_ns = monotonic_ns
    locks: Any = _ForCaller(Lock, real_lock)
    rlocks: Any = _ForCaller(RLock, _real_rlock)
    threading.Lock = locks
    threading._allocate_lock = locks  # type: ignore[attr-defined] # noqa: SLF001
    threading.RLock = rlocks
    if hasattr(functools, "RLock"):  # cached_property has a lock until Python 3.11
        functools.RLock = rlocks
    os.register_at_fork(after_in_child=_leave)
    for selector in (selectors.DefaultSelector, selectors.SelectSelector, selectors.PollSelector):
        selector.select = _select(selector.select)  # type: ignore[method-assign]


def _leave() -> None:
    # A child process of the handler's runs no task.
    ACTIVE.thread.scheduler = None


def _sleep(seconds: float) -> None:
    scheduler = here()
    if scheduler is not None:
        scheduler.sleep(seconds)
    elif ACTIVE.outside is None or not ACTIVE.outside.sleep(seconds):
        real_sleep(seconds)


def replace_imported_sleep() -> None:
    """Replace the real `sleep` in user modules that imported it by name before `install`."""
    for module in user_modules.user_modules():
        for name, value in list(vars(module).items()):
            if value is real_sleep:
                setattr(module, name, _sleep)


def monotonic() -> float:
    """Return the virtual time of a run in a task, as `time.monotonic` does outside one."""
    scheduler = here()
    if scheduler is None:
        return real_monotonic()
    return (scheduler.clock.now - scheduler.clock.start).total_seconds()


def monotonic_ns() -> int:
    """Return `monotonic` in nanoseconds."""
    return round(monotonic() * 1e9)


class _ForCaller:
    """Stands in for `threading.Lock` or `RLock`: gives user code ours, and libraries the original.

    An object and not a function, because code makes it an attribute of classes. It is called for
    every operation that the SDK reads back, so it looks at few frames, and each file once.
    """

    __slots__ = ("_ours", "_real")

    def __init__(self, ours: Callable[[], Any], real: Callable[[], Any]) -> None:
        self._ours = ours
        self._real = real

    def __call__(self) -> Any:
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - documented
        while frame is not None:
            code = frame.f_code
            is_users = _IS_USERS.get(code.co_filename, _UNKNOWN)
            if is_users is _UNKNOWN:
                is_users = source_lines.is_user_code(code)
                _IS_USERS[code.co_filename] = is_users
            if is_users is not None:
                return self._ours() if is_users else self._real()
            if code.co_name == "_after_fork":
                break  # a lock of the module itself, made again in a child of the user's
            frame = frame.f_back
        return self._real()


def _select(really_select: Callable[..., Any]) -> Callable[..., Any]:
    """Return `select` of an event loop whose timeouts are virtual."""

    def select(self: Any, timeout: float | None = None) -> Any:
        scheduler = here()
        caller = sys._getframe(1).f_code.co_filename  # noqa: SLF001
        if scheduler is None or caller != _EVENT_LOOP or timeout == 0:
            return really_select(self, timeout)
        is_real = timeout is None or _waits_for_others(self, scheduler)
        ready = really_select(self, timeout if is_real else 0)
        if ready or timeout is None:
            return ready
        scheduler.sleep(timeout)
        return really_select(self, 0)

    return select


def _waits_for_others(selector: Any, scheduler: Scheduler) -> bool:
    return len(selector.get_map()) > _SELF_PIPE or has_busy_threads(scheduler)
