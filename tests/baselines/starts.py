"""Two systems that start a migration in the background, baseline and durable, on a stage."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from baselines import start_migration as start_baseline
from baselines.start_migration import ENVELOPE
from dacapo import Handler
from patterns import starting
from patterns.polling import handler as polling
from patterns.polling import start
from scenarios.worlds.migration import TASK_ARN, MigrationWorld, migration_world
from scenarios.worlds.stage import Stage, on_stage

REQUEST = {"task_arn": TASK_ARN, "run": "2026-11"}
FUNCTION = "polling:live"
TIMES = {0: "not started", 1: "started once", 2: "started twice"}


@dataclass(frozen=True)
class System:
    """One of the two systems, on its stage.

    Parameters:
        front: the function that clients call.
        client: the boto3 client that it dispatches the work with.
        deliver: redelivers the event that it sends.
    """

    stage: Stage
    world: MigrationWorld
    front: str
    client: Any
    deliver: Callable[[], object]

    def ask(self) -> Any:
        """Request the migration as a client; None if the call fails."""
        return self.stage.call(self.front, REQUEST)

    def will_end(self, after: timedelta, how: Callable[[], None] | None = None) -> None:
        """Schedule the end of the migration.

        Parameters:
            after: time from now.
            how: ends it; None for a successful end.
        """
        self.stage.simulation.clock.schedule(after, how or self.world.finish, "it ends")

    def failures(self) -> list[str]:
        """Return every visible trace of a failure: dead letters and execution errors."""
        letters = [f"{self.stage.dead_letters} dead letter"] if self.stage.dead_letters else []
        executions = self.stage.simulation.service.executions.values()
        errors = [(e.error.type or "").rpartition(".")[2] for e in executions if e.error]
        return letters + errors


@contextmanager
def baseline_system() -> Iterator[System]:
    """Context manager that stages the function that invokes itself."""
    with on_stage(migration_world, {"baseline": start_baseline.handler}) as (stage, world):
        deliver = partial(stage.send, "baseline", {ENVELOPE: REQUEST})
        yield System(stage, world, "baseline", start_baseline.lambda_client, deliver)


@contextmanager
def durable() -> Iterator[System]:
    """Context manager that stages the starter and the durable function that it starts."""
    functions: dict[str, Handler] = {"starter": start.handler, "polling": polling.handler}
    environment = patch.dict(os.environ, {start.FUNCTION_VARIABLE: FUNCTION})
    with environment, on_stage(migration_world, functions) as (stage, world):
        key, payload = f"{TASK_ARN} {REQUEST['run']}", {"task_arn": TASK_ARN}
        deliver = partial(starting.start_once, FUNCTION, key, payload)
        yield System(stage, world, "starter", starting.lambda_client, deliver)


def summary(system: System) -> str:
    """Return how often DMS started the task, and every visible failure, in words."""
    return ", ".join([TIMES[system.world.task.starts], *system.failures()])


Make = Callable[[], AbstractContextManager[System]]
"""Stages one of the two systems."""
