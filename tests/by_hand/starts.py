"""A migration that is started in the background, by hand and durable, each on a stage."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from dacapo.service.functions import Handler
from patterns import start, start_before, starter
from patterns.polling import handler as polling
from patterns.start_before import ENVELOPE
from scenarios.worlds.migration import TASK_ARN, MigrationWorld, migration_world
from scenarios.worlds.stage import Stage, on_stage

REQUEST = {"task_arn": TASK_ARN, "run": "2026-11"}
FUNCTION = "polling:live"
TIMES = {0: "never", 1: "once", 2: "twice"}


@dataclass(frozen=True)
class System:
    """One of the two systems, on its stage.

    Parameters:
        front: the function that clients call.
        client: what it sends the work into the background with.
        deliver: the event that it sends comes once more.
    """

    stage: Stage
    world: MigrationWorld
    front: str
    client: Any
    deliver: Callable[[], object]

    def ask(self) -> Any:
        """A client asks for the migration; None if it is told that this failed."""
        return self.stage.call(self.front, REQUEST)

    def will_end(self, after: timedelta, how: Callable[[], None] | None = None) -> None:
        """The migration ends some time from now; well, unless told otherwise."""
        self.stage.simulation.clock.schedule(after, how or self.world.finish, "it ends")

    def failures(self) -> list[str]:
        """What anybody finds who looks for failures."""
        letters = [f"{self.stage.dead_letters} dead letter"] if self.stage.dead_letters else []
        executions = self.stage.simulation.service.executions.values()
        errors = [(e.error.type or "").rpartition(".")[2] for e in executions if e.error]
        return letters + errors


@contextmanager
def by_hand() -> Iterator[System]:
    """The function that invokes itself."""
    with on_stage(migration_world, {"before": start_before.handler}) as (stage, world):
        deliver = partial(stage.send, "before", {ENVELOPE: REQUEST})
        yield System(stage, world, "before", start_before.lambda_client, deliver)


@contextmanager
def durable() -> Iterator[System]:
    """The starter, and the durable function that it starts."""
    functions: dict[str, Handler] = {"starter": starter.handler, "polling": polling.handler}
    environment = patch.dict(os.environ, {starter.FUNCTION_VARIABLE: FUNCTION})
    with environment, on_stage(migration_world, functions) as (stage, world):
        key, payload = f"{TASK_ARN} {REQUEST['run']}", {"task_arn": TASK_ARN}
        deliver = partial(start.start_once, FUNCTION, key, payload)
        yield System(stage, world, "starter", start.lambda_client, deliver)


def told(system: System) -> str:
    """How often DMS has started the task, and what failed."""
    return ", ".join([f"started {TIMES[system.world.task.starts]}", *system.failures()])


Make = Callable[[], AbstractContextManager[System]]
"""Puts a system on its stage."""
