"""A six-hour migration, waited for by its event: on time, lost, doubled, late, early, stale.

Run one with `dacapo run scenarios/event_callback.py:event_on_time`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial

from dacapo import Happening, Scenario, fail_next_calls
from dacapo.scenario import START
from patterns.event_callback import resolver
from patterns.event_callback.handler import handler
from scenarios.worlds.migration import (
    ANOTHER_TASK_ARN,
    RESOLVER,
    TASK_ARN,
    MigrationWorld,
    migration_world,
)

AT_START = timedelta(0)
ONE_HOUR = timedelta(hours=1)
SIX_HOURS = timedelta(hours=6)
NINE_HOURS = timedelta(hours=9)
"""Later than the eight hours after which the handler looks without an event."""

FINISH = Happening(SIX_HOURS, "the load finishes", MigrationWorld.finish)
FINISH_AND_TELL = Happening(SIX_HOURS, "the load finishes", MigrationWorld.finish_and_tell)

ran_before = partial(migration_world, ran_before=True)


def _story(
    *happenings: Happening,
    world: Callable[[], AbstractContextManager[MigrationWorld]] = migration_world,
) -> Scenario:
    return Scenario(
        handler=handler,
        event={"task_arn": TASK_ARN},
        world=world,
        happenings=happenings,
        functions={RESOLVER: resolver.handler},
    )


def _send_earlier_event(world: MigrationWorld) -> None:
    world.send_event(at=START - ONE_HOUR)


def _send_another_tasks_event(world: MigrationWorld) -> None:
    world.send_event(task_arn=ANOTHER_TASK_ARN)


def _throttle_callbacks(_: MigrationWorld) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")


event_on_time = _story(FINISH_AND_TELL)
event_lost = _story(FINISH)
event_doubled = _story(
    FINISH_AND_TELL, Happening(SIX_HOURS, "the event comes again", MigrationWorld.send_event)
)
event_late = _story(
    FINISH, Happening(NINE_HOURS, "the event comes late", MigrationWorld.send_event)
)
event_early = _story(
    Happening(AT_START, "an event comes before the row exists", MigrationWorld.tell_at_once),
    FINISH_AND_TELL,
)
event_between_waits = _story(
    Happening(ONE_HOUR, "the next look is just too soon", MigrationWorld.finish_unseen),
)
event_stale = _story(
    Happening(ONE_HOUR, "the event of the earlier run comes", _send_earlier_event),
    FINISH_AND_TELL,
    world=ran_before,
)
event_for_another_task = _story(
    Happening(ONE_HOUR, "another task's event comes", _send_another_tasks_event), FINISH_AND_TELL
)
event_too_soon = _story(
    Happening(ONE_HOUR, "an event comes while the task runs", MigrationWorld.send_event),
    FINISH_AND_TELL,
)
callbacks_throttled = _story(
    Happening(SIX_HOURS, "the callback API throttles", _throttle_callbacks), FINISH_AND_TELL
)
fails = _story(Happening(SIX_HOURS, "the task fails", MigrationWorld.fail_and_tell))
loses_tables = _story(
    Happening(SIX_HOURS, "three tables fail to load", MigrationWorld.finish_with_errors),
    Happening(SIX_HOURS, "the task says that it stopped", MigrationWorld.send_event),
)
is_deleted = _story(Happening(SIX_HOURS, "somebody deletes the task", MigrationWorld.be_deleted))
runs_already = _story(
    Happening(AT_START, "somebody else starts the task", MigrationWorld.be_started)
)
never_ends = _story()
start_refused = _story(
    Happening(AT_START, "DMS is not ready to start the task", MigrationWorld.refuse_to_start)
)
waited_for_already = _story(
    Happening(AT_START, "another execution waits for the task", MigrationWorld.be_waited_for)
)
