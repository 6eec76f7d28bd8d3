"""Polling by a function on a schedule: what it gets right, and where it is weak."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from patterns.migration import task
from patterns.polling import before
from scenarios.worlds.migration import TASK_ARN, MigrationWorld
from scenarios.worlds.migration_before import BEGIN, LOOK, schedule_world, state_in_table
from scenarios.worlds.stage import Stage, on_stage
from tests.interference import dying_at, moments

Staged = tuple[Stage, MigrationWorld]
REQUEST = {"task_arn": TASK_ARN}


@pytest.fixture
def staged() -> Iterator[Staged]:
    with on_stage(schedule_world, {BEGIN: before.begin, LOOK: before.look}) as staged:
        yield staged


def test_the_table_tells_how_the_migration_ended(staged: Staged) -> None:
    stage, world = staged
    stage.call(BEGIN, REQUEST)
    assert stage.call(LOOK, {}) == {"looked": 1}
    assert state_in_table() == "under way"
    world.fail()
    stage.call(LOOK, {})
    assert state_in_table() == "failed"


def test_what_has_ended_is_not_looked_at_again(staged: Staged) -> None:
    stage, world = staged
    stage.call(BEGIN, REQUEST)
    world.finish()
    stage.call(LOOK, {})
    assert stage.call(LOOK, {}) == {"looked": 0}
    assert state_in_table() == "finished"


@pytest.mark.parametrize("moment", moments(1))
def test_a_look_that_dies_is_made_up_for_by_the_next(
    staged: Staged, moment: tuple[int, str]
) -> None:
    stage, world = staged
    stage.call(BEGIN, REQUEST)
    world.finish()
    with dying_at([task.dms], moment) as died:
        assert stage.call(LOOK, {}) is None
    assert died
    stage.call(LOOK, {})
    assert state_in_table() == "finished"


def test_whoever_dies_after_the_start_is_called_again_in_vain(staged: Staged) -> None:
    stage, world = staged
    with dying_at([task.dms], (2, "after")) as died:
        stage.send(BEGIN, REQUEST)
        stage.play()
    assert died
    assert stage.calls_of(BEGIN) == 3
    assert stage.dead_letters == 1
    assert world.task.starts == 1


def test_a_row_whose_start_was_given_up_is_looked_at_for_ever(staged: Staged) -> None:
    stage, world = staged
    world.refuse_to_start()
    stage.send(BEGIN, REQUEST)
    stage.play()
    assert world.task.starts == 0
    for _ in range(100):
        stage.pass_time(900)
        assert stage.call(LOOK, {}) == {"looked": 1}
    assert state_in_table() == "under way"
