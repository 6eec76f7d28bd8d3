"""Generated handlers that time out and crash in every place, against a model of their invocations.

A handler is a list of stages. From the stages alone, the model computes each invocation with its
start, its length and its status.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig
from aws_durable_execution_sdk_python.retries import RetryPresets
from hypothesis import given, settings
from hypothesis import strategies as st

from dacapo.scenario import START
from dacapo.service import quotas
from dacapo.service.execution import Execution, Invocation
from dacapo.service.functions import Function
from dacapo.simulation.simulation import Simulation
from tests.lab.validity import assert_valid_history

NEVER = StepConfig(retry_strategy=RetryPresets.none())
TOO_LONG = 10_000
WAIT = 60


@dataclass(frozen=True)
class Stage:
    """A part of a handler.

    Parameters:
        place: where it works: in the handler's body, in a step, or in the step of a branch.
        failures: how its first attempts end: "slow" runs past the timeout, "crash" exits.
        seconds: how long it works once those are over.
        waits: whether a durable wait follows, which ends the invocation.
    """

    place: str
    failures: tuple[str, ...]
    seconds: int
    waits: bool


STAGES = st.lists(
    st.builds(
        Stage,
        place=st.sampled_from(["body", "step", "branch"]),
        failures=st.lists(st.sampled_from(["slow", "crash"]), max_size=3).map(tuple),
        # No sum of these is one of the timeouts: what happens at the same moment isn't the subject.
        seconds=st.sampled_from([0, 7, 250, 1000]),
        waits=st.booleans(),
    ),
    min_size=1,
    max_size=5,
)
TIMEOUTS = st.sampled_from([30, 300, 900])


def handler_of(stages: list[Stage]) -> Any:
    """Return a handler that goes through these stages."""
    failures = [list(stage.failures) for stage in stages]

    def work(number: int) -> None:
        failure = failures[number].pop(0) if failures[number] else None
        if failure == "crash":
            os._exit(1)
        time.sleep(TOO_LONG if failure == "slow" else stages[number].seconds)

    def pass_through(number: int, place: str, context: DurableContext) -> None:
        def in_a_step(inner: DurableContext) -> None:
            inner.step(lambda _: work(number), name=f"work {number}", config=NEVER)

        if place == "body":
            work(number)
        elif place == "step":
            in_a_step(context)
        else:
            others = lambda inner: inner.step(lambda _: None, name="beside")  # noqa: E731
            context.parallel([in_a_step, others], name=f"branches {number}")

    @durable_execution
    def handler(event: Any, context: DurableContext) -> str:
        for number, stage in enumerate(stages):
            pass_through(number, stage.place, context)
            if stage.waits:
                context.wait(Duration.from_seconds(WAIT), name=f"wait {number}")
        return "done"

    return handler


Expected = tuple[timedelta, timedelta, str]
"""The start of an invocation since the start of the execution, its length, and its status."""


def expected_invocations(stages: list[Stage], timeout: int) -> Iterator[Expected]:
    """Yield each invocation of a handler with these stages."""
    left, begins, failed = list(stages), 0, 0
    while failed < quotas.INVOCATION_ATTEMPTS:
        length, status = invoke(left, timeout)
        yield timedelta(seconds=begins), timedelta(seconds=length), status
        if status == "SUCCEEDED":
            return
        failed = 0 if status == "PENDING" else failed + 1
        pause = WAIT if status == "PENDING" else quotas.INVOCATION_BACKOFF.seconds
        begins += length + pause


def invoke(left: list[Stage], timeout: int) -> tuple[int, str]:
    """Return length and status of the next invocation; remove from the stages what is done."""
    elapsed = 0
    for number, stage in enumerate(left):
        failure, *others = stage.failures or (None,)
        left[number] = replace(stage, failures=tuple(others))
        if failure == "crash":
            return elapsed, "DIED"
        elapsed += TOO_LONG if failure else stage.seconds
        if elapsed > timeout:
            return timeout, "TIMED_OUT"
        seconds = stage.seconds if stage.place == "body" else 0  # a step is not run again
        left[number] = replace(left[number], seconds=seconds, waits=False)
        if stage.waits:
            return elapsed, "PENDING"
    return elapsed, "SUCCEEDED"


def execute(stages: list[Stage], timeout: int, seed: int = 0) -> Execution:
    """Run a handler with these stages until its execution has ended."""
    simulation = Simulation(seed, START)
    function: Function = simulation.add_function(
        "function", handler_of(stages), timeout=timedelta(seconds=timeout)
    )
    with simulation.running():
        execution = simulation.service.start(function, "{}")
        while execution.is_running and simulation.clock.run_next():
            pass
    return execution


def observed(invocation: Invocation, start: datetime) -> Expected:
    assert invocation.ended is not None
    length = invocation.ended - invocation.started
    return invocation.started - start, length, invocation.status.value


def generated(test: Callable[..., None]) -> Any:
    return settings(max_examples=60, deadline=None)(
        given(STAGES, TIMEOUTS, st.integers(0, 3))(test)
    )


@generated
def test_every_invocation_begins_ends_and_counts_as_the_model_says(
    stages: list[Stage], timeout: int, seed: int
) -> None:
    """An answer resets the count of failures: five timeouts and crashes in a row are the end."""
    execution = execute(stages, timeout, seed)
    expected = list(expected_invocations(stages, timeout))
    assert [observed(i, execution.started) for i in execution.invocations] == expected
    ends = {"SUCCEEDED": "SUCCEEDED", "TIMED_OUT": "FAILED", "DIED": "FAILED"}
    assert execution.execution_status == ends[expected[-1][2]]


@pytest.mark.prove
@generated
def test_an_invocation_that_ends_early_leaves_its_error_and_no_failed_step(
    stages: list[Stage], timeout: int, seed: int
) -> None:
    execution = execute(stages, timeout, seed)
    errors = {"TIMED_OUT": "Sandbox.Timedout", "DIED": "Runtime.ExitError"}
    for invocation in execution.invocations:
        error = invocation.error and invocation.error.type
        assert error == errors.get(invocation.status.value)
    if execution.error is not None:
        assert execution.error == execution.invocations[-1].error
    assert not [event for event in execution.log.events if event.type == "StepFailed"]
    steps = [o.step_details for o in execution.operations.values() if o.step_details]
    assert {step.attempt for step in steps} <= {0, 1}, "a retry was used"


@pytest.mark.prove
@generated
def test_the_history_is_valid_however_invocations_end(
    stages: list[Stage], timeout: int, seed: int
) -> None:
    execution = execute(stages, timeout, seed)
    operations = dict(execution.operations)
    del operations[execution.invocation_id]
    assert_valid_history(execution.log.events, operations)
    for one, other in pairwise(execution.invocations):
        between = execution.log.events[one.events_after : other.events_before]
        assert {event.type for event in between} <= {"WaitSucceeded"}, "an ended one went on"


def test_an_answer_between_failures_resets_their_count() -> None:
    once = Stage("step", ("slow", "crash", "slow"), 0, waits=True)
    assert execute([once, once], 900).execution_status == "SUCCEEDED"
    at_once = [replace(once, waits=False), once]
    assert execute(at_once, 900).execution_status == "FAILED"
