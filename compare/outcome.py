"""The measurements: counts for one migration under one approach, and their cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import timedelta
from functools import cache, cached_property

from scenarios.worlds.migration import SIX_HOURS

LENGTHS = {
    "six hours": SIX_HOURS,
    "20 hours": timedelta(hours=20),
    "60 hours": timedelta(hours=60),
}
"""Six hours is the migration of the demo and the documents. None ends at the moment at which
`event_callback` checks without an event."""
FEW, MORE = 10, 20
"""Polls in the two runs that give a line."""
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))
"""Between two polls, for the approaches that poll."""


@dataclass(frozen=True)
class Counts:
    """The resources that one migration uses.

    Parameters:
        units: billed units: state transitions or durable operations.
        invocations: of Lambda functions, in total.
        payload_bytes: written to a durable execution, kept in a state machine's history, or sent to
            a table.
        writes: of DynamoDB items, each below 1 KB.
        reads: of DynamoDB items, each below 4 KB.
        events: in a state machine's history.
    """

    units: int = 0
    invocations: int = 0
    payload_bytes: int = 0
    writes: int = 0
    reads: int = 0
    events: int = 0


@dataclass(frozen=True)
class Line:
    """A straight line through two counts: a fixed part, and an increment per poll.

    Parameters:
        polls: number of polls in the first of the two runs.
        first: counts of that run.
        every: counts that each further poll adds.
    """

    polls: int
    first: Counts
    every: Counts

    @classmethod
    def through(cls, polls: int, one: Counts, more_polls: int, other: Counts) -> Line:
        """Return the line through two runs with these numbers of polls."""
        steps = more_polls - polls
        differences = zip(astuple(one), astuple(other), strict=True)
        return cls(polls, one, Counts(*(round((b - a) / steps) for a, b in differences)))

    def at(self, polls: int) -> Counts:
        """Return the counts for this number of polls."""
        more = polls - self.polls
        parts = zip(astuple(self.first), astuple(self.every), strict=True)
        return Counts(*(a + more * b for a, b in parts))


class Polls:
    """The counts for a number of polls: measured in a run, or on the line through two runs.

    Parameters:
        run: makes this many polls, and counts.
        most: number of polls up to which a run is made.
    """

    def __init__(self, run: Callable[[int], Counts], most: int) -> None:
        self.run = cache(run)
        self.most = most

    @cached_property
    def line(self) -> Line:
        """The line through the runs with `FEW` and `MORE` polls."""
        return Line.through(FEW, self.run(FEW), MORE, self.run(MORE))

    def counts(self, polls: int) -> tuple[Counts, bool]:
        """Return the counts for this many polls, and True if a run measured them."""
        is_measured = polls <= self.most
        return (self.run(polls) if is_measured else self.line.at(polls)), is_measured


@dataclass(frozen=True)
class Outcome:
    """The result of one migration under one approach.

    Parameters:
        approach: its name.
        pause: between two polls; None if the approach does not poll at a fixed interval.
        length: duration of the migration.
        counts: the resources that it used.
        is_measured: True if the counts come from a run, False if two runs were extrapolated.
        dollars: cost of one migration.
        delay: the longest from its end until the approach detects it, if its event arrives; None if
            the wait ended before.
    """

    approach: str
    pause: timedelta | None
    length: timedelta
    counts: Counts
    is_measured: bool
    dollars: float
    delay: timedelta | None

    @property
    def dollars_per_thousand(self) -> float:
        """The cost of a thousand such migrations."""
        return self.dollars * 1_000


def polls_until(length: timedelta, pause: timedelta) -> int:
    """Return the number of polls, one after every pause, until one sees the end."""
    return -(-length // pause)
