"""Threads that a handler starts itself: what is done in one belongs to the code that started it.

A handler's `Thread`, its pools and `asyncio.to_thread` run code that no frame connects with the
handler. So what starts a thread, or submits work to a pool, notes an *origin*, and the thread has
it while it does that work.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.thread import _worker
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any
from unittest.mock import patch

from dacapo.process import source_lines
from dacapo.process.active_run import ACTIVE
from dacapo.process.source_lines import Place
from dacapo.process.thread_order import ThreadOrder, Turn

_submit = ThreadPoolExecutor.submit


@dataclass(frozen=True)
class Origin:
    """The line at which a thread of a handler's own was started, or work was submitted to its pool.

    Parameters:
        place: the line of the user's code.
        within: the steps and contexts around that line, the innermost last.
        execution: ARN of the execution; "" for none.
        body: how often the body of the innermost step had begun to run.
    """

    place: Place | None
    within: tuple[Any, ...] = ()
    execution: str = ""
    body: int = 0


def origin() -> Origin | None:
    """Return the origin of what this thread does; None for a thread that no handler started."""
    return getattr(ACTIVE.thread, "origin", None)


def asking_line(frame: FrameType | None = None) -> Place | None:
    """Return the line of a step or a handler's body that asks for what this thread does.

    Parameters:
        frame: where to start, in a thread of the run's; None for the caller.
    """
    started = origin()
    return started.place if started else source_lines.calling_line(frame)


def is_following() -> bool:
    """Return whether threads get an origin already."""
    return ThreadPoolExecutor.submit is not _submit


@contextmanager
def following(
    origin_here: Callable[[], Origin | None],
    is_own: Callable[[threading.Thread], bool],
    order: ThreadOrder | None = None,
) -> Iterator[None]:
    """Context manager that hands an origin to every thread and to all work for a pool.

    Parameters:
        origin_here: returns the origin of what the current thread starts, or None if that is not a
            handler's doing.
        is_own: returns whether a thread may be a handler's own, rather than one of the run's.
        order: the order in which they work; None for as it comes.
    """
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def start_following(self: threading.Thread) -> None:
        here = origin_here() if is_own(self) else None
        if here is not None:
            run = self.run
            if order is not None and self._target is not _worker:  # type: ignore[attr-defined]
                run = _in_order(order, order.started("threads"), run)
            self.run = _within(here, run)  # type: ignore[method-assign]
        start(self)

    def submit_following(
        self: ThreadPoolExecutor, function: Callable[..., Any], /, *arguments: Any, **named: Any
    ) -> Future[Any]:
        here = origin_here()
        if here is not None:
            if order is not None:
                # Not its ID, which another pool may get once this one is gone.
                turn = order.started(weakref.ref(self), self._max_workers)
                function = _in_order(order, turn, function)
            function = _within(here, function)
        return submit(self, function, *arguments, **named)

    with (
        patch.object(threading.Thread, "start", start_following),
        patch.object(ThreadPoolExecutor, "submit", submit_following),
    ):
        yield


def _in_order(order: ThreadOrder, turn: Turn, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        order.begin(turn)
        try:
            return function(*arguments, **named)
        finally:
            order.end(turn)

    return call


def _within(here: Origin, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        before, ACTIVE.thread.origin = origin(), here
        if threading.getprofile() is not None:  # it may have dismissed this thread before
            sys.setprofile(threading.getprofile())
        try:
            return function(*arguments, **named)
        finally:
            ACTIVE.thread.origin = before

    return call
