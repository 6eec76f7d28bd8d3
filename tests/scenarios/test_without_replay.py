"""A run without replay records what a run with replay does."""

from __future__ import annotations

import json
import multiprocessing
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Handler, Scenario, ScenarioError, run
from tests.all_scenarios import SCENARIOS
from tests.depth import every
from tests.lab import handlers

_PORT = re.compile(r"127\.0\.0\.1:\d+")


def in_a_fork(work: Callable[[], str]) -> str:
    """Run something in a child process: clients that a module keeps remember their retries."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=lambda: theirs.send(work()), daemon=True)
    process.start()
    theirs.close()
    try:
        return str(ours.recv())
    finally:
        process.join(60)


def recorded(scenario: Scenario, *, seed: int, replay: bool) -> str:
    recording = run(scenario, seed=seed, replay=replay)
    return _PORT.sub("127.0.0.1", json.dumps(recording.to_json()))


@pytest.mark.parametrize("name", every(24, SCENARIOS))
def test_both_recordings_of_a_scenario_are_equal(name: str) -> None:
    scenario, seed = SCENARIOS[name], len(name)  # a different one for most of them
    with_replay = in_a_fork(partial(recorded, scenario, seed=seed, replay=True))
    without = in_a_fork(partial(recorded, scenario, seed=seed, replay=False))
    assert json.loads(without) == json.loads(with_replay)


def test_the_body_runs_once_and_the_recording_counts_every_invocation() -> None:
    bodies: list[str] = []

    @durable_execution
    def waits(event: int, context: DurableContext) -> int:
        bodies.append("ran")
        for number in range(event):
            context.wait(Duration.from_minutes(1), name=f"wait {number}")
        return event

    recording = run(Scenario(handler=waits, event=5), replay=False)
    assert (recording.result, len(recording.invocations), len(bodies)) == (5, 6, 1)


@pytest.mark.prove
def test_a_thousand_waits_are_counted_as_a_thousand_suspensions() -> None:
    recording = run(Scenario(handler=handlers.waits, event=1000), replay=False)
    assert len(recording.invocations) == 1001


def sleeping() -> Handler:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        context.wait(Duration.from_minutes(1), name="wait")
        time.sleep(1)

    return handler


def ending() -> Handler:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        try:
            context.wait(Duration.from_minutes(1), name="wait")
        finally:
            context.step(lambda _: None, name="clean up")

    return handler


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (sleeping(), r"sleeps outside its steps, at .*test_without_replay\.py:\d+"),
        (ending(), r"`finally` has a durable operation, at .*test_without_replay\.py:\d+"),
    ],
)
def test_a_handler_whose_recording_would_differ_is_refused(handler: Handler, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        run(Scenario(handler=handler), replay=False)
    assert run(Scenario(handler=handler)).ended is not None


def test_a_sleep_in_a_step_or_in_a_plain_function_is_not_refused() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        context.step(lambda _: time.sleep(1), name="sleep")
        return context.invoke("plain", None, name="invoke")

    scenario = Scenario(handler=handler, functions={"plain": lambda *_: time.sleep(1)})
    assert run(scenario, replay=False).status == "SUCCEEDED"
