"""Every way of waiting, for every length of migration and every pause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from compare import by_hand, durable, step_functions
from compare.outcome import LENGTHS, PAUSES, Outcome
from dacapo.service import quotas
from patterns.event_callback.handler import EVENT_TIMEOUT
from patterns.polling.handler import PACE

ONE_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Wall:
    """Where a way of waiting comes to its end, whatever it waits for.

    Parameters:
        way: how it waits.
        what: what it runs out of.
        looks: how often it can look or wait before.
        every: what lies between two of them.
        is_seen: whether a run ended at it; if not, it was reckoned from two runs.
    """

    way: str
    what: str
    looks: int
    every: timedelta
    is_seen: bool


def outcomes(length: timedelta) -> Iterator[Outcome]:
    """How each way does with a migration of this length."""
    yield from (step_functions.asking(length, pause) for pause in PAUSES)
    yield step_functions.being_told(length)
    yield from (durable.asking(length, pause) for pause in PAUSES)
    yield durable.asking_as_deployed(length)
    yield durable.being_told(length)
    yield from (by_hand.asking(length, pause) for pause in PAUSES)


def walls() -> Iterator[Wall]:
    """What ends a wait that never ends by itself."""
    seen = durable.until_the_wall(ONE_MINUTE)
    if seen.error is None or seen.error.type != durable.QUOTA_EXCEEDED:
        raise AssertionError(f"it ended otherwise: {seen.status}")
    operations = f"{quotas.OPERATIONS:,} operations"
    for pause in PAUSES:
        polls = seen.operation("wait until it has ended").attempts
        yield Wall(durable.POLLING, operations, polls, pause, is_seen=pause == ONE_MINUTE)
    bound = PACE.most_polls
    longest = timedelta(seconds=PACE.longest_pause.to_seconds())
    yield Wall(durable.GROWING, f"{bound} polls, its own bound", bound, longest, is_seen=False)
    for pause in PAUSES:
        looks = step_functions.looks_at_the_wall()
        events = f"{step_functions.MOST_EVENTS:,} events"
        yield Wall(step_functions.POLLING, events, looks, pause, is_seen=False)
    wait = timedelta(seconds=EVENT_TIMEOUT.to_seconds())
    yield Wall(durable.CALLBACK, operations, _waits_at_the_wall(), wait, is_seen=False)


def _waits_at_the_wall() -> int:
    short, long = (durable.being_told(LENGTHS[name]) for name in ("six hours", "24 hours"))
    wait = timedelta(seconds=EVENT_TIMEOUT.to_seconds())
    more = long.length // wait - short.length // wait
    every = (long.counts.units - short.counts.units) // more
    return 1 + (quotas.OPERATIONS - short.counts.units) // every
