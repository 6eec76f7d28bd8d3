"""Baseline: a function that invokes itself to do the work later, and its weaknesses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from baselines import start_migration as start_baseline
from baselines.start_migration import ENVELOPE
from patterns.migration import task
from scenarios.worlds.migration import TASK_ARN, MigrationWorld, migration_world
from scenarios.worlds.stage import Stage, on_stage
from tests.interference import crash_at, watching

REQUEST = {"task_arn": TASK_ARN, "run": "2026-11"}
FUNCTION = "start"


@pytest.fixture
def staged() -> Iterator[tuple[Stage, MigrationWorld]]:
    with on_stage(migration_world, {FUNCTION: start_baseline.handler}) as staged:
        yield staged


# -- what works -----------------------------------------------------------------------------------


def test_the_caller_gets_a_response_before_any_work_is_done(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, world = staged
    with watching([task.dms]) as calls:
        assert stage.call(FUNCTION, REQUEST) == {"accepted": True}
    assert calls.names == []
    stage.play()
    assert world.task.starts == 1


def test_the_work_receives_the_request_without_its_envelope(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, _ = staged
    stage.call(FUNCTION, REQUEST)
    stage.play()
    payloads = [json.loads(call.payload) for call in stage.simulation.service.calls.completed]
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
def test_an_invalid_request_is_rejected_with_or_without_an_envelope(
    staged: tuple[Stage, MigrationWorld], event: dict[str, Any]
) -> None:
    stage, world = staged
    assert stage.call(FUNCTION, event) is None
    stage.play()
    assert world.task.starts == 0


# -- weaknesses -----------------------------------------------------------------------------------


def test_a_second_request_during_the_migration_ends_in_the_dead_letter_queue(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, world = staged
    for _ in range(2):
        stage.call(FUNCTION, REQUEST)
    stage.play()
    assert (world.task.starts, stage.dead_letters) == (1, 1)
    assert stage.calls_of(FUNCTION) == 2 + 1 + 3, (
        "the second request's work is attempted three times"
    )


def test_a_second_request_after_the_migration_repeats_it(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, world = staged
    for _ in range(2):
        stage.call(FUNCTION, REQUEST)
        stage.play()
        world.finish()
    assert (world.task.starts, stage.dead_letters) == (2, 0)


def test_a_crash_after_starting_a_short_migration_repeats_it(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, world = staged
    stage.call(FUNCTION, REQUEST)
    with crash_at([task.dms], (2, "after")) as died:
        stage.pass_time(1)
        world.finish()
        stage.play()
    assert died
    assert world.task.starts == 2


def test_a_caller_that_sends_the_envelope_runs_the_work_synchronously(
    staged: tuple[Stage, MigrationWorld],
) -> None:
    stage, world = staged
    assert stage.call(FUNCTION, {ENVELOPE: REQUEST}) == {"accepted": True}
    assert world.task.starts == 1
