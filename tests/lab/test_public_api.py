"""Stock boto3 reaches a run in process, and gets the answers and errors of the Lambda API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from botocore.config import Config
from botocore.exceptions import ClientError

from dacapo import fail_next_calls
from dacapo.scenario import START
from dacapo.service.execution import Execution
from dacapo.simulation import Simulation
from tests.lab import handlers

client = boto3.client("lambda")


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    simulation = Simulation(seed=0, start=START)
    simulation.add_function("approval", handlers.waited_for_callback)
    simulation.add_function("steps", handlers.steps)
    simulation.add_function("failing", handlers.failing)
    simulation.add_function("plain", lambda event, context: {"got": event})
    with simulation.running():
        yield simulation


def started(simulation: Simulation, function: str = "approval", payload: Any = None) -> Execution:
    """An execution whose handler has been invoked once."""
    found, _ = simulation.functions.find(function)
    execution = simulation.service.start(found, json.dumps(payload))
    simulation.clock.run_next()
    assert execution.invocations
    return execution


def callback_id(execution: Execution) -> str:
    (found,) = [
        operation.callback_details.callback_id
        for operation in execution.operations.values()
        if operation.callback_details
    ]
    return found


def error_of(call: Callable[[], Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call()
    response: Any = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_an_event_invoke_starts_an_execution_and_returns_at_once(simulation: Simulation) -> None:
    answer = client.invoke(
        FunctionName="steps:live", InvocationType="Event", Payload=b"2", DurableExecutionName="x"
    )
    assert answer["StatusCode"] == 202
    execution = simulation.service.find(answer["DurableExecutionArn"])
    assert not execution.invocations
    simulation.clock.run_next()
    assert execution.result == "[0, 1]"


def test_a_synchronous_invoke_gives_the_result(simulation: Simulation) -> None:
    answer = client.invoke(FunctionName="steps", Qualifier="live", Payload=b"2")
    assert answer["StatusCode"] == 200
    assert json.loads(answer["Payload"].read()) == [0, 1]
    assert answer["ExecutedVersion"] == "1"


def test_a_synchronous_invoke_gives_the_function_error(simulation: Simulation) -> None:
    answer = client.invoke(FunctionName="failing:1")
    assert answer["FunctionError"] == "Unhandled"
    error = json.loads(answer["Payload"].read())
    assert error == {"errorMessage": "the handler fails", "errorType": "RuntimeError"}


def test_a_plain_function_is_called(simulation: Simulation) -> None:
    answer = client.invoke(FunctionName="plain", Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"got": {"a": 1}}


def test_a_dry_run_calls_nothing(simulation: Simulation) -> None:
    assert client.invoke(FunctionName="plain", InvocationType="DryRun")["StatusCode"] == 204
    assert simulation.service.calls.made == []


def test_the_same_start_twice_is_one_execution_and_another_payload_an_error(
    simulation: Simulation,
) -> None:
    def start(payload: bytes) -> Any:
        return client.invoke(
            FunctionName="steps:live",
            InvocationType="Event",
            Payload=payload,
            DurableExecutionName="once",
        )["DurableExecutionArn"]

    assert start(b"1") == start(b"1")
    expected = ("DurableExecutionAlreadyStartedException", 409)
    assert error_of(lambda: start(b"2")) == expected


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: client.invoke(FunctionName="nobody:1"), ("ResourceNotFoundException", 404)),
        (lambda: client.invoke(FunctionName="steps"), ("InvalidParameterValueException", 400)),
        (
            lambda: client.invoke(FunctionName="plain", Payload=b"{"),
            ("InvalidRequestContentException", 400),
        ),
        (
            lambda: client.send_durable_execution_callback_success(CallbackId="QUJD"),
            ("ResourceNotFoundException", 404),
        ),
        (
            lambda: client.send_durable_execution_callback_heartbeat(CallbackId="*"),
            ("InvalidParameterValueException", 400),
        ),
        (
            lambda: client.get_durable_execution(DurableExecutionArn="arn:x"),
            ("ResourceNotFoundException", 404),
        ),
        (
            lambda: client.list_durable_executions_by_function(FunctionName="nobody"),
            ("ResourceNotFoundException", 404),
        ),
    ],
)
def test_errors_are_the_ones_of_the_model(
    simulation: Simulation, call: Callable[[], Any], expected: tuple[str, int]
) -> None:
    assert error_of(call) == expected


def test_a_callback_is_answered_once(simulation: Simulation) -> None:
    execution = started(simulation)
    callback = callback_id(execution)
    client.send_durable_execution_callback_heartbeat(CallbackId=callback)
    client.send_durable_execution_callback_success(CallbackId=callback, Result=b'"yes"')
    again = error_of(
        lambda: client.send_durable_execution_callback_success(CallbackId=callback, Result=b"1")
    )
    assert again == ("CallbackTimeoutException", 400)
    simulation.clock.run_next()
    assert execution.result == json.dumps('"yes"')


def test_a_callback_fails_with_the_whole_error(simulation: Simulation) -> None:
    execution = started(simulation)
    error = {
        "ErrorMessage": "no",
        "ErrorType": "Rejected",
        "ErrorData": "{}",
        "StackTrace": ["here"],
    }
    client.send_durable_execution_callback_failure(
        CallbackId=callback_id(execution),
        Error=error,  # type: ignore[arg-type]
    )
    failed = next(o for o in execution.operations.values() if o.callback_details)
    assert failed.callback_details is not None
    assert failed.callback_details.error == ErrorObject("no", "Rejected", "{}", ["here"])


def test_a_result_above_1_mb_is_refused(simulation: Simulation) -> None:
    callback = callback_id(started(simulation))
    too_big = b"x" * (1024 * 1024 + 1)
    refused = error_of(
        lambda: client.send_durable_execution_callback_success(CallbackId=callback, Result=too_big)
    )
    assert refused == ("InvalidParameterValueException", 400)


def test_an_execution_tells_how_it_stands(simulation: Simulation) -> None:
    execution = started(simulation, payload={"a": 1})
    running = client.get_durable_execution(DurableExecutionArn=execution.arn)
    assert running["Status"] == "RUNNING"
    assert json.loads(running["InputPayload"]) == {"a": 1}
    assert running["StartTimestamp"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert "EndTimestamp" not in running
    client.send_durable_execution_callback_success(CallbackId=callback_id(execution))
    simulation.clock.run_next()
    ended = client.get_durable_execution(
        DurableExecutionArn=execution.arn, IncludeExecutionData=False
    )
    assert ended["Status"] == "SUCCEEDED"
    assert "InputPayload" not in ended


def test_a_history_comes_in_pages_in_either_order_with_and_without_data(
    simulation: Simulation,
) -> None:
    execution = started(simulation, "steps", 3)
    arn = execution.arn
    whole = client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
    assert [event["EventId"] for event in whole] == list(range(1, len(whole) + 1))
    first = client.get_durable_execution_history(DurableExecutionArn=arn, MaxItems=4)
    rest = client.get_durable_execution_history(DurableExecutionArn=arn, Marker=first["NextMarker"])
    assert first["Events"] + rest["Events"] == whole
    backwards = client.get_durable_execution_history(DurableExecutionArn=arn, ReverseOrder=True)
    assert backwards["Events"] == whole[::-1]
    bare = client.get_durable_execution_history(
        DurableExecutionArn=arn, IncludeExecutionData=False
    )["Events"]
    assert "Payload" not in json.dumps(bare, default=str)
    assert "Payload" in json.dumps(whole, default=str)


def test_every_event_of_a_history_is_in_the_shape_of_the_model(simulation: Simulation) -> None:
    execution = started(simulation)
    members = client.meta.service_model.shape_for("Event").members  # type: ignore[attr-defined]
    for event in execution.log.events:
        assert set(event) <= set(members)
        details = members[f"{event['EventType']}Details"]
        assert set(event[f"{event['EventType']}Details"]) <= set(details.members)
        assert set(details.required_members) <= set(event[f"{event['EventType']}Details"])


def test_executions_are_listed_by_function_name_status_and_time(simulation: Simulation) -> None:
    ended, running = started(simulation, "steps", 1), started(simulation)

    def names(function: str, **filters: Any) -> list[str]:
        answer = client.list_durable_executions_by_function(FunctionName=function, **filters)
        return [execution["DurableExecutionName"] for execution in answer["DurableExecutions"]]

    assert names("steps") == [ended.name]
    assert names("approval", Statuses=["RUNNING"]) == [running.name]
    assert names("approval", Statuses=["SUCCEEDED"]) == []
    assert names("steps", DurableExecutionName=ended.name) == [ended.name]
    assert names("steps", StartedAfter=START) == []
    assert names("steps", StartedBefore=START + timedelta(days=1)) == [ended.name]


def test_a_stopped_execution_goes_no_further(simulation: Simulation) -> None:
    execution = started(simulation)
    answer = client.stop_durable_execution(
        DurableExecutionArn=execution.arn, Error={"ErrorMessage": "enough"}
    )
    assert answer["StopTimestamp"] == START
    assert execution.status.value == "STOPPED"
    closed = error_of(
        lambda: client.send_durable_execution_callback_success(CallbackId=callback_id(execution))
    )
    assert closed == ("CallbackTimeoutException", 400)
    assert simulation.clock.is_idle()


def test_calls_can_be_made_to_fail(simulation: Simulation) -> None:
    execution = started(simulation)
    fail_next_calls("SendDurableExecutionCallbackHeartbeat", "ServiceException")
    once = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))

    def beat() -> Any:
        return once.send_durable_execution_callback_heartbeat(CallbackId=callback_id(execution))

    assert error_of(beat) == ("ServiceException", 500)
    assert beat()


def test_an_error_that_the_api_does_not_have_is_refused(simulation: Simulation) -> None:
    with pytest.raises(ValueError, match="no exception 'NoSuchException'"):
        fail_next_calls("Invoke", "NoSuchException")


def test_calls_can_be_made_to_fail_in_a_run_only() -> None:
    with pytest.raises(RuntimeError, match="no run is under way"):
        fail_next_calls("Invoke", "ServiceException")
