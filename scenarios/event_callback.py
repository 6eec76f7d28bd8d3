"""A six-hour migration, waited for by its event: on time, lost, duplicated, late, early, stale.

Run one with `dacapo run scenarios/event_callback.py:event_on_time`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial

from dacapo import START, ExternalEvent, Handler, Recording, Scenario, fail_next_calls
from patterns.callbacks import overdue
from patterns.event_callback import resolver
from patterns.event_callback.handler import handler
from scenarios.worlds.migration import (
    ANOTHER_TASK_ARN,
    ELSEWHERE,
    RESOLVER,
    SIX_HOURS,
    TASK_ARN,
    MigrationWorld,
    migration_world,
    wait_elsewhere,
)
from scenarios.worlds.registry import OVERDUE, assert_answered_once, stored_row

AT_START = timedelta(0)
ONE_HOUR = timedelta(hours=1)
NINE_HOURS = timedelta(hours=9)
"""Later than the eight hours after which the handler checks without an event."""

FINISH = ExternalEvent(SIX_HOURS, "the load finishes", MigrationWorld.finish)
FINISH_AND_NOTIFY = ExternalEvent(SIX_HOURS, "the load finishes", MigrationWorld.finish_and_notify)

with_earlier_run = partial(migration_world, has_earlier_run=True)


def _scenario(
    *external_events: ExternalEvent,
    world: Callable[[], AbstractContextManager[MigrationWorld]] = migration_world,
    expects: str | None = None,
    others: Mapping[str, Handler] | None = None,
) -> Scenario:
    return Scenario(
        handler=handler,
        event={"task_arn": TASK_ARN},
        world=world,
        external_events=external_events,
        expects=expects,
        functions={RESOLVER: resolver.handler, **(others or {})},
        invariant=_invariant,
    )


def _invariant(recording: Recording, world: MigrationWorld) -> None:
    """The task decides how the execution ends, not its events, and starts once."""
    assert world.task.starts <= 1
    is_finished = (world.task.status, world.task.percent) == ("stopped", 100)
    is_whole = is_finished and not world.task.tables_errored
    assert recording.status != "SUCCEEDED" or is_whole
    if recording.error is not None and (recording.error.type or "").endswith("MigrationFailed"):
        assert not is_whole
    assert_answered_once(recording, stored_row(TASK_ARN))


def _send_earlier_event(world: MigrationWorld) -> None:
    world.send_event(at=START - ONE_HOUR)


def _send_event_of_another_task(world: MigrationWorld) -> None:
    world.send_event(task_arn=ANOTHER_TASK_ARN)


def _throttle_callbacks(_: MigrationWorld) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")


event_on_time = _scenario(FINISH_AND_NOTIFY)
event_lost = _scenario(FINISH)
event_duplicated = _scenario(
    FINISH_AND_NOTIFY,
    ExternalEvent(SIX_HOURS, "the event is delivered again", MigrationWorld.send_event),
)
event_late = _scenario(
    FINISH, ExternalEvent(NINE_HOURS, "the event arrives late", MigrationWorld.send_event)
)
event_early = _scenario(
    ExternalEvent(
        AT_START, "an event arrives before the row exists", MigrationWorld.notify_immediately
    ),
    FINISH_AND_NOTIFY,
)
event_between_waits = _scenario(
    ExternalEvent(
        ONE_HOUR,
        "the load finishes right after the next check",
        MigrationWorld.finish_after_next_check,
    ),
)
event_stale = _scenario(
    ExternalEvent(ONE_HOUR, "an event of the earlier run arrives", _send_earlier_event),
    FINISH_AND_NOTIFY,
    world=with_earlier_run,
)
event_for_another_task = _scenario(
    ExternalEvent(ONE_HOUR, "an event of another task arrives", _send_event_of_another_task),
    FINISH_AND_NOTIFY,
)
event_too_soon = _scenario(
    ExternalEvent(
        ONE_HOUR, "an event arrives while the task is running", MigrationWorld.send_event
    ),
    FINISH_AND_NOTIFY,
)
callbacks_throttled = _scenario(
    ExternalEvent(SIX_HOURS, "the callback API throttles", _throttle_callbacks), FINISH_AND_NOTIFY
)
fails = _scenario(
    ExternalEvent(SIX_HOURS, "the task fails", MigrationWorld.fail_and_notify),
    expects="MigrationFailed",
)
loses_tables = _scenario(
    ExternalEvent(SIX_HOURS, "three tables fail to load", MigrationWorld.finish_with_errors),
    ExternalEvent(SIX_HOURS, "DMS reports that the task stopped", MigrationWorld.send_event),
    expects="MigrationFailed",
)
task_deleted = _scenario(
    ExternalEvent(SIX_HOURS, "somebody deletes the task", MigrationWorld.delete),
    expects="MigrationFailed",
)
already_running = _scenario(
    ExternalEvent(AT_START, "somebody else starts the task", MigrationWorld.start),
    expects="MigrationNotStarted",
)
never_ends = _scenario(expects="MigrationUnfinished")
start_refused = _scenario(
    ExternalEvent(AT_START, "DMS refuses to start the task", MigrationWorld.refuse_to_start),
    expects="MigrationNotStarted",
)
already_waited_for = _scenario(
    ExternalEvent(
        AT_START, "another execution waits for the task", MigrationWorld.start_another_execution
    ),
    expects="MigrationNotStarted",
    others={ELSEWHERE: wait_elsewhere},
)
in_production = _scenario(
    FINISH_AND_NOTIFY,
    *(ExternalEvent(timedelta(hours=n), "the sweep", MigrationWorld.sweep) for n in (12, 24, 48)),
    others={OVERDUE: overdue.handler},
)
"""With the function that delivers what senders have given up: what has to outlast an outage."""
