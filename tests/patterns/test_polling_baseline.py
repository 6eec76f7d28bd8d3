"""Polling with a function on a schedule: what works, and its weak spots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from baselines import polling as baseline
from patterns.migration import task
from scenarios.worlds.migration import TASK_ARN, MigrationWorld
from scenarios.worlds.migration_baseline import BEGIN, CHECK, schedule_world, state_in_table
from scenarios.worlds.stage import Stage, on_stage
from tests.interference import crash_at, moments

Staged = tuple[Stage, MigrationWorld]
REQUEST = {"task_arn": TASK_ARN}


@pytest.fixture
def staged() -> Iterator[Staged]:
    with on_stage(schedule_world, {BEGIN: baseline.begin, CHECK: baseline.check}) as staged:
        yield staged


def test_the_table_shows_how_the_migration_ended(staged: Staged) -> None:
    stage, world = staged
    stage.call(BEGIN, REQUEST)
    assert stage.call(CHECK, {}) == {"checked": 1}
    assert state_in_table() == "under way"
    world.fail()
    stage.call(CHECK, {})
    assert state_in_table() == "failed"


def test_a_migration_that_has_ended_is_not_checked_again(staged: Staged) -> None:
    stage, world = staged
    stage.call(BEGIN, REQUEST)
    world.finish()
    stage.call(CHECK, {})
    assert stage.call(CHECK, {}) == {"checked": 0}
    assert state_in_table() == "finished"


@pytest.mark.parametrize("moment", moments(1))
def test_the_next_check_makes_up_for_one_that_crashes(
    staged: Staged, moment: tuple[int, str]
) -> None:
    stage, world = staged
    stage.call(BEGIN, REQUEST)
    world.finish()
    with crash_at([task.dms], moment) as died:
        assert stage.call(CHECK, {}) is None
    assert died
    stage.call(CHECK, {})
    assert state_in_table() == "finished"


def test_retries_of_begin_are_futile_if_it_crashes_after_the_start(staged: Staged) -> None:
    stage, world = staged
    with crash_at([task.dms], (2, "after")) as died:
        stage.send(BEGIN, REQUEST)
        stage.play()
    assert died
    assert stage.calls_of(BEGIN) == 3
    assert stage.dead_letters == 1
    assert world.task.starts == 1


def test_a_row_whose_start_failed_is_checked_forever(staged: Staged) -> None:
    stage, world = staged
    world.refuse_to_start()
    stage.send(BEGIN, REQUEST)
    stage.play()
    assert world.task.starts == 0
    for _ in range(100):
        stage.pass_time(900)
        assert stage.call(CHECK, {}) == {"checked": 1}
    assert state_in_table() == "under way"
