"""From a history back to operations: what each event made of the operation that it concerns.

A history is what everybody has, a recording of ours as well as an export of the AWS CLI, but what
the SDK replays is operations. Three things that a history does not say are inferred:

- An attempt that failed, or a poll that wants another, is no end: the operation is PENDING.
- A pending operation is READY again before its next attempt starts.
- A context that keeps its children (ReplayChildren) stored no result, or a summary in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    CallbackDetails,
    ChainedInvokeDetails,
    ContextDetails,
    ErrorObject,
    ExecutionDetails,
    Operation,
    OperationStatus,
    OperationType,
    StepDetails,
    WaitDetails,
)

from dacapo.history import details_of, meaning_of, retry_of
from dacapo.recorded import BATCHES
from dacapo.service import transitions
from dacapo.service.events import Event


class Truncated(ValueError):  # noqa: N818 - says what it is
    """A history that leaves out part of a payload can't be replayed; names the operation."""


def versions(events: Sequence[Event]) -> list[Operation]:
    """What became of the operations, one version after the other, in the order of the events.

    Parameters:
        events: a history, with its data, from the start.

    Raises:
        Truncated: a payload was cut.
    """
    parents = {event.get("ParentId") for event in events}
    latest: dict[str, Operation] = {}
    made: list[Operation] = []
    for event in sorted(events, key=lambda event: int(event["EventId"])):
        meaning = meaning_of(event)
        if meaning is None:
            continue
        before = latest.get(event["Id"])
        if before is not None and before.status is OperationStatus.PENDING:
            before = transitions.retry_due(before)
            made.append(before)
        operation = _version(event, *meaning, before, keeps=event["Id"] in parents)
        latest[event["Id"]] = operation
        made.append(operation)
    return made


def state_after(made: Iterable[Operation]) -> list[Operation]:
    """The operations that a handler is given after these versions, in the order of their starts."""
    latest: dict[str, Operation] = {}
    for operation in made:
        latest[operation.operation_id] = operation
    return [o for o in latest.values() if not _is_hidden(o, latest)]


def _is_hidden(operation: Operation, latest: Mapping[str, Operation]) -> bool:
    parent = latest.get(operation.parent_id or "")
    while parent is not None:
        details = parent.context_details
        if transitions.is_terminal(parent) and not (details and details.replay_children):
            return True
        parent = latest.get(parent.parent_id or "")
    return False


def _version(
    event: Event,
    kind: OperationType,
    status: OperationStatus,
    before: Operation | None,
    *,
    keeps: bool,
) -> Operation:
    at = event["EventTimestamp"]
    operation = before or Operation(
        operation_id=event["Id"],
        operation_type=kind,
        status=status,
        parent_id=event.get("ParentId"),
        name=event.get("Name"),
        start_timestamp=at,
        sub_type=event.get("SubType"),
    )
    if status is OperationStatus.STARTED:
        return _started(replace(operation, status=status), details_of(event))
    operation = replace(operation, status=status, end_timestamp=at)
    result, error = _outcome(event)
    match kind:
        case OperationType.STEP:
            return _attempted(operation, event, result, error)
        case OperationType.CONTEXT:
            is_kept = keeps and _is_summary(operation, result)
            return replace(operation, context_details=ContextDetails(is_kept, result, error))
        case OperationType.CALLBACK if operation.callback_details:
            details = replace(operation.callback_details, result=result, error=error)
            return replace(operation, callback_details=details)
        case OperationType.CHAINED_INVOKE:
            return replace(operation, chained_invoke_details=ChainedInvokeDetails(result, error))
        case _:
            return operation


def _started(operation: Operation, details: Mapping[str, Any]) -> Operation:
    match operation.operation_type:
        case OperationType.EXECUTION:
            payload = (details.get("Input") or {}).get("Payload")
            return replace(operation, execution_details=ExecutionDetails(payload))
        case OperationType.WAIT:
            return replace(operation, wait_details=WaitDetails(details["ScheduledEndTimestamp"]))
        case OperationType.CALLBACK:
            return replace(operation, callback_details=CallbackDetails(details["CallbackId"]))
        case OperationType.CHAINED_INVOKE:
            return replace(operation, chained_invoke_details=ChainedInvokeDetails())
        case _:
            return operation


def _attempted(
    operation: Operation, event: Event, result: str | None, error: ErrorObject | None
) -> Operation:
    retry = retry_of(event)
    earlier = operation.step_details.attempt if operation.step_details else 0
    attempt = int(retry.get("CurrentAttempt") or earlier + 1)
    delay = retry.get("NextAttemptDelaySeconds")
    if delay is None:
        return replace(operation, step_details=StepDetails(attempt, None, result, error))
    due = event["EventTimestamp"] + timedelta(seconds=delay)
    return replace(
        operation,
        status=OperationStatus.PENDING,
        end_timestamp=None,
        step_details=StepDetails(attempt, due, result, error),
    )


def _outcome(event: Event) -> tuple[str | None, ErrorObject | None]:
    details = details_of(event)
    result, error = details.get("Result") or {}, details.get("Error") or {}
    if result.get("Truncated") or error.get("Truncated"):
        name = event.get("Name") or event["EventType"]
        raise Truncated(
            f"the payload of {name!r} (event {event['EventId']}) is truncated, so what the handler "
            "read is not known: export the history with its data, or raise the log level"
        )
    payload = error.get("Payload")
    return result.get("Payload"), ErrorObject.from_dict(payload) if payload is not None else None


def _is_summary(operation: Operation, result: str | None) -> bool:
    if operation.status is not OperationStatus.SUCCEEDED:
        return False
    if not result:
        return True
    if operation.sub_type not in BATCHES:
        return False
    try:
        stored = json.loads(result)
    except ValueError:
        return False
    # The SDK's summary of a batch counts its items; a whole result lists them.
    return isinstance(stored, dict) and "all" not in stored and "completionReason" in stored
