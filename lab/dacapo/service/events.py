"""The history of an execution: one typed event for each change.

`Event.to_api` and `Event.from_api` convert to and from the shape of GetDurableExecutionHistory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
)

_TYPE_NAMES = {
    OperationType.EXECUTION: "Execution",
    OperationType.CONTEXT: "Context",
    OperationType.STEP: "Step",
    OperationType.WAIT: "Wait",
    OperationType.CALLBACK: "Callback",
    OperationType.CHAINED_INVOKE: "ChainedInvoke",
}
_STATUS_NAMES = {
    OperationStatus.STARTED: "Started",
    OperationStatus.SUCCEEDED: "Succeeded",
    OperationStatus.FAILED: "Failed",
    OperationStatus.TIMED_OUT: "TimedOut",
    OperationStatus.STOPPED: "Stopped",
    OperationStatus.CANCELLED: "Cancelled",
}
_MEANINGS = {
    f"{type_name}{status_name}": (operation_type, status)
    for operation_type, type_name in _TYPE_NAMES.items()
    for status, status_name in _STATUS_NAMES.items()
}
_OF_NO_OPERATION = ("InvocationCompleted", "ExecutionPaused", "ExecutionResumed")
EVENT_TYPES = frozenset((*_MEANINGS, *_OF_NO_OPERATION))
"""The model's EventType values, and combinations of their parts that it does not have."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event of a history.

    Parameters:
        type: one of the model's EventType values, for example `StepSucceeded`.
        event_id: its number, from 1.
        timestamp: when it was written.
        operation_id, name, sub_type, parent_id: the operation that it belongs to; None for what
            is not set, and all of them for an event of no operation (InvocationCompleted).
        details: the content of the event's `<Type>Details` member.
    """

    type: str
    event_id: int
    timestamp: datetime
    operation_id: str | None = None
    name: str | None = None
    sub_type: str | None = None
    parent_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_api(cls, event: Mapping[str, Any]) -> Self:
        """Parse an event in the shape of GetDurableExecutionHistory.

        Raises:
            KeyError, TypeError: it does not have that shape.
        """
        return cls(
            type=event["EventType"],
            event_id=int(event["EventId"]),
            timestamp=event["EventTimestamp"],
            operation_id=event.get("Id"),
            name=event.get("Name"),
            sub_type=event.get("SubType"),
            parent_id=event.get("ParentId"),
            details=event.get(f"{event['EventType']}Details") or {},
        )

    def to_api(self, *, with_data: bool = True) -> dict[str, Any]:
        """Return the event in the shape of GetDurableExecutionHistory.

        Parameters:
            with_data: whether payloads, errors and reasons are included (model:
                IncludeExecutionData).
        """
        optional = {
            "Id": self.operation_id,
            "Name": self.name,
            "SubType": self.sub_type,
            "ParentId": self.parent_id,
        }
        return {
            "EventType": self.type,
            "EventId": self.event_id,
            "EventTimestamp": self.timestamp,
            **{member: value for member, value in optional.items() if value},
            f"{self.type}Details": dict(self.details) if with_data else _stripped(self.details),
        }

    @property
    def meaning(self) -> tuple[OperationType, OperationStatus] | None:
        """The type and the new status of its operation; None for an event of no operation."""
        return _MEANINGS.get(self.type)

    @property
    def is_of_operation(self) -> bool:
        """True if it belongs to an operation that the handler started."""
        return self.meaning is not None and self.meaning[0] is not OperationType.EXECUTION

    @property
    def is_end(self) -> bool:
        """True if the execution ends with it."""
        is_of_execution = self.meaning is not None and not self.is_of_operation
        return is_of_execution and not self.is_start

    @property
    def is_start(self) -> bool:
        """True if an operation, or the execution, starts with it."""
        return self.type.endswith("Started")

    @property
    def retry(self) -> Mapping[str, Any]:
        """The RetryDetails of a step's attempt; empty for every other event."""
        retry: Mapping[str, Any] = self.details.get("RetryDetails") or {}
        return retry

    @property
    def retry_delay(self) -> int | None:
        """Seconds until the next attempt; None if there is none."""
        delay = self.retry.get("NextAttemptDelaySeconds")
        return None if delay is None else int(delay)


