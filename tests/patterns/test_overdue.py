"""Answers that were recorded but never reached their execution are counted, for an alarm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from patterns import callbacks
from patterns.callbacks import answers, overdue, registry, table
from tests.interference import crash_at
from tests.patterns.waiting import Wait, waiting

CLIENTS = [table.dynamodb, registry.lambda_client]
YES = answers.success("yes")


@pytest.fixture
def wait() -> Iterator[Wait]:
    with waiting("the reference") as (wait, _):
        yield wait


def count() -> int:
    context: Any = None
    return int(overdue.handler({}, context)["overdue"])


def crash_after_intend() -> None:
    with crash_at(CLIENTS, (0, "after")), pytest.raises(SystemExit):
        callbacks.answer("the reference", YES)


def test_an_answer_in_transit_is_overdue_after_15_minutes(wait: Wait) -> None:
    crash_after_intend()
    wait.pass_time(overdue.MAX_INTENT_SECONDS)
    assert count() == 0
    wait.pass_time(1)
    assert count() == 1


def test_redelivery_does_not_restart_the_15_minutes(wait: Wait) -> None:
    for _ in range(3):
        crash_after_intend()
        wait.pass_time(overdue.MAX_INTENT_SECONDS / 2)
    assert count() == 1


@pytest.mark.parametrize("state", ["open", "answered", "closed"])
def test_a_row_in_any_other_state_is_not_overdue(wait: Wait, state: str) -> None:
    if state == "answered":
        callbacks.answer("the reference", YES)
    elif state == "closed":
        callbacks.close("the reference", owner=wait.execution.arn, received=None)
    wait.pass_time(2 * overdue.MAX_INTENT_SECONDS)
    assert count() == 0


def test_the_count_is_published_as_a_cloudwatch_metric(
    wait: Wait, capsys: pytest.CaptureFixture[str]
) -> None:
    count()
    (line,) = capsys.readouterr().out.splitlines()
    metric = json.loads(line)
    assert metric[overdue.METRIC] == [0]
    assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Dacapo"
    assert metric["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
