"""Invoke and chained invokes: what Lambda refuses, and what reaches the function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import InvokeConfig

from dacapo import START, Recording, Scenario, ScenarioError, Simulation, run, succeed
from dacapo.history.replay_log import Log
from dacapo.service.errors import ServiceError
from dacapo.service.functions import FunctionName
from tests.lab import handlers
from tests.lab.api import client, error_of, message_of, running

INVALID = ("InvalidParameterValueException", 400)
TOO_LARGE = ("RequestTooLargeException", 413)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:steps"
MEGABYTE = 1024 * 1024


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with running() as simulation:
        yield simulation


def padded(size: int) -> bytes:
    """Return a payload of `size` bytes: the number 1, and spaces."""
    return b"1".ljust(size)


@pytest.mark.parametrize(
    ("kind", "limit"), [("RequestResponse", 6 * MEGABYTE), ("Event", MEGABYTE)]
)
def test_a_payload_is_limited_to_6_mb_and_an_asynchronous_one_to_1_mb(
    simulation: Simulation, kind: Any, limit: int
) -> None:
    def send(size: int) -> Any:
        return client.invoke(FunctionName="plain", InvocationType=kind, Payload=padded(size))

    assert send(limit)["StatusCode"] in (200, 202)
    assert error_of(lambda: send(limit + 1)) == TOO_LARGE


@pytest.mark.parametrize(
    "members",
    [
        {"InvocationType": "Sometimes"},
        {"DurableExecutionName": "x" * 65},
        {"DurableExecutionName": "no spaces"},
        {"TenantId": "#"},
        {"TenantId": "x" * 257},
        {"FunctionName": "x" * 257},
        {"FunctionName": "steps:live", "Qualifier": "1"},
        {"FunctionName": "steps", "Qualifier": "no spaces"},
        {"FunctionName": "steps"},
        {"FunctionName": "plain", "DurableExecutionName": "name"},
    ],
)
@pytest.mark.parametrize("kind", ["RequestResponse", "DryRun"])
def test_an_invalid_parameter_is_refused_by_a_dry_run_too(
    simulation: Simulation, members: dict[str, str], kind: str
) -> None:
    call: dict[str, Any] = {"FunctionName": "steps:1", "InvocationType": kind} | members
    assert error_of(lambda: client.invoke(**call)) == INVALID
    assert not simulation.service.executions
    assert not simulation.service.calls.completed


def test_an_execution_name_may_have_64_characters(simulation: Simulation) -> None:
    name = "a-Z_" * 16
    client.invoke(FunctionName="steps:1", Payload=b"1", DurableExecutionName=name)
    (execution,) = simulation.service.executions.values()
    assert execution.name == name


def test_a_payload_that_is_not_utf_8_is_refused(simulation: Simulation) -> None:
    refused = error_of(lambda: client.invoke(FunctionName="plain", Payload=b"\xff"))
    assert refused == ("InvalidRequestContentException", 400)


def test_a_function_whose_timeout_exceeds_15_minutes_is_not_invoked_synchronously(
    simulation: Simulation,
) -> None:
    for minutes in (15, 16):
        simulation.add_function(
            f"for-{minutes}", handlers.steps, execution_timeout=timedelta(minutes=minutes)
        )
    client.invoke(FunctionName="for-15:1", Payload=b"1")
    client.invoke(FunctionName="for-16:1", Payload=b"1", InvocationType="Event")
    refused = message_of(lambda: client.invoke(FunctionName="for-16:1", Payload=b"1"))
    assert refused == (
        "You cannot synchronously invoke a durable function with an executionTimeout greater than "
        "15 minutes"
    )


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("steps:live", "1"),
        ("function:steps:live", "1"),
        ("123456789012:function:steps:7", "7"),
        (f"{ARN}:$LATEST", "$LATEST"),
        (f"{ARN}:$LATEST.PUBLISHED", "$LATEST.PUBLISHED"),
    ],
)
def test_a_function_is_found_by_every_form_of_its_name(
    simulation: Simulation, name: str, version: str
) -> None:
    response = client.invoke(FunctionName=name, Payload=b"1")
    assert response["ExecutedVersion"] == version
    (execution,) = simulation.service.executions.values()
    assert f"function:steps:{version}/durable-execution/" in execution.arn
    described = client.get_durable_execution(DurableExecutionArn=execution.arn)
    assert described["FunctionArn"] == f"{ARN}:{version}"
    assert described["Version"] == version


@pytest.mark.parametrize(
    "name", ["arn:aws:lambda:steps", "steps:a:b", "arn:aws:lambda:us-east-1:steps"]
)
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(ServiceError, match="Invalid function ARN"):
        FunctionName.parse(name)


@durable_execution
def names_its_tenant(event: Any, context: DurableContext) -> str | None:
    assert context.lambda_context is not None
    return context.lambda_context.tenant_id


def test_the_tenant_reaches_the_context(simulation: Simulation) -> None:
    simulation.add_function("durable", names_its_tenant)
    simulation.add_function("direct", lambda event, context: context.tenant_id)
    for function in ("durable:1", "direct"):
        response = client.invoke(FunctionName=function, TenantId="tenant/1 of 2")
        assert json.loads(response["Payload"].read()) == "tenant/1 of 2"
    assert json.loads(client.invoke(FunctionName="direct")["Payload"].read()) is None


def test_the_trace_header_of_the_invoke_is_that_of_the_execution_and_its_children() -> None:
    # boto3 sends this header from within Lambda.
    traced = boto3.client("lambda")
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793"
    traced.meta.events.register(
        "before-sign", lambda request, **_: request.headers.add_header("X-Amzn-Trace-Id", trace)
    )
    with running() as simulation:
        simulation.add_function("parent", handlers.invoking)
        traced.invoke(FunctionName="parent:1", Payload=b'"waits:1"')
        for arn in simulation.service.executions:
            described = client.get_durable_execution(DurableExecutionArn=arn)
            assert described["TraceHeader"] == {"XAmznTraceId": trace}
        assert len(simulation.service.executions) == 2


@durable_execution
def returns_megabytes(event: float, context: DurableContext) -> str:
    return "x" * int(event * MEGABYTE)


def test_an_asynchronous_execution_fails_above_a_result_of_1_mb() -> None:
    recording = run(Scenario(handler=returns_megabytes, event=1.5))
    assert recording.status == "FAILED"
    assert f"less than or equal to {MEGABYTE} bytes" in str(recording.error)


def test_a_synchronous_execution_may_return_more(simulation: Simulation) -> None:
    simulation.add_function("large", returns_megabytes)
    response = client.invoke(FunctionName="large:1", Payload=b"1.5")
    assert len(response["Payload"].read()) > 1.5 * MEGABYTE


# -- chained ------------------------------------------------------------------------------------


def chained(target: str, **options: Any) -> Recording:
    functions = {"child": handlers.called_back, "plain": lambda event, context: context.tenant_id}
    return run(Scenario(handler=handlers.invoking, event=target, functions=functions, **options))


def test_a_durable_child_needs_a_qualifier() -> None:
    assert chained("child").result == (
        "InvalidParameterValueException: You cannot invoke a durable function using an unqualified "
        "ARN."
    )


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ("999999999999:function:plain", "account"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:plain", "region"),
    ],
)
def test_a_function_elsewhere_is_refused_and_so_is_the_checkpoint(target: str, where: str) -> None:
    recording = chained(target)
    assert recording.status == "FAILED"
    expected = f"Cannot start a CHAINED_INVOKE on a function in another {where}."
    assert expected in str(recording.error)
    assert not recording.operations


def test_a_durable_child_fails_above_a_result_of_1_mb() -> None:
    functions = {"large": returns_megabytes}

    @durable_execution
    def parent(event: Any, context: DurableContext) -> Any:
        return context.invoke("large:1", event, name="invoke")

    recording = run(Scenario(handler=parent, event=1.5, functions=functions))
    assert recording.status == "FAILED"
    assert "Execution output payload size must be less than or equal to 1048576" in str(
        recording.error
    )


def test_the_tenant_of_a_chained_invoke_reaches_the_context() -> None:
    @durable_execution
    def parent(event: Any, context: DurableContext) -> Any:
        config = InvokeConfig[Any, Any](tenant_id="one")
        return context.invoke("plain", None, name="invoke", config=config)

    functions = {"plain": lambda event, context: context.tenant_id}
    assert run(Scenario(handler=parent, functions=functions)).result == "one"


# -- region and account -------------------------------------------------------------------------


def test_a_scenario_chooses_region_and_account() -> None:
    recording = chained(
        "arn:aws:lambda:eu-west-1:999999999999:function:child:live",
        answers={"callback": succeed("yes")},
        region="eu-west-1",
        account="999999999999",
    )
    assert recording.result == '"yes"'
    prefix = "arn:aws:lambda:eu-west-1:999999999999:function:"
    assert recording.arn.startswith(f"{prefix}invoking:1/")
    assert recording.others[0].arn.startswith(f"{prefix}child:1/")


def test_a_client_that_is_made_during_the_run_uses_its_region() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> list[Any]:
        assert context.lambda_context is not None
        return [
            boto3.client("lambda").meta.region_name,
            context.lambda_context.invoked_function_arn,
        ]

    region, arn = run(Scenario(handler=handler, region="eu-west-1")).result
    assert region == "eu-west-1"
    assert arn.startswith("arn:aws:lambda:eu-west-1:")


def test_a_replay_receives_the_arn_of_the_recorded_function() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> str | None:
        assert context.lambda_context is not None
        return context.lambda_context.invoked_function_arn

    recording = run(Scenario(handler=handler, region="eu-west-1", account="999999999999"))
    with Simulation(0, START).running():
        replayed = Log.of(recording).replay(handler, 1)
    assert replayed.output
    assert replayed.output["Result"] == recording.output


@pytest.mark.parametrize("place", [{"region": "Europe"}, {"account": "12"}])
def test_a_region_or_account_that_no_arn_can_have_is_refused(place: dict[str, str]) -> None:
    with pytest.raises(ScenarioError, match="region and account must be those of an ARN"):
        Scenario(handler=handlers.steps, **place)  # type: ignore[arg-type]


def test_the_default_region_and_account_are_those_of_the_dummies() -> None:
    assert run(Scenario(handler=handlers.steps, event=0)).arn.startswith(
        "arn:aws:lambda:us-east-1:123456789012:"
    )
