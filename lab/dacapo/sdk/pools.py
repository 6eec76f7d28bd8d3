"""What the SDK runs handlers and branches in: its thread pools and its queue, on our tasks."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from typing import Any, Self

from dacapo.scheduling.baton import real_lock
from dacapo.scheduling.clock import duration
from dacapo.scheduling.scheduler import Scheduler, Waiter
from dacapo.scheduling.tasks import InvocationEnded, Turn

_SHORTEST = timedelta(microseconds=1)
"""A wait must move virtual time, or the coordinator would look at the same moment for ever."""


class Event(threading.Event):
    """An event of the SDK's own, which makes one for each operation that it reads back.

    It skips the question whose lock it is; see `scheduling.waits`.
    """

    def __init__(self) -> None:
        self._cond = threading.Condition(real_lock())
        self._flag = False


class HandlerPool:
    """The pool in which the SDK calls the handler, and stores its checkpoints.

    Its threads belong to the task that calls the handler.
    """

    def __init__(self, scheduler: Scheduler, max_workers: int, thread_name_prefix: str) -> None:
        _ = max_workers
        self._scheduler = scheduler
        self._name = thread_name_prefix
        self._threads: list[threading.Thread] = []

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call a function in a thread of its own."""
        future: Future[Any] = Future()
        # The SDK submits the handler first, and then what stores its checkpoints.
        within = self._scheduler.beside if self._threads else self._scheduler.here

        def work() -> None:
            with within():
                try:
                    future.set_result(function(*arguments))
                except BaseException as error:  # noqa: BLE001 - the future has it
                    future.set_exception(error)

        # Daemons: a handler that never returns must not keep the process from ending.
        name = f"{self._name}_{len(self._threads)}"
        self._threads.append(thread := threading.Thread(target=work, daemon=True, name=name))
        thread.start()
        return future

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until its threads have ended."""
        for thread in self._threads:
            thread.join()


class BranchPool:
    """The pool in which a batch runs its branches: each is a task."""

    def __init__(self, scheduler: Scheduler, max_workers: int) -> None:
        _ = max_workers  # the coordinator never submits more
        self._scheduler = scheduler
        self._running = 0
        self._joining: list[Waiter] = []

    def submit(self, run: Callable[..., object], *arguments: Any) -> None:
        """Start a branch."""
        self._running += 1
        scheduler = self._scheduler

        def branch() -> None:
            try:
                # The coordinator has every outcome as an event; a pool drops it too.
                with suppress(BaseException):
                    run(*arguments)
            finally:
                self._running -= 1
                if not self._running:
                    for waiter in self._joining:
                        waiter.wake()

        around, executable = arguments[-3], arguments[-1]
        key = f"{scheduler.current.key} {around._parent_id} {executable.index}"  # noqa: SLF001
        scheduler.start("a branch", key, branch, scheduler.current.sandbox).is_branch = True

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        """Wait for the branches; the SDK does so before an invocation ends."""
        _ = cancel_futures  # each branch has begun: the coordinator waited for events since
        if wait and self._running and not self._scheduler.is_unwinding():
            self._joining.append(waiter := self._scheduler.waiter())
            with suppress(InvocationEnded):  # or the SDK's own threads would never end
                waiter.wait()


class Events:
    """The queue by which branches notify their coordinator."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._events: deque[Any] = deque()
        self._waiter: Waiter | None = None

    def put(self, event: Any) -> None:
        """Add an event."""
        self._events.append(event)
        if self._waiter is not None:
            self._waiter.wake()

    def get(self, timeout: float | None = None) -> Any:
        """Remove and return the next event; let other tasks go on until there is one.

        Parameters:
            timeout: virtual seconds; None for no limit.

        Raises:
            queue.Empty: the time is over.
        """
        if not self._events:
            # Submitted branches begin at once on Lambda, so their coordinator goes on after that.
            self._waiter = self._scheduler.waiter(Turn.AFTER_BEGINNINGS)
            length = None if timeout is None else max(_SHORTEST, duration(timeout))
            try:
                self._waiter.wait(length)
            finally:
                self._waiter = None
        return self.get_nowait()

    def get_nowait(self) -> Any:
        """Remove and return the next event.

        Raises:
            queue.Empty: there is none.
        """
        if not self._events:
            raise queue.Empty
        return self._events.popleft()
