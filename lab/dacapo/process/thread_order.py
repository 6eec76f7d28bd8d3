"""The order in which threads of a handler's own do their work: as they were started, or reversed.

On Lambda, any order may come up. Here it is one of two, each the same every time: each thread waits
at its beginning until it is its turn. A pool of two workers begins two things at a time, so the
reversed order takes the later one of those that have begun.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field

from dacapo.process import source_lines

real_sleep = time.sleep
"""The original: `scheduling.waits` replaces it."""

_PATIENCE_SECONDS = 0.5
"""Real time after which a thread goes on out of turn: another one may wait for it."""
_LOOK_AGAIN_SECONDS = 0.001
_STARTS = ("start", "submit", "_adjust_thread_count")
_WAITS = ("wait", "join", "_wait_for_tstate_lock", "acquire", "select", "result", "get", "_join")


@dataclass
class _Group:
    """Threads, or the work of one pool.

    Parameters:
        most: how many can be under way at a time; None for no limit.
    """

    most: int | None
    left: set[int] = field(default_factory=set)
    begun: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Turn:
    """A turn in the order.

    Parameters:
        number: counts what was started.
        group: what it is ordered within.
        starter: identifier of the thread that started it.
        around: the number of the work that started it, and of what started that.
    """

    number: int
    group: Hashable
    starter: int
    around: frozenset[int]


class ThreadOrder:
    """Lets threads work one after the other.

    Parameters:
        is_reversed: whether what was started last comes first.
    """

    def __init__(self, *, is_reversed: bool) -> None:
        self._is_reversed = is_reversed
        self._groups: dict[Hashable, _Group] = {}
        self._count = 0
        self._current = threading.local()

    def started(self, group: Hashable, most: int | None = None) -> Turn:
        """Return the turn of something that the current thread starts.

        Parameters:
            group: the pool that it is for, or what all threads share.
            most: how many of the group can be under way at a time; None for no limit.
        """
        self._count += 1
        around: frozenset[int] = getattr(self._current, "around", frozenset())
        self._groups.setdefault(group, _Group(most)).left.add(self._count)
        return Turn(self._count, group, threading.get_ident(), around)

    def begin(self, turn: Turn) -> None:
        """Wait until it is the turn of this turn."""
        self._groups[turn.group].begun.add(turn.number)
        self._current.around = turn.around | {turn.number}
        for _ in range(int(_PATIENCE_SECONDS / _LOOK_AGAIN_SECONDS)):
            if self._is_turn_of(turn):
                return
            real_sleep(_LOOK_AGAIN_SECONDS)

    def end(self, turn: Turn) -> None:
        """Let the next one begin."""
        group = self._groups[turn.group]
        group.left.discard(turn.number)
        group.begun.discard(turn.number)
        self._current.around = turn.around

    def _is_turn_of(self, turn: Turn) -> bool:
        group = self._groups[turn.group]
        left, begun = group.left - turn.around, group.begun - turn.around
        if not self._is_reversed:
            return turn.number == min(left)
        most = len(left) if group.most is None else min(group.most, len(left))
        return len(begun) >= most and turn.number == max(begun) and _waits(turn.starter)


def _waits(thread: int) -> bool:
    """Return whether a thread has started all that it starts now, and waits for it."""
    frame = source_lines.frame_of(thread)
    is_waiting = frame is None
    while frame is not None and not source_lines.is_user_code(frame.f_code):
        if frame.f_code.co_name in _STARTS:
            return False
        is_waiting = is_waiting or frame.f_code.co_name in _WAITS
        frame = frame.f_back
    return is_waiting
