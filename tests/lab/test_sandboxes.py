"""An invocation ends as Lambda ends it: at its timeout, when its process exits, or crashed."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig
from aws_durable_execution_sdk_python.retries import RetryPresets

from dacapo import HandlerStuck, Recording, Scenario, ScenarioError, run
from dacapo.scheduling import watchdog
from dacapo.service import quotas


def in_a_step(act: Callable[[], object]) -> Callable[..., Any]:
    """Return a durable handler with one step that does something."""

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        return context.step(lambda _: act(), name="act")

    return handler


def in_the_body(act: Callable[[], object]) -> Callable[..., Any]:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        context.step(lambda _: None, name="first")
        return act()

    return handler


def in_a_branch(act: Callable[[], object]) -> Callable[..., Any]:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        def branch(child: DurableContext) -> Any:
            return child.step(lambda _: act(), name="act")

        return context.parallel([branch, branch], name="branches").get_results()

    return handler


PLACES = [in_a_step, in_the_body, in_a_branch]


def statuses(recording: Recording) -> list[str]:
    return [invocation.status for invocation in recording.invocations]


@pytest.mark.parametrize("place", PLACES)
def test_an_invocation_ends_at_its_timeout(place: Any) -> None:
    recording = run(Scenario(handler=place(lambda: time.sleep(3600))))
    assert statuses(recording) == ["TIMED_OUT"] * quotas.INVOCATION_ATTEMPTS
    lengths = {i.ended - i.started for i in recording.invocations if i.ended}
    assert lengths == {quotas.INVOCATION}
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert recording.error.type == "Sandbox.Timedout"


def test_the_timeout_of_the_function_is_the_scenarios_to_set() -> None:
    minute = timedelta(minutes=1)
    recording = run(Scenario(handler=in_a_step(lambda: time.sleep(90)), timeout=minute))
    assert {i.ended - i.started for i in recording.invocations if i.ended} == {minute}


@pytest.mark.parametrize("timeout", [timedelta(0), timedelta(minutes=16), 60])
def test_a_timeout_that_no_function_can_have_is_refused(timeout: Any) -> None:
    with pytest.raises(ScenarioError, match="timeout must be a timedelta from 1 second"):
        Scenario(handler=in_a_step(lambda: None), timeout=timeout)


def test_a_step_that_is_cut_off_has_recorded_no_failure() -> None:
    config = StepConfig(retry_strategy=RetryPresets.none())
    attempts: list[int] = []

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        def slow(step: Any) -> str:
            attempts.append(step.attempt)
            if len(attempts) < 3:
                time.sleep(3600)
            return "done"

        return context.step(slow, name="slow", config=config)

    recording = run(Scenario(handler=handler))
    assert recording.result == "done"
    assert attempts == [1, 1, 1], "it was retried although its strategy allows no retry"
    assert [e.type for e in recording.events if e.type.startswith("Step")] == [
        "StepStarted",
        "StepSucceeded",
    ]


def test_the_error_of_a_timeout_stands_in_the_history() -> None:
    recording = run(Scenario(handler=in_a_step(lambda: time.sleep(3600))))
    errors = [e.details["Error"] for e in recording.events if e.type == "InvocationCompleted"]
    assert [error["Payload"]["ErrorType"] for error in errors] == ["Sandbox.Timedout"] * 5
    assert "timed out after 900.00 seconds" in errors[0]["Payload"]["ErrorMessage"]


def test_an_invocation_that_is_ended_unwinds_but_its_calls_are_refused() -> None:
    cleaned: list[str] = []
    called: list[str] = []

    def act() -> None:
        try:
            time.sleep(3600)
        finally:
            cleaned.append("finally")
            boto3.client("sqs", "us-east-1").list_queues()
            called.append("sqs")

    run(Scenario(handler=in_a_step(act)))
    assert len(cleaned) == quotas.INVOCATION_ATTEMPTS
    assert called == []


def test_a_handler_that_swallows_its_end_is_ended_all_the_same() -> None:
    def act() -> str:
        try:
            time.sleep(3600)
        except BaseException:  # noqa: BLE001 - the point of the test
            return "swallowed"
        return "slept"

    recording = run(Scenario(handler=in_a_step(act)))
    assert statuses(recording) == ["TIMED_OUT"] * quotas.INVOCATION_ATTEMPTS


def test_a_plain_function_ends_at_its_timeout_too() -> None:
    def slow(event: Any, context: Any) -> None:
        time.sleep(3600)

    def call() -> Any:
        response = boto3.client("lambda", "us-east-1").invoke(FunctionName="slow")
        return response["FunctionError"], response["Payload"].read().decode()

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        return context.step(lambda _: call(), name="call")

    recording = run(Scenario(handler=handler, functions={"slow": slow}))
    # Both have 15 minutes, and the caller's began first.
    assert statuses(recording)[0] == "TIMED_OUT"
    assert {call.error.type for call in recording.calls if call.error} == {"Sandbox.Timedout"}


WAITS: dict[str, Callable[[], object]] = {
    "sleep": lambda: time.sleep(60),
    "event": lambda: threading.Event().wait(60),
    "condition": lambda: _wait_for(threading.Condition()),
    "lock": lambda: _twice(threading.Lock()),
    "semaphore": lambda: threading.Semaphore(0).acquire(timeout=60),
    "queue": lambda: _get(queue.Queue()),
    "asyncio sleep": lambda: asyncio.run(asyncio.sleep(60)),
    "asyncio timeout": lambda: asyncio.run(_times_out()),
}


def _wait_for(condition: threading.Condition) -> None:
    with condition:
        assert not condition.wait_for(lambda: False, timeout=60)


def _twice(lock: Any) -> None:
    with lock:
        assert not lock.acquire(timeout=60)


def _get(waiting: queue.Queue[Any]) -> None:
    with pytest.raises(queue.Empty):
        waiting.get(timeout=60)


async def _times_out() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 60)


@pytest.mark.parametrize("name", WAITS)
@pytest.mark.parametrize("place", PLACES)
def test_a_timed_wait_in_a_handler_takes_virtual_time(place: Any, name: str) -> None:
    start = time.monotonic()
    recording = run(Scenario(handler=place(lambda: WAITS[name]() and None)))
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.ended is not None
    took = recording.ended - recording.started
    assert timedelta(seconds=60) <= took < timedelta(seconds=61)
    assert time.monotonic() - start < 30


def test_threads_that_the_handler_starts_keep_to_real_time() -> None:
    def act() -> list[Any]:
        ready = threading.Event()
        seen: list[float] = []

        def work() -> None:
            start = time.monotonic()
            time.sleep(0.05)
            seen.append(time.monotonic() - start)
            ready.set()

        threading.Thread(target=work).start()
        assert ready.wait(timeout=60)
        return [seen[0] >= 0.05]

    recording = run(Scenario(handler=in_a_step(act)))
    assert recording.result == [True]
    assert recording.ended == recording.started


def _end(name: str) -> None:
    getattr(os, name)()


EXITS: dict[str, tuple[Callable[[], object], str]] = {
    "sys.exit": (lambda: sys.exit(3), "exit status 3"),
    "sys.exit with a message": (lambda: sys.exit("no"), "exit status 1"),
    "os._exit": (lambda: os._exit(3), "exit status 3"),
    "os._exit(0)": (lambda: os._exit(0), "without providing a reason"),
    "SIGKILL": (lambda: os.kill(os.getpid(), signal.SIGKILL), "exit status 137"),
    "SIGTERM": (lambda: os.kill(os.getpid(), signal.SIGTERM), "exit status 143"),
    "abort": (partial(_end, "abort"), "exit status 134"),
    "exec": (lambda: os.execv("/bin/true", ["true"]), "without providing a reason"),
}


@pytest.mark.parametrize("name", EXITS)
@pytest.mark.parametrize("place", PLACES)
def test_a_handler_that_ends_its_process_ends_only_its_invocation(place: Any, name: str) -> None:
    act, reason = EXITS[name]
    recording = run(Scenario(handler=place(act)))
    assert statuses(recording) == ["DIED"] * quotas.INVOCATION_ATTEMPTS
    assert recording.error is not None
    assert recording.error.type == "Runtime.ExitError"
    assert reason in (recording.error.message or "")


def test_a_child_process_of_a_handler_ends_as_it_wants() -> None:
    def act() -> int:
        child = os.fork()
        if child == 0:
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert run(Scenario(handler=in_a_step(act))).result == 7


def test_a_crashed_invocation_is_invoked_again_later() -> None:
    times: list[float] = []

    def act() -> str:
        times.append(time.time())
        if len(times) < 3:
            os._exit(1)
        return "done"

    assert run(Scenario(handler=in_a_step(act))).result == "done"
    backoff = quotas.INVOCATION_BACKOFF.total_seconds()
    assert [times[1] - times[0], times[2] - times[1]] == [backoff, backoff]


def test_an_error_of_the_handlers_has_the_short_name_and_the_trace_of_the_runtime() -> None:
    def broken(event: Any, context: Any) -> None:
        raise queue.Empty("nothing there")

    def call() -> Any:
        return boto3.client("lambda", "us-east-1").invoke(FunctionName="broken")["Payload"].read()

    handler = in_a_step(lambda: call().decode())
    recording = run(Scenario(handler=handler, functions={"broken": broken}))
    assert '"errorType": "Empty"' in recording.result
    assert '"errorMessage": "nothing there"' in recording.result
    assert "test_sandboxes.py" in recording.result
    assert '"requestId"' in recording.result


def spins() -> None:
    while True:
        pass


def never_ends() -> None:
    while True:
        time.sleep(0)


@pytest.mark.parametrize("place", PLACES)
def test_a_handler_that_spins_is_stopped_with_its_line(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "SPIN_LIMIT_SECONDS", 0.5)
    line = spins.__code__.co_firstlineno
    with pytest.raises(HandlerStuck, match=rf"test_sandboxes\.py:{line + 1}|:{line + 2}"):
        run(Scenario(handler=place(spins)))


def test_a_handler_that_lets_no_time_pass_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "MOMENT_LIMIT_SECONDS", 0.5)
    with pytest.raises(HandlerStuck, match="let no virtual time pass"):
        run(Scenario(handler=in_a_step(never_ends)))


@pytest.mark.prove
def test_a_checkpoint_that_the_sdk_never_sends_is_stopped_with_the_line_of_its_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once the SDK sends a result above 750 KB, this fails with the service's own refusal."""
    monkeypatch.setattr(watchdog, "WAIT_LIMIT_SECONDS", 1.0)
    with pytest.raises(HandlerStuck, match=r"test_sandboxes\.py"):
        run(Scenario(handler=in_a_step(lambda: "x" * 800_000)))


@pytest.mark.prove
def test_the_next_run_is_sound_after_a_handler_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(watchdog, "SPIN_LIMIT_SECONDS", 0.5)
        with pytest.raises(HandlerStuck):
            run(Scenario(handler=in_a_step(spins)))
    before = threading.active_count()
    assert run(Scenario(handler=in_a_step(lambda: 1))).result == 1
    assert threading.active_count() <= before


def test_a_wait_that_nothing_ends_lasts_until_the_timeout() -> None:
    recording = run(Scenario(handler=in_a_step(lambda: threading.Event().wait())))
    assert statuses(recording) == ["TIMED_OUT"] * quotas.INVOCATION_ATTEMPTS


def test_a_wait_between_long_steps_gives_each_invocation_its_full_time() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> str:
        context.step(lambda _: time.sleep(800), name="first")
        context.wait(Duration.from_seconds(1), name="pause")
        context.step(lambda _: time.sleep(800), name="second")
        return "done"

    assert run(Scenario(handler=handler)).result == "done"
