"""Every answer of the service fits botocore's model of the Lambda API.

boto3 drops members that its model lacks, and checks neither enums nor patterns in responses. So the
answers are checked here before boto3 parses them, in runs that use every operation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    ChildConfig,
    Duration,
    InvokeConfig,
    StepConfig,
)
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy
from botocore.model import Shape

from dacapo.lambda_api.http import Request, Response
from dacapo.lambda_api.public_api import PublicApi
from dacapo.service.errors import ServiceError
from dacapo.service.execution import Execution
from dacapo.simulation.simulation import Simulation
from tests.lab import handlers
from tests.lab.api import callback_id, client, running

MODEL = client.meta.service_model
HEADERS = {"Type", "message", "Message"}
"""Members of every error, which the model's errors may or may not list."""


def problems(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """Yield where a value does not fit a shape, in words."""
    match shape.type_name:
        case "structure":
            yield from _problems_of_structure(value, shape, path)
        case "list" if not isinstance(value, list):
            yield f"{path} is not a list: {value!r}"
        case "list":
            for index, item in enumerate(value):
                yield from problems(item, shape.member, f"{path}[{index}]")  # type: ignore[attr-defined]
        case kind:
            yield from _problems_of_scalar(value, shape, kind, path)


def _problems_of_structure(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path} is not a structure: {value!r}"
        return
    members = {m.serialization.get("name", name): m for name, m in shape.members.items()}
    yield from (f"{path} lacks {name}" for name in set(shape.required_members) - set(value))
    yield from (f"{path} has an unknown {name}" for name in set(value) - set(members))
    for name in set(value) & set(members):
        yield from problems(value[name], members[name], f"{path}.{name}")


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "timestamp": datetime,
    "blob": bytes,
}


def _problems_of_scalar(value: Any, shape: Shape, kind: str, path: str) -> Iterator[str]:
    is_of_type = isinstance(value, _TYPES[kind])
    if not is_of_type or (kind == "integer" and isinstance(value, bool)):
        yield f"{path} is not of type {kind}: {value!r}"
        return
    rules = shape.metadata
    if "enum" in rules and value not in rules["enum"]:
        yield f"{path} is none of the enum: {value!r}"
    if "pattern" in rules and not re.fullmatch(rules["pattern"], value):
        yield f"{path} does not match {rules['pattern']}: {value!r}"
    size = value if kind == "integer" else len(value) if kind in ("string", "blob") else 0
    if not rules.get("min", size) <= size <= rules.get("max", size):
        yield f"{path} is out of range: {size}"


def answer_problems(operation: str, response: Response) -> Iterator[str]:
    """Yield where an answer does not fit the output of its operation."""
    model = MODEL.operation_model(operation)
    status = model.http["responseCode"] if operation != "Invoke" else response.status
    if response.status != status:
        yield f"{operation} answers {response.status}, not {status}"
    members = model.output_shape.members
    headers = {
        m.serialization["name"].lower(): m
        for m in members.values()
        if m.serialization.get("location") == "header"
    }
    for name, value in response.headers.items():
        yield from problems(value, headers[name.lower()], f"{operation}.{name}")
    if "payload" not in model.output_shape.serialization:
        yield from problems(response.body, model.output_shape, operation)


def error_problems(operation: str, error: ServiceError) -> Iterator[str]:
    """Yield where an error is not one of its operation."""
    shapes = {shape.name: shape for shape in MODEL.operation_model(operation).error_shapes}
    shape = shapes.get(error.code)
    if shape is None:
        yield f"{operation} has no error {error.code}"
    elif error.status != shape.metadata["error"]["httpStatusCode"]:
        yield f"{error.code} has another status than {error.status}"


class CheckedApi:
    """An API that notes where its answers do not fit the model."""

    def __init__(self, api: PublicApi) -> None:
        self._api = api
        self.used: set[str] = set()
        self.problems: list[str] = []

    def answer(self, operation: str, request: Request) -> Response:
        self.used.add(operation)
        try:
            response = self._api.answer(operation, request)
        except ServiceError as error:
            self.problems.extend(error_problems(operation, error))
            raise
        self.problems.extend(answer_problems(operation, response))
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)


