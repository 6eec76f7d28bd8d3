"""A function that invokes itself to work later: what it sees to, and where it is weak."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from patterns import start_before
from patterns.migration import task
from patterns.start_before import ENVELOPE
from scenarios.worlds.migration import TASK_ARN, MigrationWorld, migration_world
from scenarios.worlds.stage import Stage, on_stage
from tests.interference import dying_at, watching

REQUEST = {"task_arn": TASK_ARN, "run": "2026-11"}
FUNCTION = "start"


@pytest.fixture
def staged() -> Iterator[tuple[Stage, MigrationWorld]]:
    with on_stage(migration_world, {FUNCTION: start_before.handler}) as staged:
        yield staged


# -- what it sees to ------------------------------------------------------------------------------


def test_the_caller_is_answered_before_anything_is_done(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, world = staged
    with watching([task.dms]) as calls:
        assert stage.call(FUNCTION, REQUEST) == {"taken": True}
    assert calls.made == []
    stage.play()
    assert world.task.starts == 1


def test_the_work_is_given_the_request_and_not_its_envelope(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, _ = staged
    stage.call(FUNCTION, REQUEST)
    stage.play()
    payloads = [json.loads(call.payload) for call in stage.simulation.service.calls.made]
    assert payloads == [REQUEST, {ENVELOPE: REQUEST}]
    assert stage.dead_letters == 0


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"task_arn": "x", "run": "1"},
        {"task_arn": TASK_ARN, "run": ""},
        {ENVELOPE: {}},
        {ENVELOPE: True, **REQUEST},
        {ENVELOPE: REQUEST, "run": "2026-12"},
    ],
)
def test_what_is_no_request_is_refused_to_the_caller_in_whatever_envelope(
    staged: tuple[Stage, MigrationWorld], event: dict[str, Any]
) -> None:
    stage, world = staged
    assert stage.call(FUNCTION, event) is None
    stage.play()
    assert world.task.starts == 0


# -- where it is weak -----------------------------------------------------------------------------


def test_asking_again_while_it_runs_ends_in_a_dead_letter(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, world = staged
    for _ in range(2):
        stage.call(FUNCTION, REQUEST)
    stage.play()
    assert (world.task.starts, stage.dead_letters) == (1, 1)
    assert stage.calls_of(FUNCTION) == 2 + 1 + 3, "the second work is tried three times"


def test_asking_again_once_it_has_ended_runs_it_again(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, world = staged
    for _ in range(2):
        stage.call(FUNCTION, REQUEST)
        stage.play()
        world.finish()
    assert (world.task.starts, stage.dead_letters) == (2, 0)


def test_who_dies_after_starting_a_short_migration_starts_it_again(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, world = staged
    stage.call(FUNCTION, REQUEST)
    with dying_at([task.dms], (2, "after")) as died:
        stage.pass_time(1)
        world.finish()
        stage.play()
    assert died
    assert world.task.starts == 2


def test_a_caller_who_sends_the_envelope_has_the_work_done_while_it_waits(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, world = staged
    assert stage.call(FUNCTION, {ENVELOPE: REQUEST}) == {"taken": True}
    assert world.task.starts == 1
