"""The private names of the SDK that the lab uses still exist and are still needed.

The docstring of a test says what to remove once it fails.
"""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution, execution, state
from aws_durable_execution_sdk_python.concurrency import executor
from aws_durable_execution_sdk_python.config import Duration, MapConfig
from aws_durable_execution_sdk_python.execution import (
    DurableExecutionInvocationInputWithClient,
    InitialExecutionState,
)
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner

from dacapo import Scenario, SdkChangedError, run
from dacapo.scenario import START
from dacapo.sdk import installed, operation_hooks
from dacapo.sdk.deterministic import in_simulation
from dacapo.service.client import ServiceClient
from dacapo.service.functions import LambdaContext
from dacapo.simulation.simulation import Simulation
from tests.lab import handlers


def milliseconds_of_an_invocation() -> float:
    """Measure an invocation with one step, in real time, on the service but without the hooks."""
    simulation = Simulation(0, START)
    function = simulation.add_function("steps", handlers.steps)
    started = simulation.service.start(function, "1")
    token = started.renew_token()
    page = simulation.service.checkpoints.read(started.arn, token, "", 1000)
    event = DurableExecutionInvocationInputWithClient(
        started.arn,
        token,
        InitialExecutionState(page.operations, ""),
        service_client=ServiceClient(simulation.service.checkpoints, started),
    )
    start = time.perf_counter()
    context: Any = LambdaContext("request", "steps")
    output = handlers.steps(event, context)
    assert output["Status"] == "SUCCEEDED"
    return (time.perf_counter() - start) * 1000


def test_the_sdk_still_idles_at_the_end_of_an_invocation() -> None:
    """Once this fails, remove `PromptState`: the SDK then ends an invocation promptly by itself."""
    unpatched = min(milliseconds_of_an_invocation() for _ in range(3))
    with in_simulation(Simulation(0, START).scheduler):
        patched = min(milliseconds_of_an_invocation() for _ in range(3))
    assert patched < unpatched


def test_branches_still_run_in_threads() -> None:
    """Once the SDK lets callers choose how branches run, remove `BranchPool` and `Events`."""
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


def test_every_patch_is_removed_after_a_run() -> None:
    original = [dict(vars(module)) for module in (execution, state, executor)]
    run(Scenario(handler=handlers.mapped, event=2))
    assert [dict(vars(module)) for module in (execution, state, executor)] == original


def test_a_change_in_the_sdk_raises_sdk_changed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(state, "_BLOCKED_CALLER_WAIT_SECONDS")
    installed.check.cache_clear()
    with pytest.raises(SdkChangedError, match="_BLOCKED_CALLER_WAIT_SECONDS"):
        run(Scenario(handler=handlers.steps, event=1))


def test_a_change_in_the_testing_sdk_raises_sdk_changed_error() -> None:
    with pytest.raises(SdkChangedError, match="_clock"):
        installed.official_clock(object())


def test_a_durable_handler_is_recognized_under_another_decorator() -> None:
    @functools.wraps(handlers.steps)
    def decorated(event: Any, context: Any) -> Any:
        return handlers.steps(event, context)

    assert installed.is_durable(handlers.steps)
    assert installed.is_durable(decorated)
    assert not installed.is_durable(lambda event, context: None)


def test_a_handler_can_still_swallow_a_divergence() -> None:
    """Once the SDK reports divergences through its own hook, remove `divergences`."""
    seen: list[str] = []

    @durable_execution
    def drifting(_: Any, context: DurableContext) -> str:
        seen.append("run")
        try:
            context.step(lambda _: 1, name=f"step {len(seen)}")
        except Exception:  # noqa: BLE001 - the point of the test
            return "swallowed"
        context.wait(Duration.from_seconds(1), name="wait")
        return "not reached"

    with operation_hooks.divergences() as caught:
        recording = run(Scenario(handler=drifting))
    assert (recording.status, recording.result) == ("SUCCEEDED", "swallowed")
    assert "step 1" in caught[0].message


def test_a_history_still_lacks_the_concurrency_limit_of_a_batch() -> None:
    """Once a history has it, remove `concurrency_limits`."""

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        config: MapConfig[Any] = MapConfig(max_concurrency=77)
        context.map([1, 2], lambda *_: None, name="map", config=config)

    with operation_hooks.concurrency_limits() as limits:
        recording = run(Scenario(handler=handler))
    assert limits == {(recording.arn, recording.operation("map").id): 77}
    assert "77" not in {str(event.details.get("MaxConcurrency")) for event in recording.events}


def test_the_sdk_still_suspends_by_raising() -> None:
    """Once the SDK can wait within an invocation, remove `suspensions` and `continuing`."""
    scenario = Scenario(handler=handlers.waits, event=3)
    with operation_hooks.suspensions() as caught:
        assert len(run(scenario).invocations) == 4
    assert len(caught) == 3
