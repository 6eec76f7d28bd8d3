"""The state machines that waited for a migration before: they really run, and are counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from patterns.event_callback import before
from scenarios.worlds.migration import TASK_ARN, MigrationWorld
from scenarios.worlds.migration_before import bring_event, polling_machine, token_machine
from scenarios.worlds.state_machines import Run, StateMachine
from tests.interference import watching

LONG, SHORT = 60, 3
"""Seconds that a token is waited for: longer than any test, and long enough for it to be stored."""
FAILED = "REPLICATION_TASK_FAILED"


def ask(machine: StateMachine) -> Run:
    return machine.start(task_arn=TASK_ARN, start_type="start-replication", pause_seconds=0)


def wait_for_token(machine: StateMachine, seconds: int = LONG) -> Run:
    """Start the machine, and come back when the token is stored."""
    run = machine.start(task_arn=TASK_ARN, timeout_seconds=seconds)
    run.wait_until_submitted()
    return run


@pytest.mark.parametrize("polls", [1, 2, 7])
def test_asking_is_three_transitions_and_nine_events_a_turn(polls: int) -> None:
    with polling_machine() as (machine, world):
        world.finish_after_descriptions(polls)
        run = ask(machine)
        assert run.wait() == "SUCCEEDED"
        assert run.transitions == 1 + 3 * polls + 1
        assert len(run.history) == 6 + 9 * polls + 3
    assert world.task.starts == 1


@pytest.mark.parametrize(
    "end", [MigrationWorld.fail, MigrationWorld.be_stopped, MigrationWorld.finish_with_errors]
)
def test_asking_finds_every_bad_end(end: Callable[[MigrationWorld], None]) -> None:
    with polling_machine() as (machine, world):
        world.task.after_look = lambda: end(world)
        run = ask(machine)
        assert run.wait() == "FAILED"
        assert run.described["error"] == "MigrationFailed"


def test_a_token_is_answered_by_the_event() -> None:
    with token_machine() as (machine, world):
        run = wait_for_token(machine)
        bring_event()
        assert run.wait() == "SUCCEEDED"
        assert run.transitions == 2
    assert world.task.starts == 1


def test_a_token_is_answered_by_a_failure() -> None:
    with token_machine() as (machine, _):
        run = wait_for_token(machine)
        bring_event(FAILED)
        assert run.wait() == "FAILED"
        assert run.described["error"] == "MigrationFailed"


def test_an_event_that_comes_twice_answers_once() -> None:
    with token_machine() as (machine, _):
        run = wait_for_token(machine)
        bring_event()
        bring_event()
        assert run.wait() == "SUCCEEDED"
        bring_event()


def test_the_event_of_an_earlier_run_is_not_believed() -> None:
    with token_machine(ran_before=True) as (machine, _):
        run = wait_for_token(machine)
        bring_event(at=datetime.now(UTC) - timedelta(hours=1))
        assert run.status == "RUNNING"
        bring_event()
        assert run.wait() == "SUCCEEDED"


def test_a_lost_event_is_waited_for_until_the_timeout_though_the_load_is_done() -> None:
    with token_machine() as (machine, world):
        run = wait_for_token(machine, SHORT)
        world.finish()
        assert run.wait() == "FAILED"
        assert run.described["error"] == "MigrationUnfinished"


def test_an_event_before_the_token_is_stored_finds_nobody() -> None:
    def overtake(_: int, when: str) -> None:
        if when == "before" and not came:
            came.append("the event")
            bring_event()

    came: list[str] = []
    with token_machine() as (machine, world), watching([before.dynamodb], overtake):
        run = wait_for_token(machine)
        assert came
        assert run.status == "RUNNING"
        run.stop()
    assert world.task.starts == 1


def test_an_event_is_believed_even_if_the_load_was_stopped_half_way() -> None:
    with token_machine() as (machine, world):
        run = wait_for_token(machine)
        world.be_stopped()
        bring_event()
        assert run.wait() == "SUCCEEDED"
