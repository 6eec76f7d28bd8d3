"""Get, History and List, as the API's model describes them, and calls that the lab lacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest

from dacapo import Scenario, run
from dacapo.scenario import START
from dacapo.service import quotas
from dacapo.simulation import boto
from dacapo.simulation.simulation import Simulation
from tests.lab import handlers
from tests.lab.api import callback_id, client, error_of, message_of, running, start_execution

INVALID = ("InvalidParameterValueException", 400)


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with running() as simulation:
        yield simulation


def listed(function: str, **filters: Any) -> list[str]:
    response = client.list_durable_executions_by_function(FunctionName=function, **filters)
    return [execution["DurableExecutionName"] for execution in response["DurableExecutions"]]


def history(arn: str, **members: Any) -> Any:
    return client.get_durable_execution_history(DurableExecutionArn=arn, **members)


def test_executions_are_listed_newest_first_and_in_reverse_oldest_first(
    simulation: Simulation,
) -> None:
    for name in ("first", "second", "third"):
        start_execution(simulation, "steps", 1, name)
        simulation.clock.sleep(1)
    assert listed("steps") == ["third", "second", "first"]
    assert listed("steps", ReverseOrder=True) == ["first", "second", "third"]


def test_a_list_is_read_in_pages(simulation: Simulation) -> None:
    for name in ("first", "second", "third"):
        start_execution(simulation, "steps", 1, name)
    page = client.list_durable_executions_by_function(FunctionName="steps", MaxItems=2)
    assert len(page["DurableExecutions"]) == 2
    assert listed("steps", Marker=page["NextMarker"]) == ["first"]


@pytest.mark.parametrize(
    ("function", "filters", "expected"),
    [
        ("steps", {}, ["latest", "one"]),
        ("steps", {"Qualifier": "1"}, ["one"]),
        ("steps", {"Qualifier": "live"}, ["one"]),
        ("steps:$LATEST", {}, ["latest"]),
        ("steps:2", {}, []),
    ],
)
def test_a_qualifier_selects_the_executions_of_its_version(
    simulation: Simulation, function: str, filters: dict[str, str], expected: list[str]
) -> None:
    for qualifier, name in (("live", "one"), ("$LATEST", "latest")):
        client.invoke(
            FunctionName="steps", Qualifier=qualifier, Payload=b"1", DurableExecutionName=name
        )
    assert listed(function, **filters) == expected


@pytest.mark.parametrize(
    "filters",
    [
        {"Statuses": ["LOST"]},
        {"Statuses": ["RUNNING"] * 11},
        {"DurableExecutionName": "no spaces"},
        {"FunctionName": "steps:live", "Qualifier": "1"},
        {"MaxItems": 1001},
        {"Marker": "nothing"},
        {"Marker": "7"},
    ],
)
def test_an_invalid_filter_or_page_is_refused(
    simulation: Simulation, filters: dict[str, Any]
) -> None:
    start_execution(simulation, "steps", 1)
    members = {"FunctionName": "steps"} | filters
    refused = error_of(lambda: client.list_durable_executions_by_function(**members))
    assert refused == INVALID


def test_a_wrong_marker_or_length_of_a_history_is_refused(simulation: Simulation) -> None:
    arn = start_execution(simulation, "steps", 3).arn
    for marker in ("nothing", "-1", "99"):
        assert message_of(lambda marker=marker: history(arn, Marker=marker)) == "Invalid Marker"  # type: ignore[misc]
    assert error_of(lambda: history(arn, MaxItems=1001)) == INVALID
    assert history(arn, MaxItems=0)["Events"]


def test_a_paused_execution_is_found_by_its_status(simulation: Simulation) -> None:
    execution = start_execution(simulation, name="paused")
    start_execution(simulation, name="running")
    client.pause_durable_execution(DurableExecutionArn=execution.arn)
    assert listed("approval", Statuses=["PAUSED"]) == ["paused"]
    assert listed("approval", Statuses=["RUNNING"]) == ["running"]


def test_an_execution_is_described_with_its_configuration(simulation: Simulation) -> None:
    execution = start_execution(simulation)
    described = client.get_durable_execution(DurableExecutionArn=execution.arn)
    assert described["DurableConfig"] == {
        "RetentionPeriodInDays": 14,
        "ExecutionTimeout": 31_622_400,
    }
    assert described["ExpectedExecutionTimeoutTimestamp"] == START + quotas.LONGEST_WAIT
    assert "TraceHeader" not in described


def test_data_that_is_not_included_is_marked_as_truncated(simulation: Simulation) -> None:
    execution = start_execution(simulation, "steps", 1)
    started, *_, ended = history(execution.arn)["Events"]
    assert started["ExecutionStartedDetails"]["Input"] == {"Payload": "1", "Truncated": False}
    assert ended["ExecutionSucceededDetails"]["Result"] == {"Payload": "[0]", "Truncated": False}
    for event in history(execution.arn, IncludeExecutionData=False)["Events"]:
        assert "Payload" not in json.dumps(event, default=str)
        assert '"Truncated": false' not in json.dumps(event, default=str)


def test_a_failed_answer_leaves_its_error_in_the_completed_invocation() -> None:
    recording = run(Scenario(handler=handlers.failing))
    completed = next(e for e in recording.events if e.type == "InvocationCompleted")
    assert completed.details["Error"] == {
        "Payload": {"ErrorMessage": "the handler fails", "ErrorType": "RuntimeError"},
        "Truncated": False,
    }
    assert recording.invocations[0].error is None, "it did not die"


@pytest.mark.parametrize("size", [1024 * 1024, 1024 * 1024 + 1])
def test_an_error_from_outside_may_have_1_mb(simulation: Simulation, size: int) -> None:
    execution = start_execution(simulation)
    error: Any = {"ErrorMessage": "x" * (size - 4), "ErrorType": "y", "StackTrace": ["abc"]}
    calls: list[Callable[[], Any]] = [
        lambda: client.send_durable_execution_callback_failure(
            CallbackId=callback_id(execution), Error=error
        ),
        lambda: client.stop_durable_execution(DurableExecutionArn=execution.arn, Error=error),
    ]
    for call in calls:
        if size > 1024 * 1024:
            assert error_of(call) == INVALID
        else:
            call()


def test_a_callback_id_may_have_1024_characters(simulation: Simulation) -> None:
    def answer(length: int) -> Any:
        return client.send_durable_execution_callback_success(CallbackId="A" * length)

    assert error_of(lambda: answer(1024)) == ("ResourceNotFoundException", 404)
    assert error_of(lambda: answer(1025)) == INVALID


def test_an_operation_that_the_lab_lacks_is_refused_and_never_reaches_the_network(
    simulation: Simulation,
) -> None:
    sent: list[Any] = []
    newer = boto3.client("lambda")

    def become_newer(request: AWSPreparedRequest, **_: Any) -> Any:
        request.url = str(request.url).replace("/stop", "/fork")
        sent.append(request.url)
        return boto._answer(request)

    newer.meta.events.register_first("before-send.lambda.StopDurableExecution", become_newer)
    refused = message_of(lambda: newer.stop_durable_execution(DurableExecutionArn="arn:x"))
    assert refused.startswith("dacapo does not simulate this operation: POST /2025-12-01/")
    assert sent


def test_a_function_whose_name_looks_like_a_durable_path_is_invoked(
    simulation: Simulation,
) -> None:
    simulation.add_function("durable-executions", lambda event, context: event)
    assert client.invoke(FunctionName="durable-executions")["StatusCode"] == 200


# -- the SDK's own calls, made through boto3 ----------------------------------------------------


def test_a_checkpoint_that_is_sent_again_gets_the_same_answer(simulation: Simulation) -> None:
    execution = start_execution(simulation)
    update: Any = {"Id": "new", "Type": "STEP", "Action": "START", "Name": "new"}

    def send(token: str, client_token: str) -> Any:
        return client.checkpoint_durable_execution(
            DurableExecutionArn=execution.arn,
            CheckpointToken=token,
            Updates=[update],
            ClientToken=client_token,
        )

    token = execution.token
    first = send(token, "one")
    assert [o["Id"] for o in first["NewExecutionState"]["Operations"]][-1] == "new"
    assert send(token, "one")["CheckpointToken"] == first["CheckpointToken"]
    assert error_of(lambda: send(token, "two")) == INVALID
    update["Type"] = "DANCE"
    assert error_of(lambda: send(first["CheckpointToken"], "three")) == INVALID


def test_the_state_is_read_in_pages(simulation: Simulation) -> None:
    execution = start_execution(simulation)

    def read(**members: Any) -> Any:
        return client.get_durable_execution_state(
            DurableExecutionArn=execution.arn, CheckpointToken=execution.token, **members
        )

    whole = read()["Operations"]
    first = read(MaxItems=1)
    assert first["Operations"] + read(Marker=first["NextMarker"])["Operations"] == whole
    assert message_of(lambda: read(Marker="99")) == "Invalid Marker"
