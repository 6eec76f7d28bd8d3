"""Whose turn it is: the order in which tasks begin and go on, which a seed determines."""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from typing import Protocol

from dacapo.scheduling.clock import Clock
from dacapo.scheduling.tasks import Task, Turn

SWITCH_CHANCE = 1 / 2
"""How often a task passes the baton on where it need not: often enough that a few seeds show a
race, rarely enough that threads do not spend the run handing over."""
BEGIN_CHANCE = 1 / 2
"""How often the next task begins, rather than one that began before goes on. A batch of 1,000
branches has few threads at a time this way."""


class Waiting(Protocol):
    """A thread of a task that waits for the baton."""

    task: Task
    turn: Turn


class Turns:
    """The tasks that can go on.

    Parameters:
        clock: the virtual clock.
        seed: seed of the order.
    """

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self._count = 0
        self._beginning: deque[Task | Waiting] = deque()
        self._ready: list[tuple[float, int, Waiting]] = []
        self._patient: list[Waiting] = []

    def __bool__(self) -> bool:
        """Return True if a task can go on."""
        return bool(self._beginning or self._ready or self._patient)

    def begin(self, task: Task) -> None:
        """Add a task that was started; tasks begin in the order in which they were."""
        self._beginning.append(task)

    def add(self, waiting: Waiting) -> None:
        """Add a thread that was woken."""
        match waiting.turn:
            case Turn.AS_BEGINNING:
                self._beginning.append(waiting)
            case Turn.BY_SEED:
                self._push(waiting)
            case Turn.AFTER_BEGINNINGS:
                self._patient.append(waiting)

    def switches(self, task: Task) -> bool:
        """Return True if a task that runs passes the baton on here, although it could go on."""
        task.turns += 1
        has_others = bool(self._beginning or self._ready)
        return has_others and self._draw("switch", task) < SWITCH_CHANCE

    def next(self, after: Task) -> Task | Waiting | None:
        """Remove and return who is next: a task that begins, or a thread; None if no one can.

        Parameters:
            after: the task that passes the baton on.
        """
        if self._beginning and (not self._ready or self._draw("begin", after) < BEGIN_CHANCE):
            return self._beginning.popleft()
        if not self._beginning:
            for waiting in self._patient:
                self._push(waiting)
            self._patient.clear()
        return heapq.heappop(self._ready)[-1] if self._ready else None

    def _push(self, waiting: Waiting) -> None:
        self._count += 1
        heapq.heappush(self._ready, (self._draw("go on", waiting.task), self._count, waiting))

    def _draw(self, what: str, task: Task) -> float:
        """Return a number below 1 that depends on the seed, the time and the task alone.

        A generator would make each decision depend on all before it, and a replay decides again.
        """
        text = f"{self._seed} {what} {self._clock.moment} {task.key} {task.turns}"
        digest = hashlib.blake2b(text.encode(), digest_size=6).digest()
        return int.from_bytes(digest, "big") / 2**48
