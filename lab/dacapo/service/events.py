"""The execution's history: each change as an event, in the shape of GetDurableExecutionHistory."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
)

Event = dict[str, Any]

KINDS = {
    OperationType.EXECUTION: "Execution",
    OperationType.CONTEXT: "Context",
    OperationType.STEP: "Step",
    OperationType.WAIT: "Wait",
    OperationType.CALLBACK: "Callback",
    OperationType.CHAINED_INVOKE: "ChainedInvoke",
}
ENDINGS = {
    OperationStatus.SUCCEEDED: "Succeeded",
    OperationStatus.FAILED: "Failed",
    OperationStatus.TIMED_OUT: "TimedOut",
    OperationStatus.STOPPED: "Stopped",
    OperationStatus.CANCELLED: "Cancelled",
}


class EventLog:
    """The events of one execution, numbered from 1 in the order in which they were written."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(
        self,
        event_type: str,
        at: datetime,
        details: dict[str, Any],
        operation: Operation | None = None,
    ) -> Event:
        """Write an event, and give it.

        Parameters:
            event_type: one of the model's EventType values, `StepSucceeded` for example.
            details: what goes under the event's `…Details` member.
            operation: whose event it is; None for what belongs to the execution as a whole.
        """
        event: Event = {
            "EventType": event_type,
            "EventId": len(self.events) + 1,
            "EventTimestamp": at,
        }
        if operation is not None:
            event["Id"] = operation.operation_id
            for member, value in (
                ("Name", operation.name),
                ("SubType", operation.sub_type),
                ("ParentId", operation.parent_id),
            ):
                if value:
                    event[member] = value
        event[f"{event_type}Details"] = details
        self.events.append(event)
        return event

    def execution_started(
        self, operation: Operation, at: datetime, payload: str, timeout_seconds: int
    ) -> None:
        """The execution began."""
        details = {"Input": {"Payload": payload}, "ExecutionTimeout": timeout_seconds}
        self.write("ExecutionStarted", at, details, operation)

    def execution_ended(
        self, operation: Operation, at: datetime, result: str | None, error: ErrorObject | None
    ) -> None:
        """The execution reached its end."""
        details = _outcome(result, error, succeeded=operation.status is OperationStatus.SUCCEEDED)
        self.write(f"Execution{ENDINGS[operation.status]}", at, details, operation)

    def operation_updated(
        self, operation: Operation, update: OperationUpdate, at: datetime
    ) -> Event:
        """The handler's checkpoint changed an operation."""
        if update.action is OperationAction.START:
            kind = KINDS[operation.operation_type]
            return self.write(f"{kind}Started", at, _started(operation, update), operation)
        if operation.operation_type is OperationType.STEP:
            return self._step_attempt_ended(operation, update, at)
        return self.operation_ended(operation, at, update.payload, update.error)

    def operation_ended(
        self,
        operation: Operation,
        at: datetime,
        result: str | None = None,
        error: ErrorObject | None = None,
    ) -> Event:
        """An operation reached its end."""
        succeeded = operation.status is OperationStatus.SUCCEEDED
        if operation.operation_type is OperationType.WAIT:
            details = _wait_ended(operation) if succeeded else {}
        else:
            details = _outcome(result, error, succeeded=succeeded)
        kind = KINDS[operation.operation_type]
        return self.write(f"{kind}{ENDINGS[operation.status]}", at, details, operation)

    def invocation_completed(
        self, request_id: str, started: datetime, ended: datetime, error: ErrorObject | None
    ) -> None:
        """An invocation of the handler returned, or died."""
        details: dict[str, Any] = {
            "StartTimestamp": started,
            "EndTimestamp": ended,
            "RequestId": request_id,
        }
        if error is not None:
            details["Error"] = {"Payload": error.to_dict()}
        self.write("InvocationCompleted", ended, details)

    def _step_attempt_ended(
        self, operation: Operation, update: OperationUpdate, at: datetime
    ) -> Event:
        # A retry is an attempt that failed or, for a poll, one that succeeded and wants another:
        # the model has no event of its own for it.
        attempts = operation.step_details.attempt if operation.step_details else 0
        retry: dict[str, Any] = {"CurrentAttempt": attempts}
        if update.step_options is not None:
            retry["NextAttemptDelaySeconds"] = update.step_options.next_attempt_delay_seconds
        succeeded = update.error is None and update.action is not OperationAction.FAIL
        details = _outcome(update.payload, update.error, succeeded=succeeded)
        event_type = "StepSucceeded" if succeeded else "StepFailed"
        return self.write(event_type, at, details | {"RetryDetails": retry}, operation)


def _started(operation: Operation, update: OperationUpdate) -> dict[str, Any]:
    match operation.operation_type:
        case OperationType.WAIT if operation.wait_details and update.wait_options:
            return {
                "Duration": update.wait_options.wait_seconds,
                "ScheduledEndTimestamp": operation.wait_details.scheduled_end_timestamp,
            }
        case OperationType.CALLBACK if operation.callback_details:
            options = update.callback_options
            return {
                "CallbackId": operation.callback_details.callback_id,
                "Timeout": options.timeout_seconds if options else 0,
                "HeartbeatTimeout": options.heartbeat_timeout_seconds if options else 0,
            }
        case OperationType.CHAINED_INVOKE if update.chained_invoke_options:
            details: dict[str, Any] = {
                "FunctionName": update.chained_invoke_options.function_name,
                "Input": {"Payload": update.payload},
            }
            if update.chained_invoke_options.tenant_id:
                details["TenantId"] = update.chained_invoke_options.tenant_id
            return details
        case _:
            return {}


def _wait_ended(operation: Operation) -> dict[str, Any]:
    started, ended = operation.start_timestamp, operation.end_timestamp
    seconds = (ended - started).total_seconds() if started and ended else 0
    return {"Duration": int(seconds)}


def _outcome(result: str | None, error: ErrorObject | None, *, succeeded: bool) -> dict[str, Any]:
    if succeeded:
        return {"Result": {} if result is None else {"Payload": result}}
    return {"Error": {} if error is None else {"Payload": error.to_dict()}}
