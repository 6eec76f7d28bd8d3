"""Notices, in real time, a task that never passes the baton on."""

from __future__ import annotations

import time
from typing import Any

from dacapo.errors import HandlerStuck
from dacapo.process import source_lines
from dacapo.scheduling.baton import real_monotonic
from dacapo.scheduling.clock import Clock

SPIN_LIMIT_SECONDS = 20.0
"""Processor time that a task may take without any call; then it counts as stuck. Not real time,
which depends on what else the machine does."""
WAIT_LIMIT_SECONDS = 60.0
"""Real time that a task may wait for something outside the run; then it counts as stuck."""
MOMENT_LIMIT_SECONDS = 45.0
"""Processor time after which tasks that make calls, but let no virtual time pass and no operation
go on, count as stuck."""
_LOOK_SECONDS = 1.0


class Watchdog:
    """Waits for the baton in the driver's place, and looks at who has it.

    Parameters:
        clock: the virtual clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls = 0
        self._moment = clock.now
        self._spent = 0.0  # by tasks, in processor seconds, at this moment
        self.name, self.holder = "", 0
        """The task that had the baton last, and the identifier of its thread."""

    def goes_on(self) -> None:
        """Count a call of the task that has the baton: it is not stuck."""
        self._calls += 1

    def progress(self) -> None:
        """Note that an operation goes on: an execution can't have many of them."""
        self._calls += 1
        self._spent = 0.0

    def wait_for(self, baton: Any) -> None:
        """Wait until the baton, a lock, is released.

        Raises:
            HandlerStuck: its holder made no call, or let no virtual time pass, for too long.
        """
        began = since = time.process_time()
        waits_since = real_monotonic()
        seen = self._calls
        while not baton.acquire(timeout=_LOOK_SECONDS):
            now = time.process_time()
            self.check_moment(now - began)
            if self._calls != seen:
                seen, since, waits_since = self._calls, now, real_monotonic()
            elif now - since > SPIN_LIMIT_SECONDS:
                raise self._stuck(f"made no call for {SPIN_LIMIT_SECONDS:g} s of processor time")
            elif real_monotonic() - waits_since > WAIT_LIMIT_SECONDS:
                raise self._stuck(f"made no call for {WAIT_LIMIT_SECONDS:g} s of real time")
        self._spent += time.process_time() - began

    def check_moment(self, more: float = 0.0) -> None:
        """Check that virtual time has passed lately.

        Parameters:
            more: processor seconds that the holder of the baton has taken so far.

        Raises:
            HandlerStuck: it has not.
        """
        if self._moment != self._clock.now:
            self._moment, self._spent = self._clock.now, 0.0
        if self._spent + more > MOMENT_LIMIT_SECONDS:
            seconds = f"{MOMENT_LIMIT_SECONDS:g} s of processor time"
            raise self._stuck(f"let no virtual time pass in {seconds}")

    def _stuck(self, what: str) -> HandlerStuck:
        frame = source_lines.frame_of(self.holder)
        place = source_lines.current_line(frame) if frame else None
        return HandlerStuck(f"{self.name} {what}", place)
