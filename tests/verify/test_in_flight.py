"""The deploy check predicts whether an in-flight execution survives new code.

The truth is established first, by experiment: the execution continues with the new code, on the
simulated service and the real SDK, from every point where it is suspended. The deploy check then
has to agree.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache

import pytest

from dacapo import Recording
from dacapo.history.replay_log import Log
from dacapo.service.functions import Handler
from dacapo.verify.deploy_check.replaying import check_log
from dacapo.verify.findings import Certainty, Code, Finding
from tests.depth import every
from tests.verify import order
from tests.verify.deployment import Run, Trial
from tests.verify.in_flight import (
    BREAKING,
    BREAKING_AFTER_CRASH,
    IGNORED_OPTIONS,
    SAFE,
    UNDETECTED,
    Change,
)

SURVIVED = {**SAFE, **IGNORED_OPTIONS}
run_of = cache(Run.of)
"""Run old code, once: many changes share the same one."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Turn logging off: the SDK logs a trace per failure, and most of these executions fail."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def trial(change: Change) -> Trial:
    return Trial(change, run_of(change.old))


def findings_of(handler: Handler, recording: Recording) -> list[Finding]:
    """Run the deploy check on new code against a history that old code wrote."""
    return check_log(handler, Log.of(recording)).findings


def objections(change: Change) -> list[str]:
    findings = findings_of(change.new, run_of(change.old).recording)
    return [f"{f.code}: {f.message}" for f in findings if f.certainty == Certainty.PROVED]


def test_the_order_suspends_in_every_kind_of_operation() -> None:
    recording = run_of(order.base).recording
    begun = {e.operation_id: n for n, e in reversed([*enumerate(recording.events)])}
    ended = {e.operation_id: n for n, e in enumerate(recording.events)}
    between = [i.events_after for i in recording.invocations[:-1]]
    suspended_in = {
        o.kind for o in recording.operations for at in between if begun[o.id] < at <= ended[o.id]
    }
    assert len(between) == 10
    assert suspended_in == {o.kind for o in recording.operations}


@pytest.mark.parametrize("name", every(12, [*BREAKING, *UNDETECTED]))
def test_an_in_flight_execution_breaks_if(name: str) -> None:
    assert any(trial({**BREAKING, **UNDETECTED}[name]).while_suspended())


@pytest.mark.parametrize("name", every(12, SURVIVED))
def test_an_in_flight_execution_survives_wherever_it_is_suspended_if(name: str) -> None:
    assert [problems for problems in trial(SURVIVED[name]).while_suspended() if problems] == []


@pytest.mark.parametrize("name", every(12, BREAKING_AFTER_CRASH))
def test_an_in_flight_execution_breaks_only_after_a_crash_if(name: str) -> None:
    assert not any(trial(BREAKING_AFTER_CRASH[name]).while_suspended())
    assert any(trial(BREAKING_AFTER_CRASH[name]).after_crashes())


@pytest.mark.parametrize("name", every(12, [*BREAKING, *BREAKING_AFTER_CRASH]))
def test_the_deploy_check_fails_if(name: str) -> None:
    assert objections({**BREAKING, **BREAKING_AFTER_CRASH}[name])


@pytest.mark.parametrize("name", every(12, SURVIVED))
def test_the_deploy_check_passes_if(name: str) -> None:
    assert objections(SURVIVED[name]) == []


@pytest.mark.parametrize("name", UNDETECTED)
def test_the_deploy_check_can_not_detect_without_operation_names_that(name: str) -> None:
    """A history holds no code: only the name of a step identifies the owner of a result."""
    assert objections(UNDETECTED[name]) == []


def test_the_deploy_check_reports_operations_without_names() -> None:
    change = UNDETECTED["two unnamed steps swap places"]
    findings = findings_of(change.new, run_of(change.old).recording)
    assert [finding.code for finding in findings] == [Code.UNNAMED_OPERATION]


NOT_YET = ("a result is read in another shape at the end",)
"""What breaks an execution after the point at which it is: only ended histories show it."""


def in_flight(recording: Recording) -> Iterator[Log]:
    """Yield the history as it is at each suspension, the latest first."""
    for invocation in reversed(recording.invocations[:-1]):
        events = recording.events[: invocation.events_after]
        yield Log(recording.arn, events, None, is_complete=False)


@pytest.mark.parametrize("name", every(12, [*BREAKING, *SURVIVED]))
def test_the_check_of_an_execution_in_flight_says_whether_it_survives(name: str) -> None:
    change = {**BREAKING, **SURVIVED}[name]
    run = run_of(change.old)
    breaks = [bool(problems) for problems in trial(change).while_suspended()]
    checked = [check_log(change.new, log) for log in in_flight(run.recording)]
    assert {result.points for result in checked} == {1}
    if name in NOT_YET:
        breaks = [False for _ in breaks]
    assert [bool(result.proved) for result in checked] == breaks
