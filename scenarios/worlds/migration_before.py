"""A migration that is waited for by hand: two state machines, and a function on a schedule."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from patterns import event_callback, polling
from patterns.event_callback import before as token
from patterns.polling import before as scheduled
from scenarios.worlds import beyond_moto
from scenarios.worlds.migration import TASK_ARN, MigrationWorld, migration_world
from scenarios.worlds.registry import create_table, dynamodb
from scenarios.worlds.state_machines import StateMachine, state_machine, step_functions_world

START, RESOLVE = "start", "resolve"
BEGIN, LOOK = "begin", "look"
TOKENS, MIGRATIONS = "task-tokens", "migrations"


@contextmanager
def polling_machine() -> Iterator[tuple[StateMachine, MigrationWorld]]:
    """The state machine that asks."""
    with step_functions_world({}), migration_world() as world:
        yield state_machine(_definition(polling)), world


@contextmanager
def token_machine(*, ran_before: bool = False) -> Iterator[tuple[StateMachine, MigrationWorld]]:
    """The state machine that waits for a token, and its two functions."""
    with (
        step_functions_world({START: token.start, RESOLVE: token.resolve}),
        migration_world(ran_before=ran_before) as world,
        patch.dict(os.environ, {token.TABLE_VARIABLE: TOKENS}),
    ):
        create_table(TOKENS, token.KEY)
        yield state_machine(_definition(event_callback), StartFunction=START), world


def bring_event(kind: str = "REPLICATION_TASK_STOPPED", at: datetime | None = None) -> None:
    """DMS sends an event, and the rule hands it to the function that answers the token."""
    event = beyond_moto.task_event(TASK_ARN, kind, at or datetime.now(UTC))
    beyond_moto.deliver(RESOLVE, event, at_once=True)


@contextmanager
def schedule_world() -> Iterator[MigrationWorld]:
    """The table in which the function on a schedule keeps how far it got."""
    with migration_world() as world, patch.dict(os.environ, {scheduled.TABLE_VARIABLE: MIGRATIONS}):
        create_table(MIGRATIONS, scheduled.KEY)
        yield world


def state_in_table() -> str | None:
    """How the migration stands, for whoever reads the table; None if it is not there."""
    found = dynamodb.get_item(TableName=MIGRATIONS, Key={scheduled.KEY: {"S": TASK_ARN}})
    return found["Item"]["state"]["S"] if "Item" in found else None


def _definition(package: object) -> Path:
    return Path(str(getattr(package, "__file__", ""))).with_name("before.asl.json")
