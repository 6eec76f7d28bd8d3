"""Quotas, names and bounds: lints that the reference run alone is enough for."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision

from dacapo import Scenario, succeed
from dacapo.service import quotas
from dacapo.verify.findings import Certainty, Code, ExperimentName, Finding
from dacapo.verify.verifier import verify
from tests.lab import handlers


def findings_of(handler: Any, event: Any = None, **scenario: Any) -> list[Finding]:
    report = verify(
        Scenario(handler=handler, event=event, **scenario), only=[ExperimentName.REFERENCE_RUN]
    )
    return report.findings


@pytest.fixture
def few_operations(monkeypatch: pytest.MonkeyPatch) -> int:
    """Lower the quota, so that a short run gets near it, and return it."""
    monkeypatch.setattr(quotas, "OPERATIONS", 50)
    return quotas.OPERATIONS


def test_an_execution_near_its_operation_quota_is_suspected(few_operations: int) -> None:
    near = int(0.8 * few_operations)
    assert findings_of(handlers.steps, near - 2) == []
    (finding,) = findings_of(handlers.steps, near)
    assert (finding.code, finding.certainty) == (Code.MANY_OPERATIONS, Certainty.SUSPECTED)


def test_an_execution_that_exceeds_its_operation_quota_is_proved(few_operations: int) -> None:
    (finding,) = findings_of(handlers.steps, few_operations + 1)
    assert (finding.code, finding.certainty) == (Code.MANY_OPERATIONS, Certainty.PROVED)


def test_an_execution_near_its_byte_quota_is_suspected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "BYTES_WRITTEN", 5_000)

    @durable_execution
    def writes(size: int, context: DurableContext) -> None:
        context.step(lambda _: "x" * size, name="write")

    assert findings_of(writes, 3_000) == []
    (finding,) = findings_of(writes, 4_500)
    assert (finding.code, finding.certainty) == (Code.MANY_BYTES, Certainty.SUSPECTED)


@durable_execution
def asks_for_a_week(_: Any, context: DurableContext) -> None:
    config = WaitForCallbackConfig(timeout=Duration.from_days(7))
    context.wait_for_callback(lambda *_: None, name="ask", config=config)


@pytest.mark.parametrize(("days", "is_reported"), [(6, True), (7, True), (8, False)])
def test_a_callback_that_outlasts_the_execution_is_proved(days: int, is_reported: bool) -> None:
    answers = {"ask": succeed(1)}
    findings = findings_of(asks_for_a_week, answers=answers, execution_timeout=timedelta(days=days))
    assert [f.code for f in findings] == ([Code.TIMEOUT_TOO_LONG] if is_reported else [])
    assert all(f.place and f.place.file == __file__ for f in findings)


def test_a_callback_without_a_timeout_is_proved_even_if_it_is_answered() -> None:
    @durable_execution
    def asks(_: Any, context: DurableContext) -> None:
        context.wait_for_callback(lambda *_: None, name="ask")

    (finding,) = findings_of(asks, answers={"ask": succeed(1)})
    assert (finding.code, finding.certainty) == (Code.UNBOUNDED_WAIT, Certainty.PROVED)


def polls(most: int, _: Any, context: DurableContext) -> int:
    def strategy(state: int, attempt: int) -> WaitForConditionDecision:
        if state >= 3 or attempt > most:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(Duration.from_minutes(1))

    config = WaitForConditionConfig(strategy, initial_state=0)
    return context.wait_for_condition(lambda state, _: state + 1, config, name="count")


@pytest.mark.parametrize(("most", "is_bounded"), [(100, True), (1_000_000, False)])
def test_a_poll_without_a_bound_is_suspected_even_if_it_ends_in_the_run(
    most: int, is_bounded: bool
) -> None:
    findings = findings_of(durable_execution(partial_named(polls, most)))
    codes = [(f.code, f.certainty) for f in findings]
    assert codes == ([] if is_bounded else [(Code.UNBOUNDED_WAIT, Certainty.SUSPECTED)])


def partial_named(function: Any, *arguments: Any) -> Any:
    wrapped: Any = partial(function, *arguments)
    wrapped.__name__, wrapped.__module__ = function.__name__, function.__module__
    return wrapped


def test_unnamed_operations_that_could_swap_places_are_counted() -> None:
    def body(_: StepContext) -> int:
        return 1

    @durable_execution
    def unnamed(number: int, context: DurableContext) -> None:
        for _ in range(number):
            context.step(partial(body))

    (one,), (three,) = findings_of(unnamed, 1), findings_of(unnamed, 3)
    assert one.message == "an operation (Step) has no name"
    assert three.message == "3 operations (Step) have no name: two of them could swap unnoticed"
