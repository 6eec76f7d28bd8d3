"""From a history back to operations: the state of an operation after each of its events.

A history is available to everyone, as a recording of dacapo or as an export of the AWS CLI; but the
SDK replays operations. Three facts that a history does not state are inferred:

- After a failed attempt, or an unmet condition of a wait_for_condition, the operation is PENDING.
- A pending operation is READY before its next attempt starts.
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

from dacapo.errors import HistoryError
from dacapo.history.operations import BATCHES
from dacapo.service import transitions
from dacapo.service.events import Event


def operation_states(events: Sequence[Event]) -> list[Operation]:
    """Return the state of an operation after each event, in the order of the events.

    Parameters:
        events: a history from its start, with its data.

    Raises:
        HistoryError: a payload is truncated.
        KeyError: an event lacks what its type requires.
    """
    parents = {event.parent_id for event in events}
    latest: dict[str, Operation] = {}
    states: list[Operation] = []
    for event in sorted(events, key=lambda event: event.event_id):
        meaning = event.meaning
        if meaning is None:
            continue
        key = _id_of(event)
        previous = latest.get(key)
        if previous is not None and previous.status is OperationStatus.PENDING:
            previous = transitions.retry_due(previous)
            states.append(previous)
        operation = _state(event, key, *meaning, previous, has_children=key in parents)
        latest[key] = operation
        states.append(operation)
    return states


def operations_after(states: Iterable[Operation]) -> list[Operation]:
    """Return the operations that a handler receives after these states, in order of their starts.

    Parameters:
        states: the first ones of `operation_states`.
    """
    latest: dict[str, Operation] = {}
    for operation in states:
        latest[operation.operation_id] = operation
    return [o for o in latest.values() if not _is_hidden(o, latest)]


def _id_of(event: Event) -> str:
    if event.operation_id is None:
        raise KeyError("Id")
    return event.operation_id


def _is_hidden(operation: Operation, latest: Mapping[str, Operation]) -> bool:
    parent = latest.get(operation.parent_id or "")
    while parent is not None:
        details = parent.context_details
        if transitions.is_terminal(parent) and not (details and details.replay_children):
            return True
        parent = latest.get(parent.parent_id or "")
    return False


def _state(
    event: Event,
    key: str,
    operation_type: OperationType,
    status: OperationStatus,
    previous: Operation | None,
    *,
    has_children: bool,
) -> Operation:
    operation = previous or Operation(
        operation_id=key,
        operation_type=operation_type,
        status=status,
        parent_id=event.parent_id,
        name=event.name,
        start_timestamp=event.timestamp,
        sub_type=event.sub_type,
    )
    if status is OperationStatus.STARTED:
        return _started(replace(operation, status=status), event.details)
    operation = replace(operation, status=status, end_timestamp=event.timestamp)
    result, error = _outcome(event)
    match operation_type:
        case OperationType.STEP:
            return _after_attempt(operation, event, result, error)
        case OperationType.CONTEXT:
            keeps_children = has_children and _is_summary(operation, result)
            details = ContextDetails(keeps_children, result, error)
            return replace(operation, context_details=details)
        case OperationType.CALLBACK if operation.callback_details:
            answered = replace(operation.callback_details, result=result, error=error)
            return replace(operation, callback_details=answered)
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


def _after_attempt(
    operation: Operation, event: Event, result: str | None, error: ErrorObject | None
) -> Operation:
    earlier = operation.step_details.attempt if operation.step_details else 0
    attempt = int(event.retry.get("CurrentAttempt") or earlier + 1)
    delay = event.retry_delay
    if delay is None:
        return replace(operation, step_details=StepDetails(attempt, None, result, error))
    due = event.timestamp + timedelta(seconds=delay)
    return replace(
        operation,
        status=OperationStatus.PENDING,
        end_timestamp=None,
        step_details=StepDetails(attempt, due, result, error),
    )


def _outcome(event: Event) -> tuple[str | None, ErrorObject | None]:
    result, error = event.details.get("Result") or {}, event.details.get("Error") or {}
    # AWS's own runner says of the errors of contexts that they are truncated, and has them whole.
    if result.get("Truncated") or (error.get("Truncated") and error.get("Payload") is None):
        raise HistoryError(
            f"can't be replayed: the payload of {(event.name or event.type)!r} (event "
            f"{event.event_id}) is truncated, so the value that the handler read is unknown: "
            "export the history with its data, or raise the log level"
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
    except (ValueError, RecursionError):
        return False
    # The SDK's summary of a batch has counts; a full result lists the items.
    return isinstance(stored, dict) and "all" not in stored and "completionReason" in stored
