"""What is compared: counts of one migration that was waited for in one way, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import timedelta
from functools import cache, cached_property

ODD = timedelta(minutes=7, seconds=20)
"""What the lengths are beyond whole hours, so that no migration ends just when somebody looks."""
LENGTHS = {
    "six hours": timedelta(hours=6) + ODD,
    "24 hours": timedelta(hours=24) + ODD,
    "three days": timedelta(days=3) + ODD,
}
FEW, MORE = 10, 20
"""Looks of the two runs that give a line."""
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))
"""Between two looks, for whoever asks."""


@dataclass(frozen=True)
class Counts:
    """What one migration takes.

    Parameters:
        units: state transitions or durable operations, whichever the way is charged by.
        invocations: of Lambda functions, all together.
        payload_bytes: what is kept of it: written to a durable execution, held by a state
            machine's history, or sent to a table.
        writes: of DynamoDB items, each below 1 KB.
        reads: of DynamoDB, each below 4 KB.
        events: of a state machine's history.
    """

    units: int = 0
    invocations: int = 0
    payload_bytes: int = 0
    writes: int = 0
    reads: int = 0
    events: int = 0


@dataclass(frozen=True)
class Line:
    """A straight line through two counts: what is there once, and what every look adds.

    Parameters:
        looks: how often the first of the two looked at the migration.
        first: what it took.
        every: what each further look takes.
    """

    looks: int
    first: Counts
    every: Counts

    @classmethod
    def through(cls, looks: int, one: Counts, more_looks: int, other: Counts) -> Line:
        """The line through two runs that looked this often."""
        steps = more_looks - looks
        differences = zip(astuple(one), astuple(other), strict=True)
        return cls(looks, one, Counts(*(round((b - a) / steps) for a, b in differences)))

    def at(self, looks: int) -> Counts:
        """What it takes to look this often."""
        more = looks - self.looks
        parts = zip(astuple(self.first), astuple(self.every), strict=True)
        return Counts(*(a + more * b for a, b in parts))


class Looks:
    """What a number of looks takes: counted in a run, or on the line through two runs.

    Parameters:
        run: looks this often, and counts.
        most: looks up to which a run is made.
    """

    def __init__(self, run: Callable[[int], Counts], most: int) -> None:
        self.run = cache(run)
        self.most = most

    @cached_property
    def line(self) -> Line:
        """What every look adds."""
        return Line.through(FEW, self.run(FEW), MORE, self.run(MORE))

    def counts(self, looks: int) -> tuple[Counts, bool]:
        """What they take, and whether a run was counted."""
        is_counted = looks <= self.most
        return (self.run(looks) if is_counted else self.line.at(looks)), is_counted


@dataclass(frozen=True)
class Outcome:
    """What became of one migration that was waited for in one way.

    Parameters:
        way: how it was waited for.
        pause: between two looks; None if nobody looks at intervals.
        length: how long the migration takes.
        counts: what it took.
        is_counted: whether a run was counted; if not, the counts were reckoned from two runs.
        dollars: what one migration costs.
        delay: from its end until somebody knows; None if the wait ended before it.
        is_delay_seen: whether the delay was seen in virtual time; if not, it was reckoned.
    """

    way: str
    pause: timedelta | None
    length: timedelta
    counts: Counts
    is_counted: bool
    dollars: float
    delay: timedelta | None
    is_delay_seen: bool

    @property
    def dollars_per_thousand(self) -> float:
        """What a thousand such migrations cost."""
        return self.dollars * 1_000


def looks_until(length: timedelta, pause: timedelta) -> int:
    """How often somebody looks who looks after every pause, until the end is seen."""
    return -(-length // pause)


def delay_of(length: timedelta, pause: timedelta) -> timedelta:
    """From the end until the look that sees it."""
    return looks_until(length, pause) * pause - length
