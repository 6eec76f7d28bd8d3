"""Quotas, names and bounds: lints that the reference run alone is enough for."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import (
    CompletionConfig,
    Duration,
    MapConfig,
    ParallelConfig,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision

import dacapo
from dacapo import Scenario, succeed
from dacapo.service import quotas
from dacapo.verify.findings import Certainty, Code, ExperimentName, Finding
from dacapo.verify.verifier import verify
from tests.command_line import dacapo as dacapo_command
from tests.lab import handlers
from tests.verify.quick import QUICK


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


def test_a_callback_without_a_timeout_is_a_lint_even_if_it_is_answered() -> None:
    @durable_execution
    def asks(_: Any, context: DurableContext) -> None:
        context.wait_for_callback(lambda *_: None, name="ask")

    (finding,) = findings_of(asks, answers={"ask": succeed(1)})
    assert (finding.code, finding.certainty) == (Code.UNBOUNDED_WAIT, Certainty.LINT)


def polls(most: int, _: Any, context: DurableContext) -> int:
    def strategy(state: int, attempt: int) -> WaitForConditionDecision:
        if state >= 3 or attempt > most:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(Duration.from_minutes(1))

    config = WaitForConditionConfig(strategy, initial_state=0)
    return context.wait_for_condition(lambda state, _: state + 1, config, name="count")


@pytest.mark.parametrize(("most", "is_bounded"), [(100, True), (1_000_000, False)])
def test_a_poll_without_a_bound_is_a_lint_even_if_it_ends_in_the_run(
    most: int, is_bounded: bool
) -> None:
    findings = findings_of(durable_execution(partial_named(polls, most)))
    codes = [(f.code, f.certainty) for f in findings]
    assert codes == ([] if is_bounded else [(Code.UNBOUNDED_WAIT, Certainty.LINT)])


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


@durable_execution
def works_an_hour(event: Any, context: DurableContext) -> None:
    context.wait(Duration.from_hours(1), name="work")


def works(child: DurableContext) -> None:
    child.invoke("works:live", None, name="invoke")


def waits(child: DurableContext) -> None:
    child.wait(Duration.from_minutes(10), name="deadline")


def mapped(branch: Callable[[DurableContext], object], limit: int | None) -> list[Finding]:
    """Verify a map of five branches that invoke a function which works for an hour."""

    @durable_execution
    def handler(event: list[int], context: DurableContext) -> None:
        config: MapConfig[Any] = MapConfig(max_concurrency=limit)
        context.map(event, lambda child, *_: branch(child), name="all", config=config)

    return findings_of(handler, list(range(5)), functions={"works": works_an_hour})


def raced(child: DurableContext) -> None:
    first = ParallelConfig(completion_config=CompletionConfig(min_successful=1))
    child.parallel([works, waits], name="race", config=first)


def invoked_twice_at_once(child: DurableContext) -> None:
    child.parallel([works, works], name="both")


def test_invokes_that_outlast_their_branches_and_exceed_the_limit_are_proved() -> None:
    (finding,) = mapped(raced, limit=2)
    assert (finding.code, finding.certainty) == (Code.INVOKES_LEFT_RUNNING, Certainty.PROVED)
    assert "limited to 2 branches at a time, and 5 of them" in finding.message
    assert finding.place is not None
    assert finding.place.file == __file__


@pytest.mark.parametrize(
    ("branch", "limit"),
    [(works, 2), (invoked_twice_at_once, 2), (raced, 5), (raced, None)],
    ids=["waits for its invoke", "waits for two invokes", "within the limit", "no limit"],
)
def test_branches_that_keep_to_the_limit_have_no_finding(
    branch: Callable[[DurableContext], object], limit: int | None
) -> None:
    assert mapped(branch, limit) == []


def sleep_in_asyncio(seconds: float) -> None:
    asyncio.run(asyncio.sleep(seconds))


def sleeps(event: float, context: DurableContext) -> None:
    """Do two things that each take as long as the event says."""

    def work(_: StepContext) -> None:
        dacapo.effect("example:Call", "the same request")
        time.sleep(event)

    for name in ("one", "two"):
        context.step(work, name=name)


def sleeps_in_the_body(event: float, context: DurableContext) -> None:
    context.step(lambda _: None, name="one")
    time.sleep(event)


def sleeps_in_a_branch(event: float, context: DurableContext) -> None:
    context.parallel([lambda child: sleeps(event, child)], name="branches")


@pytest.mark.parametrize(
    ("handler", "minutes", "message"),
    [
        (sleeps, 10, "1 invocation ends in 'two'"),
        (sleeps, 20, "5 invocations end in 'one'"),
        (sleeps_in_the_body, 20, "5 invocations end outside every step"),
        (sleeps_in_a_branch, 20, "5 invocations end in 'branches/parallel-branch-0/one'"),
    ],
)
def test_a_reference_run_that_times_out_is_suspected_at_its_line_and_nothing_is_proved(
    handler: Any, minutes: int, message: str
) -> None:
    scenario = Scenario(handler=durable_execution(handler), event=60 * minutes)
    report = verify(scenario, only=QUICK)
    assert (report.proved, report.ending.is_expected) == ([], minutes == 10)
    (finding,) = report.suspected
    assert finding.code is Code.INVOCATION_TIMED_OUT
    assert finding.message == f"{message}: Task timed out after 900.00 seconds"
    assert finding.place is not None
    assert finding.place.file == __file__


@pytest.mark.prove
def test_a_handler_that_times_out_unexpectedly_is_not_verified() -> None:
    target = ("verify", "gotchas/poll_inside_a_step.py:breaks")
    done = dacapo_command(*target, "--expect", "SUCCEEDED", columns=120)
    assert done.returncode == 3
    assert "the run ended with FAILED, Sandbox.Timedout: " in done.stdout.splitlines()[0]
    assert "breaks is not verified: 0 proved, 1 suspected, 0 lints" in done.stdout


@pytest.mark.prove
def test_a_handler_that_times_out_although_its_scenario_expects_that_is_proved() -> None:
    done = dacapo_command("verify", "gotchas/poll_inside_a_step.py:breaks", columns=120)
    assert done.returncode == 1
    assert "breaks breaks: 1 proved, 0 suspected, 0 lints" in done.stdout
    assert "not compared: the reference run has invocations that timed out" in done.stdout


@pytest.mark.parametrize("act", [time.sleep, threading.Event().wait, sleep_in_asyncio])
def test_a_sleep_outside_every_step_is_a_lint_at_its_line(act: Callable[[float], object]) -> None:
    def sleeps_twice(event: Any, context: DurableContext) -> None:
        context.step(lambda _: time.sleep(1), name="one")
        for _ in range(2):
            act(60)

    report = verify(Scenario(handler=durable_execution(sleeps_twice)), only=QUICK)
    (finding,) = report.findings
    assert (finding.code, finding.certainty) == (Code.SLEEP_OUTSIDE_STEP, Certainty.LINT)
    assert "sleeps outside every step, 2 times" in finding.message
    assert finding.place is not None
    assert finding.place.file == __file__


def test_steps_that_stay_below_the_timeout_have_no_finding() -> None:
    assert findings_of(durable_execution(sleeps), 60 * 7) == []


@pytest.mark.prove
def test_a_process_that_a_step_ends_is_proved_at_the_line_of_the_step() -> None:
    @durable_execution
    def exits(event: Any, context: DurableContext) -> None:
        context.step(lambda _: os._exit(3), name="leave")

    (finding,) = verify(Scenario(handler=exits), only=QUICK).findings
    assert (finding.code, finding.certainty) == (Code.DIED, Certainty.PROVED)
    assert finding.message == (
        "5 invocations end in 'leave': Runtime exited with error: exit status 3"
    )
    assert finding.place is not None
    assert finding.place.line == inspect.unwrap(exits).__code__.co_firstlineno + 2
