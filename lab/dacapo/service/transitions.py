"""State transitions of operations: for each type, the legal updates and their results.

Everything here is pure. An update that the service would refuse raises `ServiceError` and changes
nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    CallbackDetails,
    ChainedInvokeDetails,
    ContextDetails,
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
    StepDetails,
    WaitDetails,
)

from dacapo.service import validation

TERMINAL = frozenset(
    {
        OperationStatus.SUCCEEDED,
        OperationStatus.FAILED,
        OperationStatus.CANCELLED,
        OperationStatus.TIMED_OUT,
        OperationStatus.STOPPED,
    }
)

_STATUS_AFTER = {
    OperationAction.START: OperationStatus.STARTED,
    OperationAction.SUCCEED: OperationStatus.SUCCEEDED,
    OperationAction.FAIL: OperationStatus.FAILED,
    OperationAction.RETRY: OperationStatus.PENDING,
    OperationAction.CANCEL: OperationStatus.CANCELLED,
}


def is_terminal(operation: Operation) -> bool:
    """Return True if this operation has ended and can't change any more."""
    return operation.status in TERMINAL


def updated(
    current: Operation | None, update: OperationUpdate, now: datetime, callback_id: str
) -> Operation:
    """Return the operation after `update`.

    Parameters:
        current: the operation before it; None if it does not exist yet.
        update: the handler's checkpoint.
        now: the virtual time.
        callback_id: ID for a callback, if this update creates one.

    Raises:
        ServiceError: the update is not legal here.
    """
    validation.check(current, update)
    status = _STATUS_AFTER[update.action]
    operation = current or Operation(
        operation_id=update.operation_id,
        operation_type=update.operation_type,
        status=status,
        parent_id=update.parent_id,
        name=update.name,
        start_timestamp=now,
        sub_type=update.sub_type,
    )
    changes: dict[str, Any] = {
        "status": status,
        "end_timestamp": now if status in TERMINAL else None,
    }
    match update.operation_type:
        case OperationType.STEP:
            changes["step_details"] = _step_details(current, update, now)
        case OperationType.WAIT if update.action is OperationAction.START:
            changes["wait_details"] = _wait_details(update, now)
        case OperationType.CONTEXT if status in TERMINAL:
            changes["context_details"] = _context_details(update)
        case OperationType.CALLBACK:
            changes["callback_details"] = CallbackDetails(callback_id)
        case OperationType.CHAINED_INVOKE:
            changes["chained_invoke_details"] = ChainedInvokeDetails()
    return replace(operation, **changes)


def wait_elapsed(operation: Operation, now: datetime) -> Operation:
    """Return the wait after its time has elapsed."""
    return replace(operation, status=OperationStatus.SUCCEEDED, end_timestamp=now)


def retry_due(operation: Operation) -> Operation:
    """Return the pending step or wait_for_condition, ready for its next attempt."""
    details = operation.step_details or StepDetails()
    return replace(
        operation,
        status=OperationStatus.READY,
        step_details=replace(details, next_attempt_timestamp=None),
    )


def callback_ended(
    operation: Operation,
    status: OperationStatus,
    now: datetime,
    *,
    result: str | None = None,
    error: ErrorObject | None = None,
) -> Operation:
    """Return the callback after it was completed or timed out."""
    if operation.callback_details is None:
        raise ValueError(f"{operation.operation_id} is not a callback")
    details = replace(operation.callback_details, result=result, error=error)
    return replace(operation, status=status, end_timestamp=now, callback_details=details)


def invoke_ended(
    operation: Operation,
    status: OperationStatus,
    now: datetime,
    *,
    result: str | None = None,
    error: ErrorObject | None = None,
) -> Operation:
    """Return the chained invoke with the invoked function's result or error."""
    details = ChainedInvokeDetails(result=result, error=error)
    return replace(operation, status=status, end_timestamp=now, chained_invoke_details=details)


def _step_details(current: Operation | None, update: OperationUpdate, now: datetime) -> StepDetails:
    previous = (current and current.step_details) or StepDetails()
    if update.action is OperationAction.START:
        # A wait_for_condition keeps its state: the SDK passes it to the next attempt.
        return replace(previous, next_attempt_timestamp=None, error=None)
    due = now + _retry_delay(update) if update.action is OperationAction.RETRY else None
    return StepDetails(previous.attempt + 1, due, update.payload, update.error)


def _retry_delay(update: OperationUpdate) -> timedelta:
    options = update.step_options
    return timedelta(seconds=options.next_attempt_delay_seconds if options else 0)


def _wait_details(update: OperationUpdate, now: datetime) -> WaitDetails:
    options = update.wait_options
    return WaitDetails(now + timedelta(seconds=options.wait_seconds if options else 0))


def _context_details(update: OperationUpdate) -> ContextDetails:
    replay_children = bool(update.context_options and update.context_options.replay_children)
    return ContextDetails(replay_children, update.payload, update.error)
