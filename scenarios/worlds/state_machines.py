"""Step Functions, as far as moto goes: state machines in ASL that really run, in real time.

A state machine's tasks call AWS in this process, where moto answers, and functions, which are ours.
What moto does otherwise than AWS is mended here, each with the reason:

- `databasemigration` is what Step Functions calls DMS; moto asks boto3 for a client of that name,
  where it is `dms`.
- AWS hands dates over as text; moto leaves them as they are, and can't write them down.
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

from dacapo import boto
from dacapo.service.functions import Handler
from dacapo.simulation import Simulation
from scenarios.worlds import beyond_moto

step_functions = boto3.client("stepfunctions")

ROLE = f"arn:aws:iam::{beyond_moto.ACCOUNT}:role/state-machine"
PATIENCE_SECONDS = 120
"""Real time after which an execution is given up."""
_LOOK_EVERY_SECONDS = 0.005
_SUBSTITUTED = re.compile(r"\$\{(\w+)\}")


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait, in real time, for what an interpreter does in a thread of its own."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen within {PATIENCE_SECONDS} s")
        threading.Event().wait(_LOOK_EVERY_SECONDS)


@dataclass(frozen=True)
class Run:
    """An execution of a state machine."""

    arn: str

    @property
    def status(self) -> str:
        """How it stands: `RUNNING`, `SUCCEEDED`, `FAILED` or `TIMED_OUT`."""
        return str(self.described["status"])

    @property
    def described(self) -> dict[str, Any]:
        """What DescribeExecution says."""
        return {**step_functions.describe_execution(executionArn=self.arn)}

    def wait(self) -> str:
        """Wait until it has ended; how it did."""
        wait_until(lambda: self.status != "RUNNING")
        return self.status

    def stop(self) -> None:
        """Stop it from outside."""
        step_functions.stop_execution(executionArn=self.arn)

    def wait_until_submitted(self) -> None:
        """Wait until its task has done what it is called for, and the token is waited for."""
        wait_until(lambda: any(event["type"] == "TaskSubmitted" for event in self._events()))

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """Its events, when it has ended."""
        return self._events()

    def _events(self) -> list[dict[str, Any]]:
        pages = step_functions.get_paginator("get_execution_history").paginate(
            executionArn=self.arn
        )
        return [dict(event) for page in pages for event in page["events"]]

    @property
    def transitions(self) -> int:
        """What is charged: every state that was entered."""
        return sum(event["type"].endswith("StateEntered") for event in self.history)

    @property
    def payload_bytes(self) -> int:
        """Bytes of input and output that its history keeps; they are not charged."""
        details = [d for event in self.history for d in event.values() if isinstance(d, dict)]
        texts = [d[part] for d in details for part in ("input", "output") if part in d]
        return sum(len(text.encode()) for text in texts)


@dataclass(frozen=True)
class StateMachine:
    """A state machine that was made from a definition in ASL."""

    arn: str

    def start(self, **given: Any) -> Run:
        """Start an execution with this input."""
        answer = step_functions.start_execution(stateMachineArn=self.arn, input=json.dumps(given))
        return Run(answer["executionArn"])


def state_machine(definition: Path, **substitutions: str) -> StateMachine:
    """Make a state machine, as SAM does: `${NAME}` in its definition is substituted."""
    text = _SUBSTITUTED.sub(lambda match: substitutions[match[1]], definition.read_text())
    answer = step_functions.create_state_machine(
        name=definition.parent.name, definition=text, roleArn=ROLE
    )
    return StateMachine(answer["stateMachineArn"])


@contextmanager
def step_functions_world(functions: Mapping[str, Handler]) -> Iterator[None]:
    """While this lasts, state machines run, and their tasks find these functions."""
    lambda_service = Simulation(0, datetime.now(UTC))
    for name, handler in functions.items():
        lambda_service.add_function(name, handler)
    service = aws_sdk.StateTaskServiceAwsSdk
    with ExitStack() as stack:
        stack.enter_context(mock_aws(config={"stepfunctions": {"execute_state_machine": True}}))
        names = service._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES  # noqa: SLF001 - see above
        stack.enter_context(patch.dict(names, databasemigration="dms"))
        stack.enter_context(patch.object(service, "_normalise_response", _dates_as_text))
        stack.enter_context(boto.answered_by(lambda_service.api))
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
