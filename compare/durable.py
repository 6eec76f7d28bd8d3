"""The durable functions, run in virtual time; every figure is counted in such a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

import dacapo
from compare import calls, costs
from compare.outcome import Counts, Outcome
from dacapo import Happening, Recording, Scenario
from dacapo.service.functions import Handler
from patterns.polling import handler as polling
from scenarios import event_callback
from scenarios import polling as polled
from scenarios.worlds.migration import MigrationWorld

POLLING = "durable polls"
GROWING = "durable polls (ours)"
CALLBACK = "durable callback"
QUOTA_EXCEEDED = "QuotaExceeded"
"""What the simulated service calls it."""
BEYOND_THE_WALL = 10_000
"""Polls; more than an execution can make."""


def asking(length: timedelta, pause: timedelta) -> Outcome:
    """`wait_for_condition` with pauses that are all the same, and no bound of its own."""
    story = replace(polled.finishes, handler=_every(pause), happenings=(_finish(length),))
    return _outcome(POLLING, pause, length, story)


def asking_as_deployed(length: timedelta) -> Outcome:
    """The pattern as it is: pauses that grow to a quarter of an hour, 120 polls at the most."""
    return _outcome(GROWING, None, length, replace(polled.finishes, happenings=(_finish(length),)))


def being_told(length: timedelta) -> Outcome:
    """`wait_for_callback`, answered when the event comes."""
    end = Happening(length, "the load finishes, and says so", MigrationWorld.finish_and_tell)
    return _outcome(
        CALLBACK, None, length, replace(event_callback.event_on_time, happenings=(end,))
    )


def until_the_wall(pause: timedelta) -> Recording:
    """Ask about a migration that never ends, until the service ends the execution."""
    return dacapo.run(replace(polled.never_ends, handler=_every(pause)))


def _every(pause: timedelta) -> Handler:
    even = Duration.from_seconds(int(pause.total_seconds()))
    pace = polling.Pace(even, even, growth=1, most_polls=BEYOND_THE_WALL)

    @durable_execution
    def evenly(event: dict[str, Any], context: DurableContext) -> Any:
        return polling.migrate(event, context, pace)

    return evenly


def _finish(length: timedelta) -> Happening:
    return Happening(length, "the load finishes", MigrationWorld.finish)


def _outcome(way: str, pause: timedelta | None, length: timedelta, story: Scenario) -> Outcome:
    with calls.counted() as tables:
        recording = dacapo.run(story)
    counts = Counts(
        units=recording.charged_operations,
        invocations=len(recording.invocations) + len(recording.calls),
        payload_bytes=recording.bytes_written,
        writes=tables.writes,
        reads=tables.reads,
    )
    waited = (recording.ended or recording.started) - recording.started
    has_seen = recording.status == "SUCCEEDED"
    return Outcome(
        way,
        pause,
        length,
        counts,
        is_counted=True,
        dollars=costs.of_durable_function(counts),
        delay=waited - length if has_seen else None,
        is_delay_seen=True,
    )
