"""The baseline state machines that wait for a migration: they really run, and are measured."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from baselines import event_callback as baseline
from scenarios.worlds.migration import TASK_ARN, MigrationWorld
from scenarios.worlds.migration_baseline import deliver_event, polling_machine, token_machine
from scenarios.worlds.state_machines import Run, StateMachine
from tests.interference import watching

LONG, SHORT = 60, 3
"""Seconds to wait for a token: longer than any test, and just long enough to store the token."""
FAILED = "REPLICATION_TASK_FAILED"


pytestmark = pytest.mark.prove  # the interpreter of state machines waits in real time


def poll(machine: StateMachine) -> Run:
    return machine.start(task_arn=TASK_ARN, start_type="start-replication", pause_seconds=0)


def wait_for_token(machine: StateMachine, seconds: int = LONG) -> Run:
    """Start the machine, and return once the token is stored."""
    run = machine.start(task_arn=TASK_ARN, timeout_seconds=seconds)
    run.wait_until_submitted()
    return run


@pytest.mark.parametrize("polls", [1, 2, 7])
def test_each_poll_is_three_transitions_and_nine_events(polls: int) -> None:
    with polling_machine() as (machine, world):
        world.finish_after_descriptions(polls)
        run = poll(machine)
        assert run.wait() == "SUCCEEDED"
        assert run.transitions == 1 + 3 * polls + 1
        assert len(run.history) == 6 + 9 * polls + 3
    assert world.task.starts == 1


@pytest.mark.parametrize(
    "end", [MigrationWorld.fail, MigrationWorld.stop, MigrationWorld.finish_with_errors]
)
def test_polling_notices_every_failure(end: Callable[[MigrationWorld], None]) -> None:
    with polling_machine() as (machine, world):
        world.task.after_check = lambda: end(world)
        run = poll(machine)
        assert run.wait() == "FAILED"
        assert run.described["error"] == "MigrationFailed"


def test_an_event_of_success_answers_the_token() -> None:
    with token_machine() as (machine, world):
        run = wait_for_token(machine)
        deliver_event()
        assert run.wait() == "SUCCEEDED"
        assert run.transitions == 2
    assert world.task.starts == 1


def test_an_event_of_failure_answers_the_token() -> None:
    with token_machine() as (machine, _):
        run = wait_for_token(machine)
        deliver_event(FAILED)
        assert run.wait() == "FAILED"
        assert run.described["error"] == "MigrationFailed"


def test_a_duplicate_event_answers_once() -> None:
    with token_machine() as (machine, _):
        run = wait_for_token(machine)
        deliver_event()
        deliver_event()
        assert run.wait() == "SUCCEEDED"
        deliver_event()


def test_an_event_of_an_earlier_run_is_ignored() -> None:
    with token_machine(has_earlier_run=True) as (machine, _):
        run = wait_for_token(machine)
        deliver_event(at=datetime.now(UTC) - timedelta(hours=1))
        assert run.status == "RUNNING"
        deliver_event()
        assert run.wait() == "SUCCEEDED"


def test_a_lost_event_is_waited_for_until_the_timeout_although_the_load_is_done() -> None:
    with token_machine() as (machine, world):
        run = wait_for_token(machine, SHORT)
        world.finish()
        assert run.wait() == "FAILED"
        assert run.described["error"] == "MigrationUnfinished"


def test_an_event_before_the_token_is_stored_is_lost() -> None:
    def overtake(_: int, when: str) -> None:
        if when == "before" and not events:
            events.append("the event")
            deliver_event()

    events: list[str] = []
    with token_machine() as (machine, world), watching([baseline.dynamodb], overtake):
        run = wait_for_token(machine)
        assert events
        assert run.status == "RUNNING"
        run.stop()
    assert world.task.starts == 1


def test_an_event_is_trusted_even_if_the_load_was_stopped_halfway() -> None:
    with token_machine() as (machine, world):
        run = wait_for_token(machine)
        world.stop()
        deliver_event()
        assert run.wait() == "SUCCEEDED"
