"""Answers that were recorded but not brought to their execution are counted, for an alarm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from patterns import callback_answers, callback_rows, callbacks, overdue
from tests.interference import dying_at
from tests.patterns.waiting import Wait, waiting

CLIENTS = [callback_rows.dynamodb, callbacks.lambda_client]
YES = callback_answers.success("yes")


@pytest.fixture
def wait() -> Iterator[Wait]:
    with waiting("the reference") as (wait, _):
        yield wait


def count() -> int:
    context: Any = None
    return int(overdue.handler({}, context)["overdue"])


def die_after_intending() -> None:
    with dying_at(CLIENTS, (0, "after")), pytest.raises(SystemExit):
        callbacks.answer("the reference", YES)


def test_an_answer_that_is_on_its_way_is_overdue_after_a_quarter_of_an_hour(wait: Wait) -> None:
    die_after_intending()
    wait.pass_time(overdue.LONGEST_INTENT_SECONDS)
    assert count() == 0
    wait.pass_time(1)
    assert count() == 1


def test_a_sender_that_comes_again_and_again_does_not_make_it_look_younger(wait: Wait) -> None:
    for _ in range(3):
        die_after_intending()
        wait.pass_time(overdue.LONGEST_INTENT_SECONDS / 2)
    assert count() == 1


@pytest.mark.parametrize("what", ["open", "answered", "closed"])
def test_nothing_else_is_overdue(wait: Wait, what: str) -> None:
    if what == "answered":
        callbacks.answer("the reference", YES)
    elif what == "closed":
        callbacks.close("the reference", owner=wait.execution.arn, got=None)
    wait.pass_time(2 * overdue.LONGEST_INTENT_SECONDS)
    assert count() == 0


def test_cloudwatch_is_told_how_many_there_are(
    wait: Wait, capsys: pytest.CaptureFixture[str]
) -> None:
    count()
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert told[overdue.METRIC] == [0]
    assert told["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Dacapo"
    assert told["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
