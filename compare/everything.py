"""Every approach, for every length of migration and every pause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from compare import baselines, durable, step_functions
from compare.outcome import LENGTHS, PAUSES, Outcome
from dacapo import quotas
from patterns.event_callback.handler import EVENT_TIMEOUT
from patterns.polling.handler import PACE

ONE_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Limit:
    """The limit that ends a wait, however long the migration takes.

    Parameters:
        approach: the name of the approach.
        limit: the quota or bound that ends the wait.
        polls: number of polls or waits that fit below the limit.
        pause: time between two of them.
        is_measured: True if a run ended at the limit, False if two runs were extrapolated.
    """

    approach: str
    limit: str
    polls: int
    pause: timedelta
    is_measured: bool


def outcomes(length: timedelta) -> Iterator[Outcome]:
    """Yield the outcome of each approach for a migration of this length."""
    yield from (step_functions.poll(length, pause) for pause in PAUSES)
    yield step_functions.wait_for_token(length)
    yield from (durable.poll(length, pause) for pause in PAUSES)
    yield durable.poll_as_deployed(length)
    yield durable.wait_for_callback(length)
    yield from (baselines.poll(length, pause) for pause in PAUSES)


def limits() -> Iterator[Limit]:
    """Yield the limits that end a wait for a migration that never ends."""
    recording = durable.poll_until_the_limit(ONE_MINUTE)
    if recording.error is None or recording.error.type != durable.QUOTA_EXCEEDED:
        raise AssertionError(f"no quota ended the execution: {recording.status}")
    operations = f"{quotas.OPERATIONS:,} operations"
    for pause in PAUSES:
        polls = recording.operation("wait until it has ended").attempts
        yield Limit(durable.POLLING, operations, polls, pause, is_measured=pause == ONE_MINUTE)
    bound = PACE.max_polls
    longest = timedelta(seconds=PACE.max_delay.to_seconds())
    yield Limit(durable.BACKOFF, f"{bound} polls (its own)", bound, longest, is_measured=False)
    for pause in PAUSES:
        polls = step_functions.polls_at_the_limit()
        events = f"{step_functions.MOST_EVENTS:,} events"
        yield Limit(step_functions.POLLING, events, polls, pause, is_measured=False)
    wait = timedelta(seconds=EVENT_TIMEOUT.to_seconds())
    yield Limit(durable.CALLBACK, operations, _waits_at_the_limit(), wait, is_measured=False)


def _waits_at_the_limit() -> int:
    short, long = (durable.wait_for_callback(LENGTHS[name]) for name in ("six hours", "24 hours"))
    wait = timedelta(seconds=EVENT_TIMEOUT.to_seconds())
    more = long.length // wait - short.length // wait
    every = (long.counts.units - short.counts.units) // more
    return 1 + (quotas.OPERATIONS - short.counts.units) // every
