"""The private names of the SDK: still there, still needed, and when each of them can go."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution, execution, state
from aws_durable_execution_sdk_python.concurrency import executor
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.execution import (
    DurableExecutionInvocationInputWithClient,
    InitialExecutionState,
)
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner

from dacapo import Scenario, run
from dacapo.scenario import START
from dacapo.sdk_internals import installed, operations
from dacapo.sdk_internals.simulated import in_simulation
from dacapo.service.door import Door
from dacapo.service.functions import LambdaContext
from dacapo.simulation import Simulation
from tests.lab import handlers


def milliseconds_of_an_invocation() -> float:
    """Real time of one invocation with one step, against the service, without the lab's help."""
    simulation = Simulation(0, START)
    function = simulation.add_function("steps", handlers.steps)
    started = simulation.service.start(function, "1")
    token = started.renew_token()
    page = simulation.service.checkpoints.read(started.arn, token, "", 1000)
    event = DurableExecutionInvocationInputWithClient(
        started.arn,
        token,
        InitialExecutionState(page.operations, ""),
        service_client=Door(simulation.service.checkpoints, started),
    )
    began = time.perf_counter()
    context: Any = LambdaContext("request", "steps")
    output = handlers.steps(event, context)
    assert output["Status"] == "SUCCEEDED"
    return (time.perf_counter() - began) * 1000


def test_the_sdk_still_idles_at_the_end_of_an_invocation() -> None:
    """`PromptState` can go when this fails: then the SDK ends an invocation at once by itself."""
    alone = min(milliseconds_of_an_invocation() for _ in range(3))
    with in_simulation(0):
        helped = min(milliseconds_of_an_invocation() for _ in range(3))
    assert helped < alone


def test_branches_still_run_in_threads() -> None:
    """The serial queue and pool can go when the SDK lets one choose how branches are run."""
    seen: set[int] = set()
    barrier = threading.Barrier(2, timeout=10)

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        def branch(child: DurableContext) -> None:
            barrier.wait()
            seen.add(threading.get_ident())

        context.parallel([branch, branch], name="two at once")

    with DurableFunctionTestRunner(handler) as runner:
        runner.run(execution_timeout=20)
    assert len(seen) == 2


def test_branches_run_one_at_a_time_in_a_run() -> None:
    at_once: list[int] = []
    active: set[int] = set()

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        def branch(child: DurableContext, item: int, index: int, items: Any) -> None:
            active.add(item)
            at_once.append(len(active))
            child.step(lambda _: None, name="step")
            active.discard(item)

        context.map(list(range(5)), branch, name="map")

    assert run(Scenario(handler=handler)).status == "SUCCEEDED"
    assert at_once == [1] * 5


def test_everything_is_put_back_after_a_run() -> None:
    before = [dict(vars(module)) for module in (execution, state, executor)]
    run(Scenario(handler=handlers.mapped, event=2))
    assert [dict(vars(module)) for module in (execution, state, executor)] == before


def test_a_change_of_the_sdk_is_a_plain_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(state, "_BLOCKED_CALLER_WAIT_SECONDS")
    installed.check.cache_clear()
    with pytest.raises(installed.SdkChangedError, match="_BLOCKED_CALLER_WAIT_SECONDS"):
        run(Scenario(handler=handlers.steps, event=1))


def test_a_change_of_the_testing_sdk_is_a_plain_error() -> None:
    with pytest.raises(installed.SdkChangedError, match="_clock"):
        installed.official_clock(object())


def test_a_durable_handler_is_known_under_any_decorator() -> None:
    @functools.wraps(handlers.steps)
    def decorated(event: Any, context: Any) -> Any:
        return handlers.steps(event, context)

    assert installed.is_durable(handlers.steps)
    assert installed.is_durable(decorated)
    assert not installed.is_durable(lambda event, context: None)


def test_the_sdk_still_keeps_a_divergence_to_itself_if_the_handler_catches_it() -> None:
    """`divergences` can go when the SDK tells of each by a hook of its own."""
    seen: list[str] = []

    @durable_execution
    def drifting(_: Any, context: DurableContext) -> str:
        seen.append("run")
        try:
            context.step(lambda _: 1, name=f"step {len(seen)}")
        except Exception:  # noqa: BLE001 - what the test is about
            return "swallowed"
        context.wait(Duration.from_seconds(1), name="wait")
        return "not reached"

    with operations.divergences() as found:
        recording = run(Scenario(handler=drifting))
    assert (recording.status, recording.result) == ("SUCCEEDED", "swallowed")
    assert "step 1" in found[0].message


def test_the_sdk_still_suspends_by_raising() -> None:
    """`suspensions` and `uninterrupted` can go when the SDK lets one wait within an invocation."""
    scenario = Scenario(handler=handlers.waits, event=3)
    with operations.suspensions() as found:
        assert len(run(scenario).invocations) == 4
    assert len(found) == 3
    with operations.uninterrupted():
        recording = run(scenario)
    assert len(recording.invocations) == 1
    assert recording.status == "SUCCEEDED"
    assert recording.virtual_seconds == run(scenario).virtual_seconds
