"""A recording describes its execution, and survives saving and loading without loss."""

from __future__ import annotations

import inspect
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import ExternalEvent, Recording, Scenario, fail, run, succeed
from dacapo.errors import OperationNotFound
from tests.lab import handlers

MINUTE = timedelta(minutes=1)

SCENARIOS = {
    "a failure": Scenario(handler=handlers.failing, name="a failure"),
    "an empty answer": Scenario(handler=handlers.called_back, answers={"callback": succeed()}),
    "a failed callback": Scenario(
        handler=handlers.waited_for_callback,
        answers={"approval": fail("no", data="", after=MINUTE) + succeed(1, after=2 * MINUTE)},
    ),
    "a child execution": Scenario(
        handler=handlers.invoking, event="child:live", functions={"child": handlers.retried_step}
    ),
    "a plain function": Scenario(
        handler=handlers.invoking, event="plain", functions={"plain": lambda e, c: None}
    ),
    "a big child": Scenario(handler=handlers.big_child),
    "a waiting map": Scenario(handler=handlers.mapped_waits, event=[3, 1]),
    "a poll": Scenario(handler=handlers.polled, event=3),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_recording_survives_saving_and_loading(name: str, tmp_path: Path) -> None:
    recording = run(SCENARIOS[name], seed=3)
    recording.save(tmp_path / "recording.json")
    assert Recording.load(tmp_path / "recording.json") == recording


def test_a_saved_recording_contains_history_operations_and_meta(tmp_path: Path) -> None:
    run(SCENARIOS["a poll"]).save(tmp_path / "recording.json")
    saved = json.loads((tmp_path / "recording.json").read_text())
    assert set(saved) == {"history", "operations", "meta"}
    assert saved["history"]["Events"][0]["EventType"] == "ExecutionStarted"
    assert [path.name for path in tmp_path.iterdir()] == ["recording.json"], (
        "a temporary file was left behind"
    )


def test_a_saved_history_equals_the_response_of_the_api(tmp_path: Path) -> None:
    responses = {}

    def read_history(world: object) -> None:
        client = boto3.client("lambda")
        (execution,) = client.list_durable_executions_by_function(FunctionName="polled")[
            "DurableExecutions"
        ]
        responses["events"] = client.get_durable_execution_history(
            DurableExecutionArn=execution["DurableExecutionArn"], MaxItems=1000
        )["Events"]

    external_event = ExternalEvent(timedelta(days=1), "a history is read", read_history)
    recording = run(Scenario(handler=handlers.polled, event=3, external_events=[external_event]))
    assert responses["events"] == [event.to_api() for event in recording.events]


@pytest.mark.parametrize("text", ["{}", "[]", '{"history": {"Events": []}}', "not JSON"])
def test_a_file_without_a_recording_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(ValueError, match=r"holds no recording|Expecting value"):
        Recording.load(tmp_path / "file")


def test_an_operation_is_found_by_name_and_by_path() -> None:
    recording = run(Scenario(handler=handlers.child_contexts))
    assert recording.operation("inner") is recording.operation("outer/inner")
    assert recording.operation("outer/inner/inner step").result == "inner"


def test_an_unknown_or_ambiguous_name_is_refused() -> None:
    recording = run(Scenario(handler=handlers.child_contexts))
    with pytest.raises(OperationNotFound, match="no operation is named 'x'; there are: 'outer'"):
        recording.operation("x")
    with pytest.raises(OperationNotFound, match="2 operations are named 'inner step'"):
        recording.operation("inner step")


def test_an_operation_has_kind_status_attempts_error_and_length() -> None:
    recording = run(Scenario(handler=handlers.failed_step))
    failed = recording.operation("failing")
    assert (failed.kind, failed.status, failed.attempts) == ("Step", "FAILED", 1)
    assert failed.error is not None
    assert failed.error.type == "ValueError"
    assert failed.result is None
    assert failed.length == timedelta(0)


def test_a_recording_separates_what_an_invocation_replayed_from_what_it_did() -> None:
    recording = run(Scenario(handler=handlers.big_child))
    first, second = recording.invocations
    assert recording.replayed_in(first) == []
    assert [o.name for o in recording.done_in(first)] == ["big child", "small", "wait"]
    # The body of the big child runs again, so its operations are read back as well.
    assert [o.name for o in recording.replayed_in(second)] == ["big child", "small", "wait"]
    assert recording.done_in(second) == []


def test_operations_inside_a_completed_context_are_not_replayed() -> None:
    answers = {"approval": succeed(1, after=MINUTE)}
    scenario = Scenario(
        handler=handlers.waited_for_callback, answers=answers, execution_name="name"
    )
    recording = run(scenario)
    names = [o.path for o in recording.replayed_in(recording.invocations[1])]
    assert names == ["approval/approval create callback id", "approval/approval submitter"]
    assert "/durable-execution/name/" in recording.arn


def test_deliveries_name_the_sender() -> None:
    recording = run(SCENARIOS["a failed callback"])
    assert [(d.kind, d.by, d.refused) for d in recording.deliveries] == [
        ("failure", "the scenario", None),
        ("success", "the scenario", "CallbackTimeoutException"),
    ]


def too_big(event: Any, context: DurableContext) -> None:
    """Return more from a step than the service stores."""
    context.wait(Duration.from_seconds(event), name="pause")
    context.step(lambda _: "x" * 300_000, name="collect")


def test_a_checkpoint_that_is_refused_fails_at_the_line_that_waited_for_it() -> None:
    """A thread of the SDK's own makes the call, which has no line of the handler's."""
    recording = run(Scenario(handler=durable_execution(too_big), event=1))
    assert recording.error is not None
    assert (recording.error.type or "").endswith("CheckpointError")
    assert len(recording.invocations) == 2, "the body ran more than once"
    lines, first = inspect.getsourcelines(too_big)
    (line,) = [number for number, text in enumerate(lines, first) if '"collect"' in text]
    assert recording.failed_at is not None
    assert recording.failed_at.line == line
