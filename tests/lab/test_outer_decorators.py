"""What stands above `@durable_execution` receives what Lambda sends: a dict of JSON values."""

from __future__ import annotations

import copy
import functools
import json
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.lambda_service import (
    CheckpointOutput,
    CheckpointUpdatedExecutionState,
    ExecutionDetails,
    Operation,
    OperationStatus,
    OperationType,
    StateOutput,
)

from dacapo import START, Handler, Recording, Scenario, Simulation, fail, run, succeed, verify
from dacapo.history.replay_log import Log
from dacapo.process.active_run import ACTIVE
from dacapo.sdk import installed
from dacapo.sdk.deterministic import in_simulation
from dacapo.service import invocation_input
from dacapo.service.client import RefusingClient
from dacapo.service.functions import LambdaContext
from tests.lab import handlers
from tests.verify.quick import QUICK

Event = dict[str, Any]
MINUTE = timedelta(minutes=1)
JSON_TYPES = {dict, list, str, int, float, bool, type(None)}


def above(handler: Handler, change: Callable[[Event], Event]) -> Handler:
    """Return a handler with a decorator above it, which passes on what `change` returns."""

    @functools.wraps(handler)
    def outer(event: Event, context: Any) -> Any:
        return handler(change(event), context)

    return outer


def recording_inputs(handler: Handler) -> tuple[Handler, list[Event]]:
    """Return a handler with a decorator above it, and the inputs that the decorator receives."""
    inputs: list[Event] = []

    def record(event: Event) -> Event:
        inputs.append(event)
        return event

    return above(handler, record), inputs


def types_in(value: Any) -> set[type]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {type(value)}.union(*map(types_in, inner))


def operations_in(event: Event) -> list[Event]:
    operations: list[Event] = event["InitialExecutionState"]["Operations"]
    return operations


def as_text(recording: Recording) -> str:
    return json.dumps(recording.to_json(), sort_keys=True)


def touch_operations(event: Event) -> Event:
    operations = operations_in(event)
    operations.append(operations.pop())
    assert all(operation["Id"] for operation in operations)
    return event


WAYS: dict[str, Callable[[Event], Event]] = {
    "itself": lambda event: event,
    "another dict": lambda event: {**event},
    "a deep copy": copy.deepcopy,
    "JSON and back": lambda event: json.loads(json.dumps(event)),
    "pickled and back": lambda event: pickle.loads(pickle.dumps(event)),
    "touched": touch_operations,
}
SCENARIOS = {
    "waits": Scenario(handler=handlers.waits, event=4),
    "retries": Scenario(handler=handlers.retried_step),
    "failed step": Scenario(handler=handlers.failed_step),
    "failing": Scenario(handler=handlers.failing),
    "polls": Scenario(handler=handlers.polled, event=3),
    "callback": Scenario(
        handler=handlers.called_back, answers={"callback": succeed({"a": 1}, after=MINUTE)}
    ),
    "failed callback": Scenario(
        handler=handlers.waited_for_callback, answers={"approval": fail("no", after=MINUTE)}
    ),
    "invoke": Scenario(
        handler=handlers.invoking,
        event="waits:live",
        functions={"waits": handlers.waited_for_callback},
        answers={"approval": succeed("yes", after=MINUTE)},
    ),
    "big child": Scenario(handler=handlers.big_child),
    "waiting map": Scenario(handler=handlers.mapped_waits, event=[5, 1, 3, 1]),
}


# -- the input -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_invocation_receives_json_all_through(name: str) -> None:
    handler, inputs = recording_inputs(SCENARIOS[name].handler)
    recording = run(replace(SCENARIOS[name], handler=handler))
    assert len(inputs) == len(recording.invocations)
    assert set().union(*map(types_in, inputs)) <= JSON_TYPES
    assert json.loads(json.dumps(inputs)) == inputs