class EventLog:
    """The events of one execution, numbered from 1 in the order in which they are written."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(
        self,
        event_type: str,
        at: datetime,
        details: Mapping[str, Any],
        operation: Operation | None = None,
    ) -> Event:
        """Append an event, and return it.

        Parameters:
            event_type: one of the model's EventType values, for example `StepSucceeded`.
            at: its timestamp.
            details: the content of its `<Type>Details` member.
            operation: the operation that it belongs to; None for an event of the execution.
        """
        event = Event(
            type=event_type,
            event_id=len(self.events) + 1,
            timestamp=at,
            operation_id=operation.operation_id if operation else None,
            name=(operation.name or None) if operation else None,
            sub_type=(operation.sub_type or None) if operation else None,
            parent_id=(operation.parent_id or None) if operation else None,
            details=details,
        )
        self.events.append(event)
        return event

    def add_details(self, event: Event, details: Mapping[str, Any]) -> None:
        """Add details to an event that was written before."""
        self.events[event.event_id - 1] = replace(event, details={**event.details, **details})

    def execution_started(
        self, operation: Operation, at: datetime, payload: str, timeout_seconds: int
    ) -> None:
        """Write that the execution started."""
        details = {"Input": _data(payload), "ExecutionTimeout": timeout_seconds}
        self.write("ExecutionStarted", at, details, operation)

    def execution_paused(
        self,
        operation: Operation,
        at: datetime,
        requested: datetime,
        reason: str | None,
        *,
        stops_timeout: bool,
    ) -> None:
        """Write that the execution paused."""
        details = {"PauseRequestTimestamp": requested, "ExecutionTimeoutPaused": stops_timeout}
        self.write("ExecutionPaused", at, details | _reason(reason), operation)

    def execution_resumed(self, operation: Operation, at: datetime, reason: str | None) -> None:
        """Write that the execution resumed, at the moment at which that was requested."""
        details = {"ResumeRequestTimestamp": at}
        self.write("ExecutionResumed", at, details | _reason(reason), operation)

    def execution_ended(
        self, operation: Operation, at: datetime, result: str | None, error: ErrorObject | None
    ) -> None:
        """Write that the execution ended."""
        details = _outcome(result, error, succeeded=operation.status is OperationStatus.SUCCEEDED)
        self.write(f"Execution{_STATUS_NAMES[operation.status]}", at, details, operation)

    def operation_updated(
        self, operation: Operation, update: OperationUpdate, at: datetime
    ) -> Event:
        """Write that a checkpoint of the handler changed an operation."""
        if update.action is OperationAction.START:
            type_name = _TYPE_NAMES[operation.operation_type]
            return self.write(f"{type_name}Started", at, _started(operation, update), operation)
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
        """Write that an operation ended."""
        succeeded = operation.status is OperationStatus.SUCCEEDED
        if operation.operation_type is OperationType.WAIT:
            details = _wait_ended(operation) if succeeded else {}
        else:
            details = _outcome(result, error, succeeded=succeeded)
        event_type = _TYPE_NAMES[operation.operation_type] + _STATUS_NAMES[operation.status]
        return self.write(event_type, at, details, operation)

    def invocation_completed(
        self, request_id: str, started: datetime, ended: datetime, error: ErrorObject | None
    ) -> None:
        """Write that an invocation of the handler returned or died.

        Parameters:
            error: what it died of, or what its answer failed the execution with; None for neither.
        """
        details: dict[str, Any] = {
            "StartTimestamp": started,
            "EndTimestamp": ended,
            "RequestId": request_id,
        }
        if error is not None:
            details["Error"] = _data(error.to_dict())
        self.write("InvocationCompleted", ended, details)

    def _step_attempt_ended(
        self, operation: Operation, update: OperationUpdate, at: datetime
    ) -> Event:
        # The model has no event for a retry: it is a failed attempt or, for a wait_for_condition
        # whose condition is not met yet, a successful one.
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
                "Input": _data(update.payload),
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
        return {"Result": _data(result)}
    return {"Error": _data(None if error is None else error.to_dict())}


def _reason(reason: str | None) -> dict[str, Any]:
    return {} if reason is None else {"Reason": _data(reason)}


def _data(payload: Any) -> dict[str, Any]:
    # The testing SDK writes Truncated always; the service itself never truncates what it stores.
    return ({} if payload is None else {"Payload": payload}) | {"Truncated": False}


def _stripped(details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        member: {"Truncated": True} if isinstance(value, dict) and "Truncated" in value else value
        for member, value in details.items()
    }
