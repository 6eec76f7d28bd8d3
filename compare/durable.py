"""The durable functions, run in virtual time; every figure is measured in such a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

import dacapo
from compare import calls, costs
from compare.outcome import Counts, Outcome
from dacapo import ExternalEvent, Handler, Recording, Scenario
from patterns.polling import handler as polling
from scenarios import event_callback
from scenarios import polling as polled
from scenarios.worlds.migration import MigrationWorld

POLLING = "durable polls"
BACKOFF = "durable backoff"
CALLBACK = "durable callback"
QUOTA_EXCEEDED = "QuotaExceeded"
"""Error type with which the simulated service fails an execution that exceeds a quota."""
LONGEST_PAUSE = timedelta(seconds=polling.PACE.max_delay.to_seconds())
"""Between two polls of the pattern as deployed."""
BEYOND_THE_LIMIT = 10_000
"""Polls; more than an execution can have operations."""


def poll(length: timedelta, pause: timedelta) -> Outcome:
    """Run `wait_for_condition` with equal pauses, and no limit of its own."""
    return _outcome(POLLING, pause, length, polled_every(pause, ends=length), pause)


def polled_every(pause: timedelta, *, ends: timedelta) -> Scenario:
    """Return the scenario of a migration that is polled at equal intervals."""
    return replace(polled.finishes, handler=_every(pause), external_events=(_finish(ends),))


@cache
def poll_as_deployed(length: timedelta) -> Outcome:
    """Run the pattern as it is: pauses that grow to 15 minutes, and at most 120 polls."""
    return _outcome(
        BACKOFF,
        None,
        length,
        replace(polled.finishes, external_events=(_finish(length),)),
        LONGEST_PAUSE,
    )


@cache
def wait_for_callback(length: timedelta) -> Outcome:
    """Wait for a callback, which is answered when the event arrives."""
    end = ExternalEvent(
        length, "the load finishes and sends its event", MigrationWorld.finish_and_notify
    )
    return _outcome(
        CALLBACK,
        None,
        length,
        replace(event_callback.event_on_time, external_events=(end,)),
        timedelta(0),
    )


def poll_until_the_limit(pause: timedelta) -> Recording:
    """Poll a migration that never ends, until the service fails the execution."""
    return dacapo.run(replace(polled.never_ends, handler=_every(pause)), replay=False)


@cache
def longest_wait_of_backoff() -> timedelta:
    """Return how long the polling pattern, as deployed, waits for a migration that never ends."""
    return waited(dacapo.run(polled.never_ends, replay=False))


@cache
def longest_wait_of_callback() -> timedelta:
    """Return how long the event pattern waits for a migration that never ends."""
    return waited(dacapo.run(event_callback.never_ends, replay=False))


def waited(recording: Recording) -> timedelta:
    """Return how long an execution ran, in virtual time."""
    return (recording.ended or recording.started) - recording.started


def _every(pause: timedelta) -> Handler:
    even = Duration.from_seconds(int(pause.total_seconds()))
    pace = polling.Pace(even, even, backoff_rate=1, max_polls=BEYOND_THE_LIMIT)

    @durable_execution
    def evenly(event: dict[str, Any], context: DurableContext) -> Any:
        return polling.migrate(event, context, pace)

    return evenly


def _finish(length: timedelta) -> ExternalEvent:
    return ExternalEvent(length, "the load finishes", MigrationWorld.finish)


def _outcome(
    approach: str,
    pause: timedelta | None,
    length: timedelta,
    scenario: Scenario,
    longest_delay: timedelta,
) -> Outcome:
    with calls.counted() as tables:
        # Its body is safe to replay, so the counts are the same, and long polls take seconds.
        recording = dacapo.run(scenario, replay=False)
    counts = Counts(
        units=recording.charged_operations,
        invocations=len(recording.invocations) + len(recording.calls),
        payload_bytes=recording.bytes_written,
        writes=tables.writes,
        reads=tables.reads,
    )
    delay = waited(recording) - length
    is_detected = recording.status == "SUCCEEDED"
    if is_detected and delay > longest_delay:
        raise AssertionError(f"{approach} took {delay} to detect the end, not {longest_delay}")
    return Outcome(
        approach,
        pause,
        length,
        counts,
        is_measured=True,
        dollars=costs.of_durable_function(counts),
        delay=longest_delay if is_detected else None,
    )
