"""The baselines of waiting for a migration: two state machines, and a function on a schedule."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from baselines import event_callback as token_baseline
from baselines import polling as polling_baseline
from scenarios.worlds import beyond_moto
from scenarios.worlds.migration import TASK_ARN, MigrationWorld, migration_world
from scenarios.worlds.registry import create_table, dynamodb
from scenarios.worlds.state_machines import StateMachine, state_machine, step_functions_world

START, RESOLVE = "start", "resolve"
BEGIN, CHECK = "begin", "check"
TOKENS, MIGRATIONS = "task-tokens", "migrations"


@contextmanager
def polling_machine() -> Iterator[tuple[StateMachine, MigrationWorld]]:
    """Context manager that builds the state machine that polls, and its migration."""
    with step_functions_world({}), migration_world() as world:
        yield state_machine(_definition(polling_baseline)), world


@contextmanager
def token_machine(
    *, has_earlier_run: bool = False
) -> Iterator[tuple[StateMachine, MigrationWorld]]:
    """Context manager that builds the state machine that waits for a token, with its functions.

    Parameters:
        has_earlier_run: whether the task has run before, and still reports the end of that run.
    """
    with (
        step_functions_world({START: token_baseline.start, RESOLVE: token_baseline.resolve}),
        migration_world(has_earlier_run=has_earlier_run) as world,
        patch.dict(os.environ, {token_baseline.TABLE_VARIABLE: TOKENS}),
    ):
        create_table(TOKENS, token_baseline.KEY)
        yield state_machine(_definition(token_baseline), StartFunction=START), world


def deliver_event(kind: str = "REPLICATION_TASK_STOPPED", at: datetime | None = None) -> None:
    """Deliver an event from DMS to the function that answers the token.

    Parameters:
        kind: the event's type, a key of `beyond_moto.EVENT_IDS`.
        at: the event's time; None for now.
    """
    event = beyond_moto.task_event(TASK_ARN, kind, at or datetime.now(UTC))
    beyond_moto.deliver(RESOLVE, event, is_synchronous=True)


@contextmanager
def schedule_world() -> Iterator[MigrationWorld]:
    """Context manager that builds a migration, and the table of the function on a schedule."""
    with (
        migration_world() as world,
        patch.dict(os.environ, {polling_baseline.TABLE_VARIABLE: MIGRATIONS}),
    ):
        create_table(MIGRATIONS, polling_baseline.KEY)
        yield world


def state_in_table() -> str | None:
    """Return the migration's state according to the table; None if it has no row."""
    response = dynamodb.get_item(TableName=MIGRATIONS, Key={polling_baseline.KEY: {"S": TASK_ARN}})
    return response["Item"]["state"]["S"] if "Item" in response else None


def _definition(module: ModuleType) -> Path:
    return Path(str(module.__file__)).with_suffix(".asl.json")
