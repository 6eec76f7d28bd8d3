"""Virtual time: the current time of a run, and the timers that are due.

One clock drives everything that happens in a run. Nothing sleeps: the clock jumps to the next
timer that is due, and the process clock (`time.time()`, `datetime.now()`) jumps with it. Between
jumps it is frozen, so a handler that reads it twice in one invocation, or in two runs, reads the
same time.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import time_machine


def duration(seconds: float) -> timedelta:
    """Return a length of virtual time, in whole microseconds and never less than asked for.

    Code that waits for the rest of a time would otherwise wait for nothing, again and again.

    Parameters:
        seconds: 0 or more.

    Raises:
        ValueError: `seconds` is negative, as in `time.sleep`.
    """
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    return timedelta(microseconds=math.ceil(round(seconds * 1e6, 3)))


class Timer:
    """An action scheduled at a virtual time, unless it is canceled first."""

    __slots__ = ("action", "background", "description", "due", "is_canceled")

    def __init__(
        self, due: datetime, action: Callable[[], object], description: str, *, background: bool
    ) -> None:
        self.due = due
        self.action = action
        self.description = description
        self.background = background
        self.is_canceled = False


class Clock:
    """The virtual clock and its queue of timers.

    Parameters:
        start: virtual time at which the run begins; must be timezone-aware.
    """

    def __init__(self, start: datetime) -> None:
        self.start = self.now = start
        self._origin = datetime(1970, 1, 1, tzinfo=UTC)
        self._queue: list[tuple[datetime, int, Timer]] = []
        self._sequence = count()
        self._foreground = 0
        self._traveler: time_machine.Traveller | None = None
        self.on_fired: Callable[[], None] = lambda: None
        """Runs after each timer: the tasks that it made ready go on."""

    @property
    def moment(self) -> float:
        """Seconds that stand for the present in decisions that must be the same in each run."""
        return (self.now - self._origin).total_seconds()

    def restart_at(self, now: datetime) -> None:
        """Set another time, without firing anything; `moment` stays what it is.

        Only while nothing runs. A run that begins at the real time is the same tomorrow, then.
        """
        self._origin += now - self.now
        self.now = now

    def schedule(
        self,
        delay: timedelta,
        action: Callable[[], object],
        description: str,
        *,
        background: bool = False,
    ) -> Timer:
        """Schedule `action` after `delay`; timers due at the same time fire in scheduling order.

        Parameters:
            description: the action in words, for messages.
            background: if True, the run may end before it fires (a timeout that only bounds a
                wait).
        """
        timer = Timer(self.now + delay, action, description, background=background)
        heapq.heappush(self._queue, (timer.due, next(self._sequence), timer))
        self._foreground += not background
        return timer

    def cancel(self, timer: Timer) -> None:
        """Cancel a timer; do nothing if it fired or was canceled before."""
        if not timer.is_canceled:
            timer.is_canceled = True
            self._foreground -= not timer.background

    def is_idle(self) -> bool:
        """Return True if only background timers are left."""
        return self._foreground == 0

    def run_next(self, until: datetime | None = None) -> bool:
        """Advance to the next timer and fire it; only the driver of a run may do so.

        Parameters:
            until: do not advance past this time.

        Returns:
            False if there is no timer, or none up to `until`.
        """
        while self._queue and self._queue[0][2].is_canceled:
            heapq.heappop(self._queue)
        if not self._queue or (until is not None and self._queue[0][0] > until):
            return False
        due, _, timer = heapq.heappop(self._queue)
        self.cancel(timer)
        self.advance_to(due)
        timer.action()
        self.on_fired()
        return True

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass, and fire every timer that falls due on the way.

        Raises:
            ValueError: `seconds` is negative.
        """
        end = self.now + duration(seconds)
        while self.run_next(until=end):
            pass
        self.advance_to(end)

    @contextmanager
    def driving_process(self) -> Iterator[None]:
        """Context manager that makes this clock the process clock."""
        with time_machine.travel(self.now, tick=False) as traveler:
            self._traveler = traveler
            try:
                yield
            finally:
                self._traveler = None

    def advance_to(self, due: datetime) -> None:
        """Move virtual time forward, without firing anything."""
        if due > self.now:
            if self._traveler is not None:
                self._traveler.shift(due - self.now)
            self.now = due
