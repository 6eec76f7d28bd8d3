"""*Cold* finds what a handler keeps in its process, and accuses nothing else."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from moto import mock_aws

from dacapo import Recording, Scenario, succeed
from dacapo.verify.findings import Code, ExperimentName, ExperimentState, Report
from dacapo.verify.verifier import verify
from tests.command_line import fresh_dacapo
from tests.depth import every
from tests.verify import process_state
from tests.verify.process_state import A_DAY, causes

KINDS = {
    "module_memory": process_state.module_memory,
    "hash_order": process_state.hash_order,
    "class_attribute": process_state.class_attribute,
    "temporary_file": process_state.temporary_file,
    "literal_path": process_state.literal_path,
    "environment": process_state.environment,
    "counter_as_key": process_state.counter_as_key,
    "open_connection": process_state.open_connection,
    "method": process_state.method,
    "factory": process_state.factory,
    "partial_handler": process_state.partial_handler,
}


def in_cold(scenario: Scenario) -> Report:
    report = verify(scenario, only=[ExperimentName.COLD])
    cold = report.experiments[ExperimentName.COLD]
    assert (cold.state, cold.reason) == (ExperimentState.RAN, "")
    assert cold.runs > 4
    return report


def assert_found(report: Report, name: str) -> None:
    first = report.proved[0]
    assert first.experiment is ExperimentName.COLD
    assert first.place is not None
    assert Path(first.place.file).name == "process_state.py"
    assert first.place.line in causes(name), first.message


@pytest.mark.parametrize("name", every(0, KINDS))
def test_state_in_a_process_is_proved_at_the_line_that_uses_it(name: str) -> None:
    scenario = Scenario(handler=KINDS[name], name=name, world=process_state.forgotten)
    assert_found(in_cold(scenario), name)


@pytest.mark.prove
def test_a_handler_that_only_this_process_has_is_verified_in_forks_of_it() -> None:
    handler = process_state.handlers_by_name["closure"]
    scenario = Scenario(handler=handler, world=process_state.forgotten)
    assert_found(in_cold(scenario), "factory")


APP = """
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration
from rules import PRICE

quoted = {}

@durable_execution
def handler(event, context):
    def quote(_):
        quoted["tea"] = PRICE
        return "quoted"

    context.step(quote, name="quote")
    context.wait(Duration.from_days(1), name="a day")
    return context.step(lambda _: quoted.get("tea", 0), name="bill")
