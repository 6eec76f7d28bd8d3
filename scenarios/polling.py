"""A six-hour migration, waited for by asking: every way in which it can end.

Run one with `dacapo run scenarios/polling.py:finishes`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial

from dacapo import Happening, Scenario
from patterns.polling.handler import handler
from scenarios.worlds.migration import TASK_ARN, MigrationWorld, migration_world

AT_START = timedelta(0)
ONE_HOUR = timedelta(hours=1)
SIX_HOURS = timedelta(hours=6)

FINISH = Happening(SIX_HOURS, "the load finishes", MigrationWorld.finish)


def _story(
    *happenings: Happening,
    world: Callable[[], AbstractContextManager[MigrationWorld]] = migration_world,
) -> Scenario:
    return Scenario(
        handler=handler, event={"task_arn": TASK_ARN}, world=world, happenings=happenings
    )


finishes = _story(FINISH)
finishes_again = _story(
    Happening(ONE_HOUR, "the load finishes", MigrationWorld.finish),
    world=partial(migration_world, ran_before=True),
)
loses_tables = _story(
    Happening(ONE_HOUR, "three tables fail to load", MigrationWorld.finish_with_errors)
)
fails = _story(Happening(ONE_HOUR, "the task fails", MigrationWorld.fail))
is_stopped = _story(Happening(SIX_HOURS, "somebody stops the task", MigrationWorld.be_stopped))
is_deleted = _story(Happening(ONE_HOUR, "somebody deletes the task", MigrationWorld.be_deleted))
never_ends = _story()
runs_already = _story(
    Happening(AT_START, "somebody else starts the task", MigrationWorld.be_started)
)
dms_throttles = _story(Happening(ONE_HOUR, "DMS throttles", MigrationWorld.throttle), FINISH)
