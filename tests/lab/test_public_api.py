"""Stock boto3 reaches a run in process, with the responses and errors of the Lambda API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from botocore.config import Config

from dacapo import fail_next_calls
from dacapo.scenario import START
from dacapo.simulation.simulation import Simulation
from tests.lab.api import callback_id, client, error_of, running, start_execution


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with running() as simulation:
        yield simulation


def test_an_asynchronous_invoke_starts_an_execution_and_returns_at_once(
    simulation: Simulation,
) -> None:
    response = client.invoke(
        FunctionName="steps:live", InvocationType="Event", Payload=b"2", DurableExecutionName="x"
    )
    assert response["StatusCode"] == 202
    execution = simulation.service.find(response["DurableExecutionArn"])
    assert not execution.invocations
    simulation.clock.run_next()
    assert execution.result == "[0, 1]"


def test_a_synchronous_invoke_returns_the_result(simulation: Simulation) -> None:
    response = client.invoke(FunctionName="steps", Qualifier="live", Payload=b"2")
    assert response["StatusCode"] == 200
    assert json.loads(response["Payload"].read()) == [0, 1]
    assert response["ExecutedVersion"] == "1"


def test_a_synchronous_invoke_returns_the_function_error(simulation: Simulation) -> None:
    response = client.invoke(FunctionName="failing:1")
    assert response["FunctionError"] == "Unhandled"
    error = json.loads(response["Payload"].read())
    assert error["errorMessage"] == "the handler fails"
    assert error["errorType"] == "RuntimeError"
    assert {"requestId", "stackTrace"} <= error.keys()


def test_a_plain_function_is_invoked(simulation: Simulation) -> None:
    response = client.invoke(FunctionName="plain", Payload=b'{"a": 1}')
    assert json.loads(response["Payload"].read()) == {"received": {"a": 1}}


def test_a_dry_run_invokes_nothing(simulation: Simulation) -> None:
    assert client.invoke(FunctionName="plain", InvocationType="DryRun")["StatusCode"] == 204
    assert simulation.service.calls.completed == []


def test_a_repeated_start_is_idempotent_and_fails_with_another_payload(
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
def test_errors_match_the_service_model(
    simulation: Simulation, call: Callable[[], Any], expected: tuple[str, int]
) -> None:
    assert error_of(call) == expected


def test_a_callback_accepts_one_answer(simulation: Simulation) -> None:
    execution = start_execution(simulation)
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
    execution = start_execution(simulation)
    error = {
        "ErrorMessage": "no",
        "ErrorType": "Rejected",
        "ErrorData": "{}",
        "StackTrace": ["here"],
    }
    client.send_durable_execution_callback_failure(
        CallbackId=callback_id(execution),
        Error=error,
    )
    failed = next(o for o in execution.operations.values() if o.callback_details)
    assert failed.callback_details is not None
    assert failed.callback_details.error == ErrorObject("no", "Rejected", "{}", ["here"])


def test_a_result_above_1_mb_is_refused(simulation: Simulation) -> None:
    callback = callback_id(start_execution(simulation))
    too_big = b"x" * (1024 * 1024 + 1)
    refused = error_of(
        lambda: client.send_durable_execution_callback_success(CallbackId=callback, Result=too_big)
    )
    assert refused == ("InvalidParameterValueException", 400)


def test_get_durable_execution_reports_status_and_data(simulation: Simulation) -> None:
    execution = start_execution(simulation, payload={"a": 1})
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


def test_a_history_can_be_paged_reversed_and_read_without_data(
    simulation: Simulation,
) -> None:
    execution = start_execution(simulation, "steps", 3)
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


def test_every_event_of_a_history_matches_the_service_model(simulation: Simulation) -> None:
    execution = start_execution(simulation)
    members = client.meta.service_model.shape_for("Event").members
    for event in (event.to_api() for event in execution.log.events):
        assert set(event) <= set(members)
        details = members[f"{event['EventType']}Details"]
        assert set(event[f"{event['EventType']}Details"]) <= set(details.members)
        assert set(details.required_members) <= set(event[f"{event['EventType']}Details"])


def test_executions_are_listed_by_function_name_status_and_time(simulation: Simulation) -> None:
    ended, running = start_execution(simulation, "steps", 1), start_execution(simulation)

    def names(function: str, **filters: Any) -> list[str]:
        response = client.list_durable_executions_by_function(FunctionName=function, **filters)
        return [execution["DurableExecutionName"] for execution in response["DurableExecutions"]]

    assert names("steps") == [ended.name]
    assert names("approval", Statuses=["RUNNING"]) == [running.name]
    assert names("approval", Statuses=["SUCCEEDED"]) == []
    assert names("steps", DurableExecutionName=ended.name) == [ended.name]
    assert names("steps", StartedAfter=START) == []
    assert names("steps", StartedBefore=START + timedelta(days=1)) == [ended.name]


def test_a_stopped_execution_does_not_continue(simulation: Simulation) -> None:
    execution = start_execution(simulation)
    response = client.stop_durable_execution(
        DurableExecutionArn=execution.arn, Error={"ErrorMessage": "enough"}
    )
    assert response["StopTimestamp"] == START
    assert execution.status.value == "STOPPED"
    closed = error_of(
        lambda: client.send_durable_execution_callback_success(CallbackId=callback_id(execution))
    )
    assert closed == ("CallbackTimeoutException", 400)
    assert simulation.clock.is_idle()


def test_fail_next_calls_fails_a_call(simulation: Simulation) -> None:
    execution = start_execution(simulation)
    fail_next_calls("SendDurableExecutionCallbackHeartbeat", "ServiceException")
    once = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))

    def send_heartbeat() -> Any:
        return once.send_durable_execution_callback_heartbeat(CallbackId=callback_id(execution))

    assert error_of(send_heartbeat) == ("ServiceException", 500)
    assert send_heartbeat()


def test_fail_next_calls_refuses_an_unknown_error(simulation: Simulation) -> None:
    with pytest.raises(ValueError, match="no exception 'NoSuchException'"):
        fail_next_calls("Invoke", "NoSuchException")


def test_fail_next_calls_is_refused_outside_a_run() -> None:
    with pytest.raises(RuntimeError, match="no run is active"):
        fail_next_calls("Invoke", "ServiceException")