def test_the_input_has_the_members_that_lambda_sends() -> None:
    handler, inputs = recording_inputs(handlers.waits)
    recording = run(Scenario(handler=handler, event=1))
    first, second = inputs
    members = ["DurableExecutionArn", "CheckpointToken", "InitialExecutionState"]
    assert list(first) == list(second) == [*members, "UpdatedOperationIds"]
    assert first["DurableExecutionArn"] == second["DurableExecutionArn"] == recording.arn
    assert first["CheckpointToken"] != second["CheckpointToken"]
    (execution,) = operations_in(first)
    assert execution["Id"] == recording.arn.rpartition("/")[2]
    assert execution["ExecutionDetails"] == {"InputPayload": "1"}
    _, wait = operations_in(second)
    assert (wait["Type"], wait["Status"], wait["Name"]) == ("WAIT", "SUCCEEDED", "wait 0")
    assert second["UpdatedOperationIds"] == [wait["Id"]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_copy_of_the_input_gives_the_same_recording(name: str, way: str) -> None:
    scenario = SCENARIOS[name]
    handler = above(scenario.handler, WAYS[way])
    assert as_text(run(replace(scenario, handler=handler))) == as_text(run(scenario))


def test_a_change_of_the_input_reaches_the_handler_and_no_other_invocation() -> None:
    def answer_otherwise(event: Event) -> Event:
        inputs.append(copy.deepcopy(event))
        for operation in operations_in(event):
            if operation["Type"] == "STEP":
                operation["StepDetails"]["Result"] = '"changed"'
        return event

    @durable_execution
    def handler(_: Any, context: DurableContext) -> list[str]:
        results.append(context.step(lambda _: "recorded", name="step"))
        for hour in range(2):
            context.wait(Duration.from_hours(1), name=f"hour {hour}")
        return results

    inputs: list[Event] = []
    results: list[str] = []
    assert run(Scenario(handler=above(handler, answer_otherwise))).result == results
    assert results == ["recorded", "changed", "changed"]
    received = [o["StepDetails"]["Result"] for e in inputs for o in operations_in(e)[1:2]]
    assert received == ['"recorded"', '"recorded"']


def test_operations_that_are_removed_from_the_input_run_again() -> None:
    def forget(event: Event) -> Event:
        del operations_in(event)[1:]
        return event

    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        context.step(lambda _: ran.append("step"), name="step")
        if len(ran) < 2:
            context.wait(Duration.from_hours(1), name="hour")

    ran: list[str] = []
    run(Scenario(handler=above(handler, forget)))
    assert ran == ["step", "step"]


def test_a_token_that_the_service_did_not_issue_is_refused() -> None:
    def forge(event: Event) -> Event:
        return {**event, "CheckpointToken": "forged"}

    recording = run(Scenario(handler=above(handlers.steps, forge), event=1))
    assert recording.error is not None
    assert "Invalid checkpoint token" in (recording.error.message or "")


def test_an_input_of_an_earlier_invocation_is_refused() -> None:
    def first(event: Event) -> Event:
        inputs.append(event)
        return inputs[0]

    inputs: list[Event] = []
    recording = run(Scenario(handler=above(handlers.waits, first), event=1))
    assert len(recording.invocations) == len(inputs) > 1
    assert recording.error is not None
    assert "Invalid checkpoint token" in (recording.error.message or "")


def test_an_input_without_an_arn_fails_as_on_lambda() -> None:
    def strip(event: Event) -> Event:
        return {name: value for name, value in event.items() if name != "DurableExecutionArn"}

    recording = run(Scenario(handler=above(handlers.steps, strip), event=1))
    assert recording.error is not None
    assert "Unexpected payload provided" in (recording.error.message or "")


# -- the answer ------------------------------------------------------------------------------------


def answering(change: Callable[[Any], Any]) -> Handler:
    """Return a handler that waits once, with a decorator above it that changes its answers."""
    handler = handlers.waits

    @functools.wraps(handler)
    def outer(event: Event, context: Any) -> Any:
        return change(handler(event, context))

    return outer


def test_the_answer_of_every_invocation_is_json() -> None:
    def record(answer: Any) -> Any:
        answers.append(answer)
        return answer

    answers: list[Any] = []
    assert run(Scenario(handler=answering(record), event=1)).status == "SUCCEEDED"
    assert answers == [{"Status": "PENDING"}, {"Status": "SUCCEEDED", "Result": "1"}]
    assert types_in(answers) <= JSON_TYPES


def test_a_decorator_can_change_the_answer() -> None:
    def change(answer: Any) -> Any:
        return answer if answer["Status"] == "PENDING" else {**answer, "Result": '"changed"'}

    recording = run(Scenario(handler=answering(change), event=1))
    assert len(recording.invocations) == 2
    assert recording.result == "changed"


@pytest.mark.parametrize("answer", [None, "ok", {"statusCode": 200}])
def test_an_answer_that_is_not_the_sdks_fails_the_execution_in_every_experiment(
    answer: Any,
) -> None:
    scenario = Scenario(handler=answering(lambda _: answer), event=1)
    recording = run(scenario)
    assert recording.error is not None
    assert "not durable" in (recording.error.message or "")
    report = verify(scenario, only=QUICK)
    assert report.experiments["replayed"].runs > 1
    assert report.findings == [], "it fails in the same way each time"


# -- whose service it is ---------------------------------------------------------------------------


def test_a_client_of_the_users_changes_nothing() -> None:
    @durable_execution(boto3_client=boto3.client("lambda"))  # type: ignore[call-arg]
    def with_client(event: int, context: DurableContext) -> int:
        context.wait(Duration.from_hours(1), name="hour")
        return event

    recording = run(Scenario(handler=with_client, event=1))
    assert (len(recording.invocations), recording.result) == (2, 1)


def test_executions_under_way_at_the_same_time_use_their_own_clients() -> None:
    @durable_execution
    def parent(event: int, context: DurableContext) -> list[Any]:
        def branch(child: DurableContext, item: int, *_: Any) -> Any:
            return child.invoke("child:live", item, name=f"invoke {item}")

        return context.map(list(range(event)), branch, name="all").get_results()

    @durable_execution
    def child(event: int, context: DurableContext) -> int:
        context.wait(Duration.from_minutes(5 - event), name="wait")
        return context.step(lambda _: event * 10, name="step")

    inner, inputs = recording_inputs(child)
    outer, _ = recording_inputs(parent)
    recording = run(Scenario(handler=outer, event=4, functions={"child": inner}))
    assert recording.result == [0, 10, 20, 30]
    arns = [event["DurableExecutionArn"] for event in inputs]
    assert len(inputs) == 8
    assert len(set(arns[:4])) == len(set(arns[4:])) == 4, "they did not overlap"


class Late(dict[str, Any]):
    """An input whose reader waits for another one, after it found out whose input it is."""

    both_read = threading.Barrier(2, timeout=10)

    def get(self, key: str, default: Any = None) -> Any:
        if key == "InitialExecutionState":
            self.both_read.wait()
        return super().get(key, default)


class Store:
    """A service client that records the executions whose checkpoints it receives."""

    def __init__(self) -> None:
        self.arns: list[str] = []

    def checkpoint(
        self, durable_execution_arn: str, checkpoint_token: str, updates: Any, **_: Any
    ) -> CheckpointOutput:
        self.arns.append(durable_execution_arn)
        started = [
            Operation(u.operation_id, u.operation_type, OperationStatus.STARTED, name=u.name)
            for u in updates
        ]
        return CheckpointOutput(checkpoint_token, CheckpointUpdatedExecutionState(started))

    def get_execution_state(self, *_: Any, **__: Any) -> StateOutput:
        return StateOutput([], "")


def test_threads_that_read_inputs_at_the_same_time_get_their_own_clients() -> None:
    def invoke(number: int) -> None:
        arn, state = f"arn/{number}", Operation(
            str(number), OperationType.EXECUTION, OperationStatus.STARTED,
            execution_details=ExecutionDetails("1"),
        )  # fmt: skip
        client: Any = stores[number]
        with invocation_input.sent(arn, "token", StateOutput([state], ""), [], client) as event:
            context: Any = LambdaContext("request", "steps")
            handlers.steps(Late(event), context)

    stores = [Store(), Store()]
    with in_simulation(Simulation(0, START).scheduler), ThreadPoolExecutor() as threads:
        list(threads.map(invoke, range(2)))
    assert [set(store.arns) for store in stores] == [{"arn/0"}, {"arn/1"}]


def test_no_client_is_left_after_an_invocation() -> None:
    def check_earlier(event: Event) -> Event:
        keys.append((event["DurableExecutionArn"], event["CheckpointToken"]))
        clients = [ACTIVE.invocation_inputs.find(*key).client for key in keys]
        is_known.append([not isinstance(client, RefusingClient) for client in clients])
        return event

    keys: list[tuple[str, str]] = []
    is_known: list[list[bool]] = []
    run(Scenario(handler=above(handlers.waits, check_earlier), event=2))
    assert is_known == [[True], [False, True], [False, False, True]]
    assert ACTIVE.invocation_inputs is None


# -- the verifier ----------------------------------------------------------------------------------


@pytest.mark.prove
def test_the_verifier_enters_what_stands_above_too() -> None:
    handler, inputs = recording_inputs(handlers.waits)
    report = verify(Scenario(handler=handler, event=2), only=QUICK)
    assert report.findings == []
    run(Scenario(handler=handler, event=2))
    assert len(inputs) > 0
    assert report.experiments["replayed"].runs > 1


def test_the_verifier_replays_json() -> None:
    handler, inputs = recording_inputs(handlers.waits)
    log = Log.of(run(Scenario(handler=handlers.waits, event=2)))
    with Simulation(0, START).running():
        for count in range(1, len(log.states) + 1):
            log.replay(handler, count)
    assert len(inputs) == len(log.states) > 2
    assert set().union(*map(types_in, inputs)) <= JSON_TYPES
    assert {event["DurableExecutionArn"] for event in inputs} == {log.arn}


# -- which handlers are durable --------------------------------------------------------------------


class Tool:
    """A decorator that is a class, as some observability tools have."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, event: Event, context: Any) -> Any:
        return self.handler(event, context)

    def handle(self, event: Event, context: Any) -> Any:
        return self.handler(event, context)


def without_wraps(handler: Handler) -> Handler:
    return lambda event, context: handler(event, context)  # noqa: PLW0108 - the decorator


def called_with(handler: Handler, event: Event, context: Any) -> Any:
    return handler(event, context)


DECORATED: dict[str, Handler] = {
    "functools.wraps": above(handlers.waits, dict),
    "without functools.wraps": without_wraps(handlers.waits),
    "twice": without_wraps(above(without_wraps(handlers.waits), dict)),
    "a partial": functools.partial(called_with, handlers.waits),
    "an object": Tool(handlers.waits),
    "a method": Tool(handlers.waits).handle,
}


@pytest.mark.parametrize("how", DECORATED)
def test_a_durable_handler_is_recognized_under_any_decorator(how: str) -> None:
    assert installed.is_durable(DECORATED[how])
    recording = run(Scenario(handler=DECORATED[how], event=2, function_name="waits"))
    assert (len(recording.invocations), recording.result) == (3, 2)


@pytest.mark.parametrize(
    "plain",
    [
        *(lambda event, context: None, without_wraps(lambda event, context: None)),
        *(durable_execution, durable_execution(boto3_client=None), Tool, Tool(print)),
    ],
)
def test_what_holds_no_durable_handler_is_not_durable(plain: Handler) -> None:
    assert not installed.is_durable(plain)
