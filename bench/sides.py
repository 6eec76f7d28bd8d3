"""The sides of each comparison: each runs a handler once and checks that it completed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from aws_durable_execution_sdk_python.execution import (
    DurableExecutionInvocationInputWithClient,
    InitialExecutionState,
)
from aws_durable_execution_sdk_python.lambda_service import (
    CheckpointOutput,
    CheckpointUpdatedExecutionState,
    ExecutionDetails,
    Operation,
    OperationStatus,
    OperationType,
    OperationUpdate,
    StateOutput,
)
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner

import dacapo
from dacapo import START, Recording, Scenario, Simulation
from dacapo.sdk.deterministic import in_simulation
from dacapo.service import quotas
from dacapo.service.functions import Handler, LambdaContext

Side = Callable[[Handler, int], object]

ONE_YEAR_SECONDS = 366 * 24 * 3600
PATIENCE_SECONDS = 900


def simulated(handler: Handler, number: int, *, replay: bool = True) -> Recording:
    """Run a handler on the simulated service."""
    recording = dacapo.run(Scenario(handler=handler, event=number), replay=replay)
    _require(recording.result == number, recording.error)
    return recording


def official(handler: Handler, number: int) -> None:
    """Run a handler on AWS's own local runner, which skips waits."""
    with DurableFunctionTestRunner(handler, skip_time=True) as runner:
        result = runner.run(
            json.dumps(number), timeout=PATIENCE_SECONDS, execution_timeout=ONE_YEAR_SECONDS
        )
    _require(result.result == str(number), result.error)


class BareReplays:
    """The invocations of a recorded execution, repeated with nothing but the SDK.

    The input state of each invocation is prepared in advance, and the service answers from memory.
    The SDK runs without idle waits, as it does in the lab, so the difference is the lab's overhead.

    Parameters:
        handler: runs operations one after the other, each of which suspends it.
        recording: a run of this handler.
    """

    def __init__(self, handler: Handler, recording: Recording) -> None:
        self.handler = handler
        self.context: Any = LambdaContext("request", recording.function)
        self.arn = recording.arn
        self.start = Operation(
            recording.arn.rpartition("/")[2],
            OperationType.EXECUTION,
            OperationStatus.STARTED,
            execution_details=ExecutionDetails(recording.payload),
        )
        self.operations = [operation.stored for operation in recording.operations]

    def __call__(self) -> None:
        """Run all invocations."""
        with in_simulation(Simulation(0, START).scheduler):
            for done in range(len(self.operations) + 1):
                output = self.handler(self._input(done), self.context)
                is_last = done == len(self.operations)
                _require(output["Status"] == ("SUCCEEDED" if is_last else "PENDING"), output)

    def _input(self, done: int) -> DurableExecutionInvocationInputWithClient:
        state = [self.start, *self.operations[:done]]
        pages = Pages(state)
        return DurableExecutionInvocationInputWithClient(
            self.arn,
            "token",
            InitialExecutionState(state[: quotas.PAGE_ITEMS], pages.after(0)),
            service_client=pages,
        )


class Pages:
    """A service for the SDK: starts what it checkpoints, and serves the pages of the state."""

    def __init__(self, state: list[Operation]) -> None:
        self.state = state

    def after(self, start: int) -> str:
        """Return the marker of the next page; "" if there is none."""
        end = start + quotas.PAGE_ITEMS
        return str(end) if end < len(self.state) else ""

    def checkpoint(
        self,
        durable_execution_arn: str,  # noqa: ARG002
        checkpoint_token: str,
        updates: list[OperationUpdate],
        client_token: str | None,  # noqa: ARG002
    ) -> CheckpointOutput:
        """Return every updated operation as started."""
        started = [
            Operation(
                update.operation_id,
                update.operation_type,
                OperationStatus.STARTED,
                name=update.name,
                sub_type=update.sub_type,
            )
            for update in updates
        ]
        return CheckpointOutput(checkpoint_token, CheckpointUpdatedExecutionState(started))

    def get_execution_state(
        self,
        durable_execution_arn: str,  # noqa: ARG002
        checkpoint_token: str,  # noqa: ARG002
        next_marker: str,
        max_items: int = quotas.PAGE_ITEMS,
    ) -> StateOutput:
        """Return the page of the state that begins at a marker."""
        start = int(next_marker)
        return StateOutput(self.state[start : start + max_items], self.after(start))


def quietly() -> None:
    """Disable logging on all sides, to keep it out of the measurements."""
    logging.disable(logging.CRITICAL)


def _require(is_so: bool, problem: object) -> None:
    if not is_so:
        raise RuntimeError(f"a run did not complete the work to measure: {problem}")
