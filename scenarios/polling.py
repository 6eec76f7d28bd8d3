"""A six-hour migration, waited for by polling: every outcome.

Run one with `dacapo run scenarios/polling.py:finishes`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial

from dacapo import ExternalEvent, Recording, Scenario
from patterns.polling.handler import handler
from scenarios.worlds.migration import SIX_HOURS, TASK_ARN, MigrationWorld, migration_world

AT_START = timedelta(0)
COMPLETE = 100
"""Percent of a full load that has ended well."""
ONE_HOUR = timedelta(hours=1)

FINISH = ExternalEvent(SIX_HOURS, "the load finishes", MigrationWorld.finish)


def _is_reported(recording: Recording, world: MigrationWorld) -> None:
    """A migration is started once at most, and one that ran to its end is reported as finished."""
    task = world.task
    assert task.starts <= 1, "the migration is started again"
    is_loaded = task.starts == 1 and task.percent == COMPLETE and not task.tables_errored
    has_succeeded = recording.status == "SUCCEEDED"
    assert has_succeeded == is_loaded, f"{recording.status}, but the task is at {task.percent} %"
    if has_succeeded:
        assert recording.result["tables_loaded"] == task.tables_loaded


def _scenario(
    *external_events: ExternalEvent,
    world: Callable[[], AbstractContextManager[MigrationWorld]] = migration_world,
    expects: str | None = None,
) -> Scenario:
    return Scenario(
        handler=handler,
        event={"task_arn": TASK_ARN},
        world=world,
        external_events=external_events,
        expects=expects,
        invariant=_is_reported,
    )


finishes = _scenario(FINISH)
finishes_again = _scenario(
    ExternalEvent(ONE_HOUR, "the load finishes", MigrationWorld.finish),
    world=partial(migration_world, has_earlier_run=True),
)
loses_tables = _scenario(
    ExternalEvent(ONE_HOUR, "three tables fail to load", MigrationWorld.finish_with_errors),
    expects="MigrationFailed",
)
fails = _scenario(
    ExternalEvent(ONE_HOUR, "the task fails", MigrationWorld.fail), expects="MigrationFailed"
)
task_stopped = _scenario(
    ExternalEvent(SIX_HOURS, "somebody stops the task", MigrationWorld.stop),
    expects="MigrationFailed",
)
task_deleted = _scenario(
    ExternalEvent(ONE_HOUR, "somebody deletes the task", MigrationWorld.delete),
    expects="MigrationFailed",
)
never_ends = _scenario(expects="MigrationUnfinished")
already_running = _scenario(
    ExternalEvent(AT_START, "somebody else starts the task", MigrationWorld.start),
    expects="MigrationNotStarted",
)
dms_throttles = _scenario(ExternalEvent(ONE_HOUR, "DMS throttles", MigrationWorld.throttle), FINISH)
