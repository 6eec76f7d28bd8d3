"""A six-hour migration, waited for by polling: every outcome.

Run one with `dacapo run scenarios/polling.py:finishes`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial

from dacapo import ExternalEvent, Scenario
from patterns.polling.handler import handler
from scenarios.worlds.migration import TASK_ARN, MigrationWorld, migration_world

AT_START = timedelta(0)
ONE_HOUR = timedelta(hours=1)
SIX_HOURS = timedelta(hours=6)

FINISH = ExternalEvent(SIX_HOURS, "the load finishes", MigrationWorld.finish)


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