# -- runs that use everything -------------------------------------------------------------------


@durable_execution
def everything(event: Any, context: DurableContext) -> Any:
    """Use every operation of the SDK, in success and in failure."""
    attempts: list[int] = []

    def twice(_: object) -> str:
        attempts.append(1)
        raise ValueError("not yet")

    retry = create_retry_strategy(RetryStrategyConfig(max_attempts=2))
    for body, name in ((lambda _: "done", "step"), (twice, "failing step")):
        try:
            context.step(body, name=name, config=StepConfig(retry_strategy=retry))
        except Exception as error:  # noqa: BLE001 - any of the SDK's
            context.logger.info(str(error))
    context.wait(Duration.from_seconds(1), name="wait")
    context.run_in_child_context(lambda child: None, name="child")
    config = ChildConfig[Any]()
    try:
        context.run_in_child_context(_fail, name="failing child", config=config)
    except Exception as error:  # noqa: BLE001
        context.logger.info(str(error))
    context.map([1, 2], lambda child, item, index, items: item, name="map")
    invoke = InvokeConfig[Any, Any](tenant_id="one")
    for function in ("plain", "steps:1", "failing:1", "nobody"):
        try:
            context.invoke(function, 2, name=f"invoke {function}", config=invoke)
        except Exception as error:  # noqa: BLE001
            context.logger.info(str(error))
    timeouts = CallbackConfig(timeout=Duration.from_hours(1))
    return context.create_callback(name="callback", config=timeouts).result()


def _fail(_: DurableContext) -> None:
    raise ValueError("the child fails")


@durable_execution
def crashing(event: Any, context: DurableContext) -> None:
    raise SystemExit


def read_all(arn: str) -> None:
    for with_data in (True, False):
        client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=with_data)
        client.get_durable_execution_history(
            DurableExecutionArn=arn, IncludeExecutionData=with_data, MaxItems=1000
        )
    client.list_durable_executions_by_function(FunctionName="everything", MaxItems=1)


def run_until(simulation: Simulation, execution: Execution, seconds: int = 60) -> None:
    simulation.clock.sleep(seconds)
    assert execution.invocations


def start(simulation: Simulation, function: str, payload: bytes = b"1") -> Execution:
    response = client.invoke(
        FunctionName=f"{function}:$LATEST",
        InvocationType="Event",
        Payload=payload,
        TenantId="tenant",
    )
    return simulation.service.find(response["DurableExecutionArn"])


def use_callbacks(simulation: Simulation) -> None:
    for answer in ("success", "failure", "none"):
        execution = start(simulation, "everything")
        run_until(simulation, execution)
        read_all(execution.arn)
        callback = callback_id(execution)
        client.send_durable_execution_callback_heartbeat(CallbackId=callback)
        if answer == "success":
            client.send_durable_execution_callback_success(CallbackId=callback, Result=b"1")
        if answer == "failure":
            error = {"ErrorMessage": "no", "ErrorType": "No", "StackTrace": ["here"]}
            client.send_durable_execution_callback_failure(CallbackId=callback, Error=error)
        run_until(simulation, execution, 7_200)
        assert not execution.is_running
        read_all(execution.arn)


def use_pauses(simulation: Simulation) -> None:
    execution = start(simulation, "approval")
    client.pause_durable_execution(DurableExecutionArn=execution.arn, Reason="why")
    read_all(execution.arn)
    client.resume_durable_execution(DurableExecutionArn=execution.arn, Reason="go on")
    run_until(simulation, execution)
    read_all(execution.arn)
    client.stop_durable_execution(DurableExecutionArn=execution.arn, Error={"ErrorType": "x"})
    read_all(execution.arn)
    client.delete_durable_execution(DurableExecutionArn=execution.arn)
    read_all(execution.arn)


def use_checkpoints(simulation: Simulation) -> None:
    execution = start(simulation, "everything")
    run_until(simulation, execution)
    members = {"DurableExecutionArn": execution.arn, "CheckpointToken": execution.token}
    client.get_durable_execution_state(**members)
    updates = [{"Id": "a", "Type": "STEP", "Action": "START", "SubType": "Step"}]
    client.checkpoint_durable_execution(**members, Updates=updates)


