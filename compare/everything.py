"""Every approach, for every length of migration and every pause; and how long each can wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from compare import baselines, durable, step_functions
from compare.outcome import LENGTHS, PAUSES, Outcome
from dacapo import quotas
from patterns.event_callback.handler import EVENT_TIMEOUT, MAX_WAITS
from patterns.polling.handler import PACE

ONE_MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)
ONE_WAIT = timedelta(seconds=EVENT_TIMEOUT.to_seconds())
COSTED = tuple(timedelta(hours=hours) for hours in (1, 6, 12, 20, 40, 90, 240, 720))
"""Lengths of migration for which the cost is drawn."""


@dataclass(frozen=True)
class Limit:
    """The limit that ends a wait, however long the migration takes.

    Parameters:
        approach: the name of the approach.
        limit: the quota or bound that ends the wait.
        polls: number of polls or waits that fit below the limit.
        pause: time between two of them.
        longest: duration of the longest wait.
        is_measured: True if a run ended at the limit, False if two runs were extrapolated.
    """

    approach: str
    limit: str
    polls: int
    pause: timedelta
    longest: timedelta
    is_measured: bool


@dataclass(frozen=True)
class Series:
    """Costs of an approach, by the length of the migration.

    Parameters:
        approach: the name of the approach.
        points: lengths, each with the dollars for a thousand migrations; in ascending order.
        end: the longest wait, which is the last length; None if no length that we draw reaches it.
    """

    approach: str
    points: tuple[tuple[timedelta, float], ...]
    end: timedelta | None


def outcomes(length: timedelta) -> Iterator[Outcome]:
    """Yield the outcome of each approach for a migration of this length."""
    yield from (step_functions.poll(length, pause) for pause in PAUSES)
    yield step_functions.wait_for_token(length)
    yield from (durable.poll(length, pause) for pause in PAUSES)
    yield durable.poll_as_deployed(length)
    yield durable.wait_for_callback(length)
    yield from (baselines.poll(length, pause) for pause in PAUSES)


def series() -> Iterator[Series]:
    """Yield what each approach costs by the length of the migration; those that poll, every 15 min.

    The durable functions wait as deployed.
    """
    end_of_polls = step_functions.polls_at_the_limit() * QUARTER
    for run, end in (
        (lambda length: step_functions.poll(length, QUARTER), end_of_polls),
        (step_functions.wait_for_token, None),
        (durable.poll_as_deployed, durable.longest_wait_of_backoff()),
        (durable.wait_for_callback, durable.longest_wait_of_callback()),
        (lambda length: baselines.poll(length, QUARTER), None),
    ):
        yield _series(run, end)


def _series(run: Callable[[timedelta], Outcome], end: timedelta | None) -> Series:
    lengths = COSTED if end is None else (*(one for one in COSTED if one < end), end)
    costed = [run(length) for length in lengths]
    points = tuple((one.length, one.dollars_per_thousand) for one in costed)
    return Series(costed[0].approach, points, end)


def limits() -> Iterator[Limit]:
    """Yield the limits that end a wait for a migration that never ends."""
    yield from _of_durable_polls()
    bound = PACE.max_polls
    yield Limit(
        durable.BACKOFF,
        f"{bound} polls (its own)",
        bound,
        durable.LONGEST_PAUSE,
        durable.longest_wait_of_backoff(),
        is_measured=True,
    )
    polls = step_functions.polls_at_the_limit()
    for pause in PAUSES:
        events = f"{step_functions.MOST_EVENTS:,} events"
        yield Limit(step_functions.POLLING, events, polls, pause, polls * pause, is_measured=False)
    yield Limit(
        durable.CALLBACK,
        f"{MAX_WAITS} waits (its own)",
        MAX_WAITS,
        ONE_WAIT,
        durable.longest_wait_of_callback(),
        is_measured=True,
    )
    waits = _waits_at_the_limit()
    yield Limit(durable.CALLBACK, _OPERATIONS, waits, ONE_WAIT, waits * ONE_WAIT, is_measured=False)


_OPERATIONS = f"{quotas.OPERATIONS:,} operations"


def _of_durable_polls() -> Iterator[Limit]:
    recording = durable.poll_until_the_limit(ONE_MINUTE)
    if recording.error is None or recording.error.type != durable.QUOTA_EXCEEDED:
        raise AssertionError(f"no quota ended the execution: {recording.status}")
    polls = recording.operation("wait until it has ended").attempts
    for pause in PAUSES:
        is_measured = pause == ONE_MINUTE
        yield Limit(durable.POLLING, _OPERATIONS, polls, pause, polls * pause, is_measured)


def _waits_at_the_limit() -> int:
    """Return how many waits would fit below the quota, if the pattern allowed as many."""
    short, long = (durable.wait_for_callback(LENGTHS[name]) for name in ("six hours", "20 hours"))
    more = long.length // ONE_WAIT - short.length // ONE_WAIT
    every = (long.counts.units - short.counts.units) // more
    return 1 + (quotas.OPERATIONS - short.counts.units) // every