"""


@pytest.mark.prove
@pytest.mark.parametrize("folder", every(2, ["functions/order", "."]))
def test_a_file_in_a_plain_folder_finds_its_neighbors_in_other_processes(
    folder: str, tmp_path: Path
) -> None:
    place = tmp_path / folder
    place.mkdir(parents=True, exist_ok=True)
    (place / "rules.py").write_text("PRICE = 12\n")
    (place / "app.py").write_text(APP)
    options = ("--only", "cold", "--format", "json")
    done = fresh_dacapo("verify", f"{folder}/app.py:handler", *options, cwd=tmp_path)
    printed = json.loads(done.stdout)
    assert (done.returncode, printed["experiments"]["cold"]["state"]) == (1, "made")
    first = printed["findings"][0]
    lines = APP.splitlines()
    assert Path(first["file"]).name == "app.py"
    assert 'quoted["tea"]' in lines[first["line"] - 1] or "quoted.get" in lines[first["line"] - 1]


lambda_client = boto3.client("lambda")


@durable_execution
def asks_another_function(_: Any, context: DurableContext) -> int:
    def ask(_: Any) -> int:
        return int(lambda_client.invoke(FunctionName="other")["StatusCode"])

    return context.step(ask, name="ask")


@pytest.mark.prove
def test_a_call_of_lambda_is_made_once_from_another_process() -> None:
    def once_each(recording: Recording, _: Any) -> None:
        assert 1 <= len(recording.calls) <= len(recording.invocations)

    functions = {"other": lambda _event, _context: 1}
    report = in_cold(
        Scenario(handler=asks_another_function, functions=functions, invariant=once_each)
    )
    assert report.proved == []


# -- fakes, and what the world does ----------------------------------------------------------------


class Carrier:
    """Counts what it ships."""

    def __init__(self) -> None:
        self.shipped: list[str] = []

    def ship(self, order: str) -> int:
        self.shipped.append(order)
        return len(self.shipped)


carrier: Any = None
held = Carrier()


@durable_execution
def ships_twice(_: Any, context: DurableContext) -> list[int]:
    first = context.step(lambda _: carrier.ship("tea"), name="ship tea")
    context.wait(A_DAY, name="a day")
    return [first, context.step(lambda _: carrier.ship("milk"), name="ship milk")]


@durable_execution
def ships_with_what_is_held(_: Any, context: DurableContext) -> list[int]:
    first = context.step(lambda _: held.ship("tea"), name="ship tea")
    context.wait(A_DAY, name="a day")
    return [first, context.step(lambda _: held.ship("milk"), name="ship milk")]


@contextmanager
def patched() -> Iterator[Carrier]:
    with mock.patch(f"{__name__}.carrier", Carrier()) as fake:
        yield fake


@contextmanager
def held_by_a_module() -> Iterator[Carrier]:
    held.shipped.clear()
    yield held


def both_are_shipped(_: Recording, world: Carrier) -> None:
    assert {*world.shipped} == {"tea", "milk"}


@pytest.mark.prove
@pytest.mark.parametrize(
    ("handler", "world"),
    [(ships_twice, patched), (ships_with_what_is_held, held_by_a_module)],
)
def test_fakes_in_the_process_of_the_world_are_reached(handler: Any, world: Any) -> None:
    """The invariant looks at the fake itself, after each run in other processes."""
    scenario = Scenario(handler=handler, world=world, invariant=both_are_shipped)
    report = in_cold(scenario)
    assert [f.message for f in report.findings if f.code is Code.INVARIANT_BROKEN] == []


table = boto3.client("dynamodb")
functions = boto3.client("lambda")


@contextmanager
def stock() -> Iterator[None]:
    with mock_aws():
        table.create_table(
            TableName="stock",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield


@durable_execution
def keeps_it_in_a_table(_: Any, context: DurableContext) -> str:
    def put(_: Any) -> bool:
        table.put_item(TableName="stock", Item={"id": {"S": "tea"}, "left": {"N": "12"}})
        return True

    def get(_: Any) -> str:
        return str(table.get_item(TableName="stock", Key={"id": {"S": "tea"}})["Item"]["left"]["N"])

    context.step(put, name="put")
    context.wait(A_DAY, name="a day")
    return context.step(get, name="get")


@durable_execution
def invokes_from_a_step(_: Any, context: DurableContext) -> Any:
    def invoke(_: Any) -> Any:
        return json.loads(functions.invoke(FunctionName="prices", Payload=b"7")["Payload"].read())

    price = context.step(invoke, name="ask for the price")
    context.wait(A_DAY, name="a day")
    return context.step(lambda _: price + 1, name="add the fee")


@durable_execution
def asks_sleeps_and_branches(_: Any, context: DurableContext) -> list[Any]:
    answer = context.wait_for_callback(lambda callback_id, _: None, name="approval")

    def slow(number: int) -> Any:
        def branch(child: DurableContext) -> int:
            child.step(lambda _: time.sleep(60 * number), name="sleep for minutes")
            child.wait(A_DAY, name="a day")
            return child.step(lambda _: number, name="number")

        return branch

    both = context.parallel([slow(1), slow(2)], name="both").get_results()
    return [answer, both]


CORRECT = {
    "keeps_it_in_a_table": (Scenario(handler=keeps_it_in_a_table, world=stock), "12"),
    "invokes_from_a_step": (
        Scenario(handler=invokes_from_a_step, functions={"prices": lambda event, _: event * 6}),
        43,
    ),
    "asks_sleeps_and_branches": (
        Scenario(handler=asks_sleeps_and_branches, answers={"approval": succeed("yes")}),
        ['"yes"', [1, 2]],
    ),
}


@pytest.mark.prove
@pytest.mark.parametrize("name", every(3, CORRECT))
def test_aws_the_lambda_api_callbacks_sleeps_and_branches_are_as_in_the_process_of_the_world(
    name: str,
) -> None:
    scenario, result = CORRECT[name]

    def gives_the_result(recording: Recording, _: Any) -> None:
        assert recording.result == result

    with_invariant = Scenario(
        handler=scenario.handler,
        world=scenario.world,
        answers=scenario.answers,
        functions=scenario.functions,
        invariant=gives_the_result,
    )
    assert in_cold(with_invariant).proved == []


@durable_execution
def asks_a_partner(_: Any, context: DurableContext) -> str:
    def ask(_: Any) -> str:
        connection = http.client.HTTPConnection("partner.example")
        connection.connect()
        return "asked"

    context.wait(A_DAY, name="a day")
    return context.step(ask, name="ask")


@contextmanager
def a_fake_that_only_this_process_has() -> Iterator[None]:
    with mock.patch.object(http.client.HTTPConnection, "connect"):
        yield


@pytest.mark.prove
def test_a_fake_that_is_not_reached_leaves_the_experiment_out_and_is_not_a_finding() -> None:
    scenario = Scenario(handler=asks_a_partner, world=a_fake_that_only_this_process_has)
    report = verify(scenario, only=[ExperimentName.COLD])
    cold = report.experiments[ExperimentName.COLD]
    assert report.ending.status == "SUCCEEDED"
    assert cold.state is ExperimentState.LEFT_OUT
    assert "partner.example" in cold.reason
    assert (report.findings, report.verdict) == ([], "not verified")


@durable_execution
def exits(_: Any, context: DurableContext) -> None:
    context.wait(A_DAY, name="a day")
    os._exit(3)


@pytest.mark.prove
def test_an_execution_whose_sandboxes_end_is_not_compared_in_other_processes() -> None:
    report = verify(Scenario(handler=exits), only=[ExperimentName.COLD])
    cold = report.experiments[ExperimentName.COLD]
    assert cold.state is ExperimentState.NOT_APPLICABLE
    assert cold.reason == "the reference run has invocations that timed out or exited"
    assert {finding.code for finding in report.findings} == {Code.DIED}


# -- what differs from process to process, and harms nobody ----------------------------------------

_invocations = count()


def process_id(_: Any) -> int:
    return os.getpid()


def folder(_: Any) -> str:
    return tempfile.mkdtemp(prefix="dacapo-tests-")


def is_cold(_: Any) -> bool:
    return next(_invocations) == 0


@pytest.mark.prove
@pytest.mark.parametrize(
    "step", every(3, [process_id, folder, is_cold]), ids=lambda step: step.__name__
)
def test_what_only_a_step_gives_in_another_process_is_not_proved(step: Any) -> None:
    @durable_execution
    def handler(_: Any, context: DurableContext) -> str:
        context.step(step, name="first")
        context.wait(A_DAY, name="a day")
        context.step(step, name="second")
        return "done"

    assert in_cold(Scenario(handler=handler)).proved == []


@pytest.mark.prove
def test_a_file_in_tmp_is_gone_with_its_sandbox_even_if_the_world_does_not_remove_it() -> None:
    scenario = Scenario(handler=process_state.literal_path)
    report = verify(scenario, only=[ExperimentName.COLD])
    assert [finding.code for finding in report.findings] == [Code.PROCESS_STATE]
    assert not Path(process_state.LITERAL).exists()
