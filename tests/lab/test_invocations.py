"""Handlers are invoked as on Lambda: again after a crash, with a timeout, and concurrently."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, InvocationError, durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig, StepSemantics
from aws_durable_execution_sdk_python.exceptions import SuspendExecution, TerminationReason
from aws_durable_execution_sdk_python.retries import RetryPresets

from dacapo import ExternalEvent, Scenario, ScenarioError, run
from dacapo.service import quotas
from dacapo.service.errors import invalid
from tests.lab import handlers
from tests.lab.validity import assert_valid


def crashing(times: int, error: Callable[[], BaseException], inside_step: bool = False) -> Any:
    """Return a handler that crashes `times` times, and the list of what it ran."""
    calls: list[str] = []

    @durable_execution
    def handler(event: Any, context: DurableContext) -> int:
        def body(_: object) -> None:
            calls.append("body")
            if inside_step and len(calls) <= times:
                raise error()

        context.step(lambda _: calls.append("before"), name="before")
        context.step(body, name="step")
        if not inside_step and calls.count("invoked") < times:
            calls.append("invoked")
            raise error()
        return len(calls)

    return handler, calls


def interrupted() -> BaseException:
    return InvocationError("out of memory", TerminationReason.INVOCATION_ERROR)


@pytest.mark.parametrize("error", [interrupted, SystemExit])
def test_a_crashed_invocation_is_retried_from_its_checkpoints(
    error: Callable[[], BaseException],
) -> None:
    handler, calls = crashing(2, error)
    recording = run(Scenario(handler=handler))
    assert_valid(recording)
    assert recording.status == "SUCCEEDED"
    assert calls.count("body") == 1, "a finished step ran again"
    assert [i.status for i in recording.invocations] == ["DIED", "DIED", "SUCCEEDED"]
    assert recording.virtual_seconds == 2 * quotas.INVOCATION_BACKOFF.total_seconds()
    assert recording.charged_operations == 1 + 2 + 2


def test_a_crash_inside_a_step_reruns_the_step() -> None:
    handler, calls = crashing(2, SystemExit, inside_step=True)
    recording = run(Scenario(handler=handler))
    assert recording.status == "SUCCEEDED"
    assert calls.count("body") == 2
    assert calls.count("before") == 1
    assert recording.operation("step").attempts == 1, "a crash does not count as an attempt"


def test_an_execution_fails_once_its_invocations_crash_too_often() -> None:
    handler, _ = crashing(99, interrupted)
    recording = run(Scenario(handler=handler))
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert recording.error.message == "out of memory"
    assert len(recording.invocations) == quotas.INVOCATION_ATTEMPTS


def test_an_at_most_once_step_is_not_rerun_after_a_crash() -> None:
    calls: list[int] = []

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        def body(_: object) -> None:
            calls.append(1)
            raise SystemExit

        config = StepConfig(RetryPresets.none(), StepSemantics.AT_MOST_ONCE_PER_RETRY)
        context.step(body, name="at most once", config=config)

    recording = run(Scenario(handler=handler))
    assert len(calls) == 1
    assert len(recording.invocations) == 2
    assert recording.error is not None
    assert "previously interrupted" in (recording.error.message or "")


def test_a_keyboard_interrupt_ends_the_run() -> None:
    handler, _ = crashing(1, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run(Scenario(handler=handler))


def test_a_bug_in_the_simulated_service_is_not_retried_as_a_transient_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dacapo.service.transitions.updated", None)
    with pytest.raises(TypeError, match="not callable"):
        run(Scenario(handler=handlers.steps, event=1))


def test_a_refused_checkpoint_fails_the_execution_without_a_retry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> None:
        raise invalid("not today")

    monkeypatch.setattr("dacapo.service.transitions.updated", refuse)
    recording = run(Scenario(handler=handlers.steps, event=1))
    assert recording.status == "FAILED"
    assert len(recording.invocations) == 1
    assert "not today" in str(recording.error)


def test_an_execution_times_out_during_a_wait() -> None:
    scenario = Scenario(handler=handlers.waits, event=3, execution_timeout=timedelta(seconds=90))
    recording = run(scenario)
    assert_valid(recording)
    assert recording.status == "TIMED_OUT"
    assert recording.virtual_seconds == 90
    assert recording.events[-1].type == "ExecutionTimedOut"


def test_an_execution_without_a_timeout_times_out_after_366_days() -> None:
    recording = run(Scenario(handler=handlers.waits, event=0, execution_timeout=None))
    started = recording.events[0].details
    assert started["ExecutionTimeout"] == 31_622_400


def test_a_handler_that_suspends_without_a_reason_fails_the_execution() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        raise SuspendExecution("no reason")

    recording = run(Scenario(handler=handler))
    assert recording.error is not None
    assert recording.error.message == "Cannot return PENDING status with no pending operations."


def test_a_handler_that_is_not_durable_is_refused() -> None:
    with pytest.raises(ScenarioError, match="must be a durable handler"):
        run(Scenario(handler=lambda event, context: None))


def test_an_input_that_is_not_json_is_refused() -> None:
    with pytest.raises(ScenarioError, match="event is not JSON"):
        run(Scenario(handler=handlers.steps, event={1, 2}))


def test_an_input_above_1_mb_is_refused() -> None:
    with pytest.raises(ScenarioError, match="more than 1048576 bytes"):
        run(Scenario(handler=handlers.steps, event="x" * 1024 * 1024))


def test_a_callback_with_neither_an_answer_nor_a_timeout_is_reported() -> None:
    with pytest.raises(
        ScenarioError, match="callback 'approval' has neither an answer nor a timeout"
    ):
        run(Scenario(handler=handlers.unbounded_callback))


def test_a_run_that_never_ends_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dacapo.simulation.runner.MOST_INVOCATIONS", 20)
    with pytest.raises(ScenarioError, match="more than 20 invocations"):
        run(Scenario(handler=handlers.waits, event=50))


def test_an_external_event_that_fails_is_reported() -> None:
    def fail(world: Any) -> None:
        raise KeyError("nothing there")

    external_event = ExternalEvent(timedelta(seconds=5), "the flood", fail)
    with pytest.raises(ScenarioError, match="external event 'the flood' failed: KeyError"):
        run(Scenario(handler=handlers.waits, event=1, external_events=[external_event]))


# -- many executions on one clock -----------------------------------------------------------------


def invoke(function: str, payload: Any = None, **parameters: Any) -> Any:
    return boto3.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps(payload).encode(), **parameters
    )


@durable_execution
def starts_another(event: Any, context: DurableContext) -> str:
    context.step(
        lambda _: invoke("waits:live", 2, InvocationType="Event", DurableExecutionName="two")[
            "DurableExecutionArn"
        ],
        name="start another",
    )
    context.wait(Duration.from_seconds(90), name="meanwhile")
    return "done"


def test_an_execution_can_start_another_on_the_same_clock() -> None:
    recording = run(Scenario(handler=starts_another, functions={"waits": handlers.waits}))
    (other,) = recording.others
    assert (other.function, other.result, other.virtual_seconds) == ("waits", 2, 120)
    assert recording.virtual_seconds == 90
    assert "/durable-execution/two/" in other.arn


@durable_execution
def waits_for_another(event: Any, context: DurableContext) -> Any:
    def call(_: object) -> Any:
        return json.loads(invoke("waits:live", event)["Payload"].read())

    return context.step(call, name="call another")


def test_a_synchronous_invoke_takes_virtual_time_until_the_other_execution_ends() -> None:
    scenario = Scenario(handler=waits_for_another, event=3, functions={"waits": handlers.waits})
    recording = run(scenario)
    assert recording.result == 3
    assert recording.operation("call another").length == timedelta(minutes=3)
    assert len(recording.invocations) == 1


def test_a_synchronous_invoke_limits_the_other_execution_to_fifteen_minutes() -> None:
    asking = ExternalEvent(timedelta(0), "a client asks", lambda _: invoke("waits:live", 20))
    scenario = Scenario(
        handler=handlers.steps,
        event=1,
        functions={"waits": handlers.waits},
        external_events=[asking],
    )
    recording = run(scenario)
    (other,) = recording.others
    assert other.status == "TIMED_OUT"
    assert other.virtual_seconds == 15 * 60


@durable_execution
def sleeps_through(event: Any, context: DurableContext) -> list[str]:
    seen: list[str] = []
    context.step(lambda _: time.sleep(100), name="long step")
    return seen


def test_external_events_occur_during_a_long_step() -> None:
    seen: list[str] = []
    external_event = ExternalEvent(
        timedelta(seconds=50), "an event", lambda _: seen.append("occurred")
    )
    recording = run(Scenario(handler=sleeps_through, external_events=[external_event]))
    assert seen == ["occurred"]
    started = next(e for e in recording.events if e.type == "StepStarted")
    assert started.timestamp == recording.started, "the start was checkpointed too late"


def test_an_asynchronous_call_is_retried_twice_and_then_becomes_a_dead_letter() -> None:
    calls: list[float] = []

    def broken(event: Any, context: Any) -> None:
        calls.append(time.time())
        raise RuntimeError("broken")

    external_event = ExternalEvent(
        timedelta(0), "an event", lambda _: invoke("broken", {}, InvocationType="Event")
    )
    recording = run(
        Scenario(
            handler=handlers.waits,
            event=1,
            functions={"broken": broken},
            external_events=[external_event],
        )
    )
    assert [at - calls[0] for at in calls] == [0, 60, 180]
    assert [call.function for call in recording.dead_letters] == ["broken"]


def test_a_handler_can_read_the_remaining_time_of_its_invocation() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> list[int]:
        assert context.lambda_context is not None
        remaining = [context.lambda_context.get_remaining_time_in_millis()]
        context.step(lambda _: time.sleep(60), name="minute")
        return [*remaining, context.lambda_context.get_remaining_time_in_millis()]

    assert run(Scenario(handler=handler)).result == [900_000, 840_000]


# -- limits ---------------------------------------------------------------------------------------


@pytest.mark.prove
def test_an_execution_fails_at_three_thousand_operations() -> None:
    recording = run(Scenario(handler=handlers.steps, event=3_001))
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert recording.error.type == "QuotaExceeded"
    assert "3000 operations" in (recording.error.message or "")


@pytest.mark.prove
def test_an_execution_just_below_three_thousand_operations_succeeds() -> None:
    assert run(Scenario(handler=handlers.steps, event=2_999)).status == "SUCCEEDED"


def test_an_execution_fails_at_one_hundred_megabytes_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dacapo.service.quotas.BYTES_WRITTEN", 350_000)
    recording = run(Scenario(handler=handlers.big_map, event=4))
    assert recording.error is not None
    assert "bytes written" in (recording.error.message or "")


def test_a_step_above_256_kb_fails_the_execution() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        context.step(lambda _: "x" * 300_000, name="too big")

    recording = run(Scenario(handler=handler))
    assert recording.status == "FAILED"
    assert "payload size must be less than or equal to 262144" in str(recording.error)


def test_a_result_above_6_mb_is_checkpointed_and_then_refused() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> str:
        return "x" * 7_000_000

    recording = run(Scenario(handler=handler))
    assert recording.status == "FAILED"
    assert "EXECUTION payload size" in str(recording.error)
