"""A scenario holds everything that a run needs; a contradictory one is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution

from dacapo import ExternalEvent, Scenario, ScenarioError, never, run, succeed
from dacapo.errors import TargetError
from dacapo.scenario.target import load
from patterns.polling.handler import handler as polling
from tests.lab import handlers


def test_the_world_is_rebuilt_for_every_run_and_torn_down_after_it() -> None:
    log: list[str] = []

    @contextmanager
    def world() -> Iterator[list[str]]:
        log.append("up")
        yield ["a world"]
        log.append("down")

    seen: list[Any] = []
    external_event = ExternalEvent(timedelta(seconds=1), "an event", seen.append)
    scenario = Scenario(
        handler=handlers.waits, event=1, world=world, external_events=[external_event]
    )
    first, second = run(scenario), run(scenario)
    assert log == ["up", "down", "up", "down"]
    assert first.world is not second.world
    assert seen == [["a world"], ["a world"]]


def test_a_run_begins_at_the_start_time_of_its_scenario() -> None:
    start = datetime(2030, 5, 6, tzinfo=UTC)
    assert run(Scenario(handler=handlers.steps, event=0, start=start)).started == start


def test_an_answer_to_an_unknown_callback_is_refused() -> None:
    scenario = Scenario(
        handler=handlers.called_back, answers={"callback": succeed(1), "calback": succeed(1)}
    )
    with pytest.raises(ScenarioError, match=r"'calback'.*callbacks of the run: 'callback'"):
        run(scenario)


def test_more_answers_than_callbacks_are_refused() -> None:
    scenario = Scenario(handler=handlers.called_back, answers={"callback": [succeed(1)] * 2})
    with pytest.raises(ScenarioError, match="has 2 answer"):
        run(scenario)


def test_surplus_callbacks_stay_unanswered() -> None:
    scenario = Scenario(handler=handlers.two_callbacks, answers={"twice": [succeed(1)]})
    recording = run(scenario)
    assert recording.status == "FAILED"
    assert [o.status for o in recording.operations] == ["SUCCEEDED", "TIMED_OUT"]


def test_never_is_an_explicit_answer() -> None:
    with pytest.raises(
        ScenarioError, match="callback 'approval' has neither an answer nor a timeout"
    ):
        run(Scenario(handler=handlers.unbounded_callback, answers={"approval": never()}))


@durable_execution
def named(event: Any, context: DurableContext) -> None:
    """Do nothing, under a name of its own."""


nameless = durable_execution(lambda event, context: None)


@pytest.mark.parametrize(
    ("handler", "name"), [(named, "named"), (polling, "polling"), (nameless, "test_scenarios")]
)
def test_a_function_is_named_after_its_handler_its_folder_or_its_module(
    handler: Any, name: str
) -> None:
    assert Scenario(handler=handler).function == name


def test_a_loaded_scenario_is_named_after_its_variable() -> None:
    assert load("scenarios.polling:finishes").name == "finishes"
    assert load("tests.lab.handlers:steps").name == "steps"


def test_a_target_without_a_name_is_refused() -> None:
    for target in ("", "a", "a:", ":a"):
        with pytest.raises(TargetError, match="names no target"):
            load(target)
