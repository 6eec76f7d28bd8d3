"""Step Functions, as far as moto supports it: ASL state machines that really run, in real time.

A state machine's tasks call AWS in this process, where moto responds, and functions, which we run.
Where moto differs from AWS, we patch it, with the reason for each:

- Step Functions calls DMS `databasemigration`; moto passes that name to boto3, where the client is
  called `dms`.
- AWS returns dates as text; moto leaves them as they are, and then can't serialize them.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk as aws_sdk,
)

from dacapo import Handler, Simulation
from scenarios.worlds import beyond_moto

step_functions = boto3.client("stepfunctions")

ROLE = f"arn:aws:iam::{beyond_moto.ACCOUNT}:role/state-machine"
TIMEOUT_SECONDS = 120
"""Real time after which we give up on an execution."""
_POLL_SECONDS = 0.005
_SUBSTITUTED = re.compile(r"\$\{(\w+)\}")


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait, in real time, for moto's interpreter, which runs in a thread of its own.

    Raises:
        AssertionError: the condition is still false after two minutes.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"the condition is still false after {TIMEOUT_SECONDS} s")
        threading.Event().wait(_POLL_SECONDS)


@dataclass(frozen=True)
class Run:
    """An execution of a state machine."""

    arn: str

    @property
    def status(self) -> str:
        """Status of the execution: `RUNNING`, `SUCCEEDED`, `FAILED` or `TIMED_OUT`."""
        return str(self.described["status"])

    @property
    def described(self) -> dict[str, Any]:
        """Response of DescribeExecution."""
        return {**step_functions.describe_execution(executionArn=self.arn)}

    def wait(self) -> str:
        """Wait until the execution ends; return its status."""
        wait_until(lambda: self.status != "RUNNING")
        return self.status

    def stop(self) -> None:
        """Stop the execution from outside."""
        step_functions.stop_execution(executionArn=self.arn)

    def wait_until_submitted(self) -> None:
        """Wait until the task's function has returned and the execution waits for the token."""
        wait_until(lambda: any(event["type"] == "TaskSubmitted" for event in self._events()))

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """Events of the execution, once it has ended."""
        return self._events()

    def _events(self) -> list[dict[str, Any]]:
        pages = step_functions.get_paginator("get_execution_history").paginate(
            executionArn=self.arn
        )
        return [dict(event) for page in pages for event in page["events"]]

    @property
    def transitions(self) -> int:
        """Number of state transitions, the unit that is charged: one for each state entered."""
        return sum(event["type"].endswith("StateEntered") for event in self.history)

    @property
    def payload_bytes(self) -> int:
        """Bytes of input and output in the history; they are not charged."""
        details = [d for event in self.history for d in event.values() if isinstance(d, dict)]
        texts = [d[part] for d in details for part in ("input", "output") if part in d]
        return sum(len(text.encode()) for text in texts)


@dataclass(frozen=True)
class StateMachine:
    """A state machine created from an ASL definition."""

    arn: str

    def start(self, **members: Any) -> Run:
        """Start an execution with an input of these members."""
        text = json.dumps(members)
        response = step_functions.start_execution(stateMachineArn=self.arn, input=text)
        return Run(response["executionArn"])


def state_machine(definition: Path, **substitutions: str) -> StateMachine:
    """Create a state machine as SAM does, with substitutions for `${NAME}` in its definition."""
    text = _SUBSTITUTED.sub(lambda match: substitutions[match[1]], definition.read_text())
    response = step_functions.create_state_machine(
        name=definition.parent.name, definition=text, roleArn=ROLE
    )
    return StateMachine(response["stateMachineArn"])


@contextmanager
def step_functions_world(functions: Mapping[str, Handler]) -> Iterator[None]:
    """Context manager in which state machines run, and their tasks can invoke these functions."""
    lambda_service = Simulation(0, datetime.now(UTC))
    for name, handler in functions.items():
        lambda_service.add_function(name, handler)
    service = aws_sdk.StateTaskServiceAwsSdk
    with ExitStack() as stack:
        stack.enter_context(mock_aws(config={"stepfunctions": {"execute_state_machine": True}}))
        names = service._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES  # noqa: SLF001 - see above
        stack.enter_context(patch.dict(names, databasemigration="dms"))
        stack.enter_context(patch.object(service, "_normalise_response", _dates_as_text))
        stack.enter_context(lambda_service.answering())
        yield


def _dates_as_text(_: Any, response: Any, *_more: Any, **_named: Any) -> None:
    if isinstance(response, dict):
        response.update({name: _as_text(value) for name, value in response.items()})


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_text(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_text(part) for part in value]
    return value.isoformat() if isinstance(value, datetime) else value
