"""Virtual time: what the hour is, and what is due when.

One clock drives everything that happens in a run. Nothing sleeps: the clock jumps to the next
event that is due, and the process clock (`time.time()`, `datetime.now()`) jumps with it. It is
frozen between two jumps, so that a handler that reads it twice in one invocation, or in two runs,
reads the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count

import time_machine


class Timer:
    """Something that will happen at a virtual time, unless it is cancelled first."""

    __slots__ = ("action", "background", "cancelled", "what", "when")

    def __init__(
        self, when: datetime, action: Callable[[], object], what: str, *, background: bool
    ) -> None:
        self.when = when
        self.action = action
        self.what = what
        self.background = background
        self.cancelled = False


class Clock:
    """The virtual clock and its queue of timers.

    Parameters:
        start: the virtual time at which the run begins; must be timezone-aware.
    """

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._queue: list[tuple[datetime, int, Timer]] = []
        self._made = count()
        self._foreground = 0
        self._traveller: time_machine.Traveller | None = None

    def schedule(
        self,
        delay: timedelta,
        action: Callable[[], object],
        what: str,
        *,
        background: bool = False,
    ) -> Timer:
        """Let `action` happen `delay` after now; timers due at one time fire as they were made.

        Parameters:
            what: what will happen, in words, for messages.
            background: whether the run may end without it (a timeout that only bounds a wait).
        """
        timer = Timer(self.now + delay, action, what, background=background)
        heapq.heappush(self._queue, (timer.when, next(self._made), timer))
        self._foreground += not background
        return timer

    def cancel(self, timer: Timer) -> None:
        """Take a timer back; one that fired already, or was cancelled, is left as it is."""
        if not timer.cancelled:
            timer.cancelled = True
            self._foreground -= not timer.background

    def is_idle(self) -> bool:
        """Whether nothing is due any more but what runs in the background."""
        return self._foreground == 0

    def run_next(self, until: datetime | None = None) -> bool:
        """Move to the next timer and fire it.

        Parameters:
            until: do not go beyond this time.

        Returns:
            False when there is no timer, or none up to `until`.
        """
        while self._queue and self._queue[0][2].cancelled:
            heapq.heappop(self._queue)
        if not self._queue or (until is not None and self._queue[0][0] > until):
            return False
        when, _, timer = heapq.heappop(self._queue)
        self.cancel(timer)
        self._move_to(when)
        timer.action()
        return True

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass; whatever falls due meanwhile happens.

        Parameters:
            seconds: how long; 0 or more.

        Raises:
            ValueError: `seconds` is negative, as `time.sleep` has it.
        """
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        end = self.now + timedelta(seconds=seconds)
        while self.run_next(until=end):
            pass
        self._move_to(end)

    @contextmanager
    def drives_process(self) -> Iterator[None]:
        """While this lasts, the process's clock is this clock."""
        with time_machine.travel(self.now, tick=False) as self._traveller:
            yield
        self._traveller = None

    def _move_to(self, when: datetime) -> None:
        if when > self.now:
            if self._traveller is not None:
                self._traveller.shift(when - self.now)
            self.now = when
