"""`dacapo explain`: every finding has a rule, a handler that breaks it, and one that keeps it."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from moto import mock_aws

import dacapo as lab
from dacapo import Code, Recording, Scenario, succeed
from dacapo.service import quotas
from dacapo.verify import rules as rules_module
from dacapo.verify.findings import Certainty, ExperimentName
from dacapo.verify.rules import rules
from tests.command_line import assert_usage_error, dacapo
from tests.depth import every

PRELUDE = """\
import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import boto3
from aws_durable_execution_sdk_python import CallbackTimeoutError, StepError, durable_execution
from aws_durable_execution_sdk_python.config import (
    CompletionConfig,
    Duration,
    MapConfig,
    ParallelConfig,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.retries import (
    RetryPresets,
    RetryStrategyConfig,
    create_retry_strategy,
)

import dacapo
from tests.verify.test_explain import add_booking, put_booking


def side_effect(result=None):
    def function(*arguments, **options):
        dacapo.effect("example:Call", [arguments, options])
        return result

    return function


send_email = reserve = hold_seat = release_seat = import_record = transfer = ship = side_effect()
book_seat, charge, save_page, store = (
    side_effect(result) for result in ("12A", 12, "page.pdf", "orders.csv")
)
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/orders"
FIFO_QUEUE = f"{QUEUE}.fifo"
FOLDER = f"{os.path.dirname(os.__file__)}/json"  # of the standard library
sqs = boto3.client("sqs")
table = boto3.resource("dynamodb").Table("stock")
FIRST_ONE = ParallelConfig(completion_config=CompletionConfig(min_successful=1))
TWO_AT_A_TIME = MapConfig(max_concurrency=2)
hours_until_delivery, hours_for_approval = lambda: 6, lambda: 48
export_orders, render_page = lambda: "order, " * 50_000, lambda number: f"page {number} " * 1_000
has_arrived = lambda: False
total_of = lambda items: 12 * len(items)
ask_manager = lambda callback_id, _: send_email(callback_id)


def ship_express(_):
    ship("express")


def ship_standard(_):
    ship("standard")


"""
"""What the examples leave out: their imports, and the functions that do the work."""
EVENT = {
    "order": "A-17",
    "euros": 12,
    "items": ["tea", "milk", "bread", "honey", "jam", "salt", "rice"],
    "records": 45,
    "pages": 15,
}
FEWEST, MOST = 3, 12
"""Lines of an example."""
COLUMNS = 80


@dataclass(frozen=True)
class Harness:
    """Settings for verifying the examples of a code.

    Parameters:
        only: the experiment that reveals the broken handler.
        code: the code that explains it, if that is another one.
        scenario: arguments of the scenario.
        quota: a quota and a value for it that the broken handler comes near.
        patience: seconds after which a handler that does nothing is stopped.
    """

    only: ExperimentName = ExperimentName.REFERENCE_RUN
    certainty: Certainty = Certainty.PROVED
    code: Code | None = None
    scenario: Mapping[str, Any] = field(default_factory=dict)
    quota: tuple[str, int] | None = None
    patience: float = 60.0


BOOKINGS: list[str] = []
"""The world of an example that books."""


def add_booking(order: str) -> None:
    BOOKINGS.append(order)


def put_booking(order: str) -> None:
    BOOKINGS[:] = [*{*BOOKINGS, order}]


@contextmanager
def no_bookings() -> Iterator[list[str]]:
    BOOKINGS.clear()
    yield BOOKINGS


def one_for_each_order(_: Recording, bookings: list[str]) -> bool:
    return len(bookings) == len({*bookings})


BOOKING: Mapping[str, Any] = {"world": no_bookings, "invariant": one_for_each_order}


@durable_execution
def ship_order(order: Any, context: DurableContext) -> Any:
    """Ship an order, which takes an hour."""
    context.wait(Duration.from_hours(1), name="wait for the courier")
    return order


APPROVED: Mapping[str, Any] = {"answers": {"approval": succeed("yes")}}
SHIPPING: Mapping[str, Any] = {"functions": {"ship-order": lambda order, _: order}}
SHIPPING_SLOWLY: Mapping[str, Any] = {"functions": {"ship-order": ship_order}}
TWO_DAYS: Mapping[str, Any] = {**APPROVED, "execution_timeout": timedelta(days=2)}


@contextmanager
def shop() -> Iterator[None]:
    """Context manager with two queues, and a table in which one package of tea is left."""
    with mock_aws():
        sqs, dynamodb = boto3.client("sqs"), boto3.client("dynamodb")
        sqs.create_queue(QueueName="orders")
        sqs.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})
        dynamodb.create_table(
            TableName="stock",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.put_item(TableName="stock", Item={"id": {"S": "tea"}, "left": {"N": "1"}})
        yield


SHOP: Mapping[str, Any] = {"world": shop}
HARNESSES = {
    Code.DIFFERENT_OPERATION: Harness(ExperimentName.SINGLE_INVOCATION),
    Code.DIFFERENT_BODY: Harness(ExperimentName.REPLAYED, code=Code.RANDOMNESS_OUTSIDE_STEP),
    Code.DIFFERENT_WAIT: Harness(ExperimentName.REPLAYED),
    Code.DIFFERENT_CALLBACK: Harness(ExperimentName.REPLAYED, scenario=APPROVED),
    Code.DIFFERENT_INVOKE: Harness(ExperimentName.REPLAYED, scenario=SHIPPING),
    Code.DIFFERENT_RESULT: Harness(ExperimentName.SINGLE_INVOCATION),
    Code.DIFFERENT_EFFECTS: Harness(ExperimentName.SINGLE_INVOCATION),
    Code.ENDED_EARLY: Harness(ExperimentName.REPLAYED),
    Code.NEVER_REACHED: Harness(ExperimentName.REPLAYED),
    Code.INVARIANT_BROKEN: Harness(ExperimentName.CRASHED, scenario=BOOKING),
    Code.DIVERGENCE_SWALLOWED: Harness(),
    Code.SUSPENSION_SWALLOWED: Harness(ExperimentName.REPLAYED),
    Code.EFFECT_OUTSIDE_STEP: Harness(ExperimentName.SINGLE_INVOCATION),
    Code.EFFECT_REPEATED: Harness(ExperimentName.CRASHED),
    Code.CLOCK_OUTSIDE_STEP: Harness(ExperimentName.REPLAYED),
    Code.RANDOMNESS_OUTSIDE_STEP: Harness(ExperimentName.REPLAYED),
    Code.ENVIRONMENT_OUTSIDE_STEP: Harness(ExperimentName.REPLAYED, Certainty.SUSPECTED),
    Code.SLEEP_OUTSIDE_STEP: Harness(certainty=Certainty.LINT),
    Code.OPERATION_IN_STEP: Harness(),
    Code.PARENT_CONTEXT: Harness(),
    Code.DIFFERENT_THREAD: Harness(certainty=Certainty.SUSPECTED),
    Code.NEVER_CAUGHT: Harness(),
    Code.CHANGED_BY_SERDES: Harness(certainty=Certainty.LINT),
    Code.RAN_TWICE: Harness(ExperimentName.CRASHED),
    Code.DIED: Harness(ExperimentName.REPLAYED),
    Code.STUCK: Harness(ExperimentName.REPLAYED, patience=2.0),
    Code.INVOCATION_TIMED_OUT: Harness(certainty=Certainty.SUSPECTED),
    Code.PAYLOAD_TOO_LARGE: Harness(),
    Code.MANY_OPERATIONS: Harness(certainty=Certainty.SUSPECTED, quota=("OPERATIONS", 50)),
    Code.MANY_BYTES: Harness(certainty=Certainty.SUSPECTED, quota=("BYTES_WRITTEN", 130_000)),
    Code.TIMEOUT_TOO_LONG: Harness(scenario=TWO_DAYS),
    Code.UNNAMED_OPERATION: Harness(certainty=Certainty.LINT),
    Code.UNBOUNDED_WAIT: Harness(certainty=Certainty.LINT, scenario=APPROVED),
    Code.INVOKES_LEFT_RUNNING: Harness(scenario=SHIPPING_SLOWLY),
    Code.PROCESS_STATE: Harness(ExperimentName.COLD),
    Code.EFFECT_MAY_REPEAT: Harness(certainty=Certainty.LINT, scenario=SHOP),
    Code.CONTEXT_OUTSIDE_STEP: Harness(ExperimentName.REPLAYED),
    Code.ORDER_OUTSIDE_STEP: Harness(ExperimentName.REPLAYED),
    Code.QUERY_OUTSIDE_STEP: Harness(ExperimentName.REPLAYED, scenario=SHOP),
    Code.OUTAGE_NOT_SURVIVED: Harness(ExperimentName.OUTAGES, scenario=SHOP),
}
SOME_CODES = pytest.mark.parametrize("code", every(36, Code), ids=str)
EVERY_CODE = pytest.mark.parametrize("code", Code, ids=str)
EVERY_EXAMPLE = pytest.mark.parametrize(
    ("code", "side"), [(code, side) for code in Code for side in ("broken", "fixed")]
)

ScenarioOf = Callable[[Code, str], Scenario]


@pytest.fixture
def scenario_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScenarioOf:
    """Write an example to a module, and make a scenario of its handler."""
    monkeypatch.syspath_prepend(tmp_path)

    def scenario_of(code: Code, side: str) -> Scenario:
        harness = HARNESSES[code]
        name = f"example_{code.replace('-', '_')}_{side}"
        (tmp_path / f"{name}.py").write_text(PRELUDE + getattr(rules()[code], side))
        if harness.quota:
            monkeypatch.setattr(quotas, *harness.quota)
        return Scenario(handler=import_module(name).handler, event=EVENT, **harness.scenario)

    return scenario_of


def test_every_code_has_a_rule_and_nothing_else_has() -> None:
    assert list(rules()) == list(Code)
    texts = tomllib.loads(Path(rules_module.__file__).with_name("rules.toml").read_text())
    assert list(texts) == [code.value for code in Code]


@EVERY_CODE
def test_a_rule_and_its_fix_are_short_sentences(code: Code) -> None:
    for text in (rules()[code].rule, rules()[code].fix):
        assert text.endswith(".")
        assert text[0].isupper()
        assert len(text) <= 100


@EVERY_EXAMPLE
def test_an_example_is_one_short_durable_handler_that_fits_a_terminal(
    code: Code, side: str
) -> None:
    example: str = getattr(rules()[code], side)
    (function,) = ast.parse(example).body
    assert isinstance(function, ast.FunctionDef)
    assert function.name == "handler"
    assert [ast.unparse(decorator) for decorator in function.decorator_list] == [
        "durable_execution"
    ]
    lines = example.rstrip().splitlines()
    assert FEWEST <= len(lines) <= MOST
    assert max(map(len, lines)) <= COLUMNS


@SOME_CODES
def test_the_broken_example_has_the_finding_that_it_explains(
    code: Code, scenario_of: ScenarioOf
) -> None:
    harness = HARNESSES[code]
    scenario = scenario_of(code, "broken")
    findings = lab.verify(scenario, only=[harness.only], patience=harness.patience).findings
    assert {(f.code, f.certainty) for f in findings} == {(harness.code or code, harness.certainty)}
    assert code in {f.code for f in (*findings, *(also for f in findings for also in f.also))}


@SOME_CODES
def test_the_fixed_example_succeeds_and_has_no_finding_in_any_experiment(
    code: Code, scenario_of: ScenarioOf
) -> None:
    scenario = scenario_of(code, "fixed")
    assert lab.run(scenario).status == "SUCCEEDED"
    slow = {ExperimentName.COLD, ExperimentName.OUTAGES} - {HARNESSES[code].only}
    only = [name for name in ExperimentName if name not in slow]
    assert lab.verify(scenario, only=only).findings == []


@pytest.mark.parametrize("columns", [80, 120])
def test_every_code_is_explained_by_rule_broken_example_fixed_example_and_fix(
    columns: int,
) -> None:
    done = dacapo("explain", "--all", columns=columns)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= columns
    assert _joined(done.stdout) == " ".join(explained(code) for code in Code)


def test_one_code_is_explained_alone() -> None:
    done = dacapo("explain", "stuck")
    assert (done.returncode, done.stderr) == (0, "")
    assert _joined(done.stdout) == explained(Code.STUCK)


def test_without_a_code_every_rule_is_listed() -> None:
    done = dacapo("explain", columns=200)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [_joined(line) for line in done.stdout.splitlines()]
    assert lines[: len(Code)] == [f"{code} {rule.rule}" for code, rule in rules().items()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["effects-outside-step"], "no finding 'effects-outside-step'; did you mean effect-outs"),
        (["xyz"], "there is no finding 'xyz'; dacapo explain lists all codes"),
        (["stuck", "--all"], "give a code or --all, not both"),
    ],
)
def test_a_mistake_in_the_call_is_one_line(arguments: list[str], message: str) -> None:
    done = dacapo("explain", *arguments)
    assert_usage_error(done, message)
    assert len(done.stderr.splitlines()) == 1


def explained(code: Code) -> str:
    rule = rules()[code]
    parts = (code, rule.rule, "Broken:", rule.broken, "Fixed:", rule.fixed, "Fix:", rule.fix)
    return " ".join(map(_joined, parts))


def _joined(text: str) -> str:
    return " ".join(text.split())
