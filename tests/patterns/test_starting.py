"""Starting an execution is idempotent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dacapo import START, Simulation
from patterns import starting
from patterns.approval import start as approval_start
from patterns.event_callback import start as event_start
from patterns.polling import start as polling_start
from patterns.starting import StartedWithDifferentInput, execution_name, start_once
from patterns.webhook_callback import start as webhook_start
from scenarios.worlds.approval import ORDER
from scenarios.worlds.migration import TASK_ARN
from tests.interference import crash_at
from tests.lab import handlers

FUNCTION = "waits:live"


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    simulation = Simulation(0, START)
    simulation.add_function("waits", handlers.waits)
    with simulation.running():
        yield simulation


@given(st.text(min_size=1))
def test_every_business_key_has_a_valid_name(key: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", execution_name(key))


@given(st.text(), st.text())
def test_different_business_keys_have_different_names(first: str, second: str) -> None:
    assert (execution_name(first) == execution_name(second)) == (first == second)


def test_a_name_is_readable() -> None:
    assert "task-orders-2026-11-cut-over" in execution_name(f"{TASK_ARN} 2026-11 cut-over")


def test_starting_twice_creates_one_execution(simulation: Simulation) -> None:
    assert start_once(FUNCTION, "key", {"a": 1, "b": 2}) == start_once(
        FUNCTION, "key", {"b": 2, "a": 1}
    )
    assert len(simulation.service.executions) == 1


def test_another_key_starts_another_execution(simulation: Simulation) -> None:
    assert start_once(FUNCTION, "one", {}) != start_once(FUNCTION, "two", {})


def test_the_same_key_with_a_different_payload_is_an_error(simulation: Simulation) -> None:
    start_once(FUNCTION, "key", {"a": 1})
    with pytest.raises(StartedWithDifferentInput, match="already started with a different payload"):
        start_once(FUNCTION, "key", {"a": 2})
    assert len(simulation.service.executions) == 1


def test_an_equal_payload_with_different_formatting_is_the_same(simulation: Simulation) -> None:
    arn = boto3.client("lambda").invoke(
        FunctionName=FUNCTION,
        InvocationType="Event",
        DurableExecutionName=execution_name("key"),
        Payload=b'{ "a" : 1 }',
    )["DurableExecutionArn"]
    assert start_once(FUNCTION, "key", {"a": 1}) == arn


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_while_starting_can_be_retried(simulation: Simulation, when: str) -> None:
    with crash_at([starting.lambda_client], (0, when)) as died, pytest.raises(SystemExit):
        start_once(FUNCTION, "key", {})
    assert died
    start_once(FUNCTION, "key", {})
    assert len(simulation.service.executions) == 1


@pytest.mark.parametrize(
    "function", ["waits", "arn:aws:lambda:us-east-1:123456789012:function:waits", ""]
)
def test_a_function_without_a_version_or_alias_is_rejected(function: str) -> None:
    with pytest.raises(ValueError, match="needs a version or an alias"):
        start_once(function, "key", {})


@pytest.mark.parametrize(
    "function", ["waits:1", "arn:aws:lambda:us-east-1:123456789012:function:waits:live"]
)
def test_a_function_is_identified_by_name_or_arn(simulation: Simulation, function: str) -> None:
    assert start_once(function, "key", {}).startswith("arn:aws:lambda:")


# -- the functions that start a pattern -----------------------------------------------------------

Request = Callable[..., dict[str, Any]]
STARTERS: dict[str, tuple[ModuleType, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "polling": (
        polling_start,
        {"task_arn": TASK_ARN, "run": "2026-11"},
        {"run": "2026-12"},
        {"task_arn": TASK_ARN},
    ),
    "event_callback": (
        event_start,
        {"task_arn": TASK_ARN, "run": "2026-11"},
        {"run": "2026-12"},
        {"task_arn": TASK_ARN},
    ),
    "webhook_callback": (
        webhook_start,
        {"recording": "s3://recordings/call-17.mp3", "job": "first"},
        {"job": "again"},
        {"recording": "s3://recordings/call-17.mp3"},
    ),
    "approval": (approval_start, ORDER, {"order_id": "A-18"}, ORDER),
}
"""Each pattern's start function, a request, the change that makes it another, and the input."""


@pytest.fixture
def send(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> Request:
    def send(pattern: str, event: dict[str, Any]) -> dict[str, Any]:
        start, *_ = STARTERS[pattern]
        monkeypatch.setenv(start.FUNCTION_VARIABLE, FUNCTION)
        simulation.add_function("starter", start.handler)
        response = boto3.client("lambda").invoke(
            FunctionName="starter", Payload=json.dumps(event).encode()
        )
        result: dict[str, Any] = json.loads(response["Payload"].read())
        return result | {"failed": "FunctionError" in response}

    return send


@pytest.mark.parametrize("pattern", STARTERS)
def test_the_same_request_twice_starts_one_execution(
    simulation: Simulation, send: Request, pattern: str
) -> None:
    _, request, _, payload = STARTERS[pattern]
    first = send(pattern, request)
    assert not first["failed"]
    assert send(pattern, request) == first
    (execution,) = simulation.service.executions.values()
    assert (execution.name, execution.arn) == (first["execution_name"], first["execution_arn"])
    assert json.loads(execution.payload) == payload


@pytest.mark.parametrize("pattern", STARTERS)
def test_a_request_under_another_key_starts_another_execution(
    simulation: Simulation, send: Request, pattern: str
) -> None:
    _, request, change, _ = STARTERS[pattern]
    send(pattern, request)
    send(pattern, request | change)
    assert len(simulation.service.executions) == 2


def test_another_order_under_the_same_id_is_an_error(simulation: Simulation, send: Request) -> None:
    send("approval", ORDER)
    assert send("approval", ORDER | {"items": ["chair"]})["failed"]
    assert len(simulation.service.executions) == 1


@pytest.mark.parametrize("pattern", STARTERS)
def test_a_request_without_a_valid_value_in_each_field_starts_nothing(
    simulation: Simulation, send: Request, pattern: str
) -> None:
    _, request, *_ = STARTERS[pattern]
    for field in request:
        assert send(pattern, {name: value for name, value in request.items() if name != field})[
            "failed"
        ]
        assert send(pattern, request | {field: ""})["failed"]
    assert not simulation.service.executions