def use_endings(simulation: Simulation) -> None:
    simulation.add_function("short", handlers.waits, execution_timeout=timedelta(seconds=30))
    simulation.add_function("crashing", crashing)
    for function in ("short", "crashing", "failing"):
        execution = start(simulation, function)
        run_until(simulation, execution, 600)
        read_all(execution.arn)
        assert execution.execution_status in ("TIMED_OUT", "FAILED")
    for function in ("failing:1", "steps:1", "plain"):
        client.invoke(FunctionName=function, Payload=b"1")
    client.invoke(FunctionName="plain", InvocationType="DryRun")


def use_errors(_: Simulation) -> None:
    for call, members in (
        (client.invoke, {"FunctionName": "nobody"}),
        (client.invoke, {"FunctionName": "steps"}),
        (client.invoke, {"FunctionName": "plain", "Payload": b"{"}),
        (client.invoke, {"FunctionName": "plain", "Payload": b" " * 7_000_000}),
        (client.get_durable_execution, {"DurableExecutionArn": "arn:x"}),
        (client.pause_durable_execution, {"DurableExecutionArn": "arn:x"}),
        (client.resume_durable_execution, {"DurableExecutionArn": "arn:x"}),
        (client.delete_durable_execution, {"DurableExecutionArn": "arn:x"}),
        (client.stop_durable_execution, {"DurableExecutionArn": "arn:x"}),
        (client.get_durable_execution_history, {"DurableExecutionArn": "arn:x"}),
        (client.list_durable_executions_by_function, {"FunctionName": "nobody"}),
        (client.send_durable_execution_callback_success, {"CallbackId": "QUJD"}),
        (
            client.get_durable_execution_state,
            {"DurableExecutionArn": "arn:x", "CheckpointToken": "x"},
        ),
        (
            client.checkpoint_durable_execution,
            {"DurableExecutionArn": "arn:x", "CheckpointToken": "x"},
        ),
    ):
        with pytest.raises(client.exceptions.ClientError):
            call(**members)


@pytest.mark.prove
def test_every_answer_fits_the_model_and_every_operation_is_used() -> None:
    with running() as simulation:
        simulation.add_function("everything", everything)
        api = CheckedApi(simulation.api)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("dacapo.process.active_run.ACTIVE.api", api)
            for use in (use_callbacks, use_pauses, use_checkpoints, use_endings, use_errors):
                use(simulation)
    assert api.problems == []
    durable = {name for name in MODEL.operation_names if "Durable" in name}
    assert api.used == durable | {"Invoke"}
    written = {event.type for e in simulation.service.executions.values() for event in e.log.events}
    enum = set(MODEL.shape_for("EventType").enum)
    assert enum - written == {"WaitCancelled", "ChainedInvokeTimedOut", "ChainedInvokeStopped"}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "lacks StopTimestamp"),
        ({"StopTimestamp": 1}, "not of type timestamp"),
        ({"StopTimestamp": datetime.now().astimezone(), "More": 1}, "unknown More"),
    ],
)
def test_an_answer_that_does_not_fit_is_found(body: dict[str, Any], problem: str) -> None:
    (reported,) = answer_problems("StopDurableExecution", Response(body))
    assert problem in reported


@pytest.mark.parametrize(
    ("member", "value", "problem"),
    [
        ("Status", "LOST", "none of the enum"),
        ("DurableExecutionName", "no spaces", "does not match"),
        ("DurableExecutionName", "x" * 65, "out of range"),
        ("DurableConfig", {"RetentionPeriodInDays": 91}, "out of range"),
        ("Error", ["no"], "not a structure"),
    ],
)
def test_a_member_that_does_not_fit_is_found(member: str, value: Any, problem: str) -> None:
    shape = MODEL.shape_for("GetDurableExecutionResponse").members[member]
    (reported,) = problems(value, shape)
    assert problem in reported


def test_an_error_that_an_operation_lacks_is_found() -> None:
    error = ServiceError("CallbackTimeoutException", "", 400)
    assert list(error_problems("Invoke", error))
    assert not list(error_problems("SendDurableExecutionCallbackFailure", error))
