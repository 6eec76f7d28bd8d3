"""Answers that were recorded but never reached their execution are delivered, or counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from dacapo import fail_next_calls
from patterns import callbacks
from patterns.callbacks import NotSentYet, Outcome, answers, overdue, service, table
from patterns.callbacks.answers import Answer
from patterns.callbacks.table import State
from scenarios.worlds.beyond_moto import slow
from tests.interference import crash_at
from tests.patterns.waiting import DAY_SECONDS, Wait, waiting

CLIENTS = [table.dynamodb, service.lambda_client]
YES, NO = answers.success("yes"), answers.failure("no", "Rejected")


@pytest.fixture
def wait() -> Iterator[Wait]:
    with waiting("the reference") as (wait, _):
        yield wait


def sweep() -> dict[str, int]:
    context: Any = None
    result: dict[str, int] = overdue.handler({}, context)
    return result


def crash_after_intend() -> None:
    with crash_at(CLIENTS, (0, "after")), pytest.raises(SystemExit):
        callbacks.answer("the reference", YES)


def crash_after_send() -> None:
    with crash_at(CLIENTS, (1, "after")), pytest.raises(SystemExit):
        callbacks.answer("the reference", YES)


# -- delivering -----------------------------------------------------------------------------------


def test_an_answer_that_its_sender_gave_up_is_delivered(wait: Wait) -> None:
    crash_after_intend()
    wait.pass_time(overdue.IN_TRANSIT_SECONDS + 1)
    assert wait.accepted() == []
    assert sweep() == {"settled": 1, "overdue": 0}
    assert wait.result == YES.body
    assert wait.row().state is State.DONE


def test_an_answer_is_left_to_its_sender_for_a_minute(wait: Wait) -> None:
    crash_after_intend()
    wait.pass_time(overdue.IN_TRANSIT_SECONDS)
    assert sweep() == {"settled": 0, "overdue": 0}
    assert wait.accepted() == []


def test_an_answer_that_neither_sender_nor_handler_could_mark_is_settled_by_the_history(
    wait: Wait,
) -> None:
    crash_after_send()
    wait.pass_time(2 * overdue.MAX_INTENT_SECONDS)
    assert wait.row().state is State.INTENT
    assert sweep() == {"settled": 1, "overdue": 0}
    assert wait.accepted() == ["success"], "it was sent again"
    assert callbacks.answer("the reference", YES) is Outcome.ALREADY_SENT
    assert callbacks.answer("the reference", NO) is Outcome.CONFLICT


@pytest.mark.parametrize("answer", [YES, NO], ids=["success", "failure"])
def test_an_answer_to_a_callback_that_another_one_closed_is_settled_as_a_conflict(
    wait: Wait, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    service_callbacks = wait.simulation.service.callbacks
    if answer is YES:
        service_callbacks.succeed(wait.callback_id, YES.body.encode())
    else:
        service_callbacks.fail(wait.callback_id, ErrorObject("no", "Rejected", None, None))
    with pytest.raises(NotSentYet):
        callbacks.answer("the reference", answers.success("another"))
    wait.pass_time(2 * overdue.MAX_INTENT_SECONDS)
    assert sweep() == {"settled": 1, "overdue": 0}
    assert callbacks.answer("the reference", answer) is Outcome.ALREADY_SENT
    assert callbacks.answer("the reference", answers.success("another")) is Outcome.CONFLICT
    assert [r.message for r in caplog.records] == ["an answer arrived for a closed callback"]


@pytest.mark.parametrize("how", ["timed out", "stopped"])
def test_an_answer_to_a_wait_that_ended_without_one_is_settled_as_too_late(
    wait: Wait, how: str
) -> None:
    crash_after_intend()
    if how == "stopped":
        wait.stop()
    wait.pass_time(2 * DAY_SECONDS)
    assert sweep() == {"settled": 1, "overdue": 0}
    assert wait.accepted() == []
    assert callbacks.answer("the reference", YES) is Outcome.CLOSED


def test_one_answer_that_cannot_be_sent_does_not_keep_the_others_waiting(wait: Wait) -> None:
    crash_after_intend()
    callbacks.put("unknown", "bm8=", owner=wait.execution.arn, timeout=DAY_SECONDS)
    with crash_at(CLIENTS, (0, "after")), pytest.raises(SystemExit):
        callbacks.answer("unknown", YES)
    wait.pass_time(overdue.MAX_INTENT_SECONDS + 1)
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")
    assert sweep() == {"settled": 1, "overdue": 1}
    assert sweep() == {"settled": 1, "overdue": 0}


def test_delivering_ends_in_time_to_count(wait: Wait) -> None:
    """With a service that hangs, a few answers take all the time that the function has."""
    crash_after_intend()
    wait.pass_time(2 * overdue.MAX_INTENT_SECONDS)
    with slow(table.dynamodb, "Scan", overdue.MAX_SETTLING_SECONDS):
        assert sweep() == {"settled": 0, "overdue": 1}


# -- counting -------------------------------------------------------------------------------------


def test_an_answer_in_transit_is_overdue_after_15_minutes(wait: Wait) -> None:
    crash_after_intend()
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException", times=2)
    wait.pass_time(overdue.MAX_INTENT_SECONDS)
    assert sweep() == {"settled": 0, "overdue": 0}
    wait.pass_time(1)
    assert sweep() == {"settled": 0, "overdue": 1}


def test_redelivery_does_not_restart_the_15_minutes(wait: Wait) -> None:
    for _ in range(3):
        crash_after_intend()
        wait.pass_time(overdue.MAX_INTENT_SECONDS / 2)
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")
    assert sweep() == {"settled": 0, "overdue": 1}


@pytest.mark.parametrize("state", ["open", "answered", "closed", "between"])
def test_a_row_in_any_other_state_is_neither_delivered_nor_overdue(wait: Wait, state: str) -> None:
    if state == "answered":
        callbacks.answer("the reference", YES)
    elif state != "open":
        wait.close(received=None, asks_again=state == "between")
    wait.pass_time(2 * overdue.MAX_INTENT_SECONDS)
    assert sweep() == {"settled": 0, "overdue": 0}


def test_the_count_is_published_as_a_cloudwatch_metric_of_this_stack(
    wait: Wait, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for stack in ("one", "another"):
        monkeypatch.setenv(overdue.STACK_VARIABLE, stack)
        sweep()
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [metric["stack"] for metric in metrics] == ["one", "another"]
    for metric in metrics:
        assert metric[overdue.METRIC] == [0]
        (described,) = metric["_aws"]["CloudWatchMetrics"]
        assert described["Namespace"] == "Dacapo"
        assert sorted(described["Dimensions"][0]) == ["service", "stack"]
