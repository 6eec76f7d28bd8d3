"""A simulation with some functions, reached through stock boto3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from dacapo.scenario import START
from dacapo.service.execution import Execution
from dacapo.simulation.simulation import Simulation
from tests.lab import handlers

client: Any = boto3.client("lambda")
"""Typed as Any, because boto3-stubs lacks the newest operations."""


@contextmanager
def running(**options: Any) -> Iterator[Simulation]:
    """Context manager with a running simulation.

    Parameters:
        options: further parameters of `Simulation`.
    """
    simulation = Simulation(seed=0, start=START, **options)
    simulation.add_function("approval", handlers.waited_for_callback)
    simulation.add_function("steps", handlers.steps)
    simulation.add_function("waits", handlers.waits)
    simulation.add_function("failing", handlers.failing)
    simulation.add_function("plain", lambda event, context: {"received": event})
    with simulation.running():
        yield simulation


def start_execution(
    simulation: Simulation, function: str = "approval", payload: Any = None, name: str | None = None
) -> Execution:
    """Start an execution and invoke its handler once."""
    target, _ = simulation.functions.find(function)
    execution = simulation.service.start(target, json.dumps(payload), name)
    simulation.clock.run_next()
    assert execution.invocations
    return execution


def callback_id(execution: Execution) -> str:
    (identifier,) = [
        operation.callback_details.callback_id
        for operation in execution.operations.values()
        if operation.callback_details
    ]
    return identifier


def error_of(call: Callable[[], Any]) -> tuple[str, int]:
    """Return the code and the HTTP status of the error that a call raises."""
    return _refused(call)[:2]


def message_of(call: Callable[[], Any]) -> str:
    """Return the message of the error that a call raises."""
    return _refused(call)[2]


def _refused(call: Callable[[], Any]) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call()
    response: Any = caught.value.response
    error = response["Error"]
    return error["Code"], response["ResponseMetadata"]["HTTPStatusCode"], error["Message"]
