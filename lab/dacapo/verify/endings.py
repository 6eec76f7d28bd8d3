"""How a run ended: as its scenario expects or not, and with its invariant intact or not."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from aws_durable_execution_sdk_python.lambda_service import OperationStatus, OperationType

from dacapo.errors import HandlerStuck
from dacapo.history import endings
from dacapo.history.endings import LAMBDA_ERRORS
from dacapo.history.recording import Recording
from dacapo.scenario import Scenario
from dacapo.verify.findings import (
    Code,
    Ending,
    Evidence,
    ExperimentName,
    Observation,
)


def ending_of(scenario: Scenario, recording: Recording) -> Ending:
    """Return how a run of a scenario ended."""
    error = recording.error
    error_type = (error and error.type) or ""
    message = (error and error.message) or ""
    if error_type in LAMBDA_ERRORS:
        message = message.partition(" Error: ")[2]  # before it is the request ID
    if error and inspect.iscoroutinefunction(inspect.unwrap(scenario.handler)):
        message += ": the handler is async, which the SDK does not support: write def"
    if recording.ended is None:
        message = _why_it_never_ends(recording)
    return Ending(
        recording.status,
        error_type,
        message,
        recording.failed_at,
        endings.is_expected(scenario.expects, recording.status, error_type),
        recording.cause,
    )


def never_ended(message: str) -> Ending:
    """Return the ending of a run in which the handler had to be stopped, for this reason."""
    return Ending("RUNNING", HandlerStuck.__name__, message, is_expected=False)


def invariant_observations(
    recording: Recording, experiment: ExperimentName
) -> Iterator[Observation]:
    """Yield that a run breaks its scenario's invariant, if it does."""
    broken = recording.broken_invariant
    if broken is not None:
        message = f"{experiment}: {broken.message}"
        yield Observation(Code.INVARIANT_BROKEN, Evidence.RULE, message, experiment, broken.place)


def _why_it_never_ends(recording: Recording) -> str:
    waiting = [
        repr(operation.path)
        for operation in recording.operations
        if operation.stored.operation_type is OperationType.CALLBACK
        and operation.stored.status is OperationStatus.STARTED
    ]
    if waiting:
        return f"callback {', '.join(waiting)} has neither an answer nor a timeout"
    return "it waits for something that never happens"
