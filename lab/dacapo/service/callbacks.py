"""Callbacks on the service's side: created by a handler, then answered once or timed out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from aws_durable_execution_sdk_python.lambda_service import (
    CallbackOptions,
    CallbackTimeoutType,
    ErrorObject,
    Operation,
    OperationStatus,
)

from dacapo.scheduling.clock import Timer
from dacapo.service import quotas, transitions
from dacapo.service.callers import Callers
from dacapo.service.errors import ServiceError, callback_closed, invalid, not_found
from dacapo.service.execution import Execution
from dacapo.service.executions import Executions
from dacapo.service.validation import check_sent_error

_CALLBACK_ID = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_TIMED_OUT = {
    CallbackTimeoutType.TIMEOUT: "Callback timed out",
    CallbackTimeoutType.HEARTBEAT: "Callback timed out on heartbeat",
}


class DeliveryKind(StrEnum):
    """Kind of a call of the callback API."""

    SUCCESS = "success"
    FAILURE = "failure"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True)
class Delivery:
    """One call of the callback API.

    Parameters:
        execution_arn, operation_id: the callback; "" if no callback has the ID that was sent.
        by: the caller.
        refused: the error's name in the API model; None if the service accepted the call.
    """

    at: datetime
    execution_arn: str
    operation_id: str
    kind: DeliveryKind
    by: str
    refused: str | None


class Callbacks:
    """Callbacks by ID, across all executions of the service.

    It calls `on_created` with each callback that a handler creates.
    """

    def __init__(self, executions: Executions, callers: Callers) -> None:
        self._executions = executions
        self._callers = callers
        self._by_id: dict[str, tuple[Execution, str]] = {}
        self._heartbeats: dict[str, tuple[timedelta, Timer]] = {}
        self.deliveries: list[Delivery] = []
        self.on_created: Callable[[Execution, Operation], None] = lambda *_: None

    def register(
        self, execution: Execution, operation: Operation, options: CallbackOptions | None
    ) -> None:
        """Register a callback that a handler created, and start its timeouts."""
        callback_id = _id_of(operation)
        self._by_id[callback_id] = (execution, operation.operation_id)
        if options and options.timeout_seconds:
            length = timedelta(seconds=options.timeout_seconds)
            self._time_out_after(length, callback_id, CallbackTimeoutType.TIMEOUT)
        if options and options.heartbeat_timeout_seconds:
            self._expect_heartbeat(
                callback_id, timedelta(seconds=options.heartbeat_timeout_seconds)
            )
        self.on_created(execution, operation)

    def succeed(self, callback_id: str, result: bytes) -> None:
        """Complete a callback with a result; an empty result counts as none.

        Raises:
            ServiceError: unknown, closed, or the result is larger than 1 MiB or not UTF-8.
        """
        with self._delivery(callback_id, DeliveryKind.SUCCESS):
            text = _decode(result)
            self._end(callback_id, OperationStatus.SUCCEEDED, result=text or None)

    def fail(self, callback_id: str, error: ErrorObject) -> None:
        """Complete a callback with a failure.

        Raises:
            ServiceError: unknown, closed, or the error is larger than 1 MiB.
        """
        with self._delivery(callback_id, DeliveryKind.FAILURE):
            check_sent_error(error)
            self._end(callback_id, OperationStatus.FAILED, error=error)

    def heartbeat(self, callback_id: str) -> None:
        """Receive a heartbeat: restart the heartbeat timeout of a callback.

        Raises:
            ServiceError: unknown or closed.
        """
        with self._delivery(callback_id, DeliveryKind.HEARTBEAT):
            self._open(callback_id)
            if callback_id in self._heartbeats:
                length, timer = self._heartbeats[callback_id]
                self._executions.clock.cancel(timer)
                self._expect_heartbeat(callback_id, length)

    @contextmanager
    def _delivery(self, callback_id: str, kind: DeliveryKind) -> Iterator[None]:
        refused = None
        try:
            yield
        except ServiceError as error:
            refused = error.code
            raise
        finally:
            execution, operation_id = self._by_id.get(callback_id, (None, ""))
            arn = execution.arn if execution else ""
            now, by = self._executions.clock.now, self._callers.name()
            self.deliveries.append(Delivery(now, arn, operation_id, kind, by, refused))

    def _open(self, callback_id: str) -> tuple[Execution, Operation]:
        is_short = len(callback_id) <= quotas.CALLBACK_ID_LENGTH
        if not is_short or not _CALLBACK_ID.fullmatch(callback_id):
            limit = quotas.CALLBACK_ID_LENGTH
            raise invalid(
                f"CallbackId must match [A-Za-z0-9+/]+={{0,2}}, up to {limit} characters."
            )
        if callback_id not in self._by_id:
            raise not_found("Callback not found.")
        execution, operation_id = self._by_id[callback_id]
        operation = execution.operations[operation_id]
        if not execution.is_running or transitions.is_terminal(operation):
            raise callback_closed("The callback has timed out or is already complete.")
        return execution, operation

    def _end(
        self,
        callback_id: str,
        status: OperationStatus,
        *,
        result: str | None = None,
        error: ErrorObject | None = None,
    ) -> None:
        execution, operation = self._open(callback_id)
        now = self._executions.clock.now
        ended = transitions.callback_ended(operation, status, now, result=result, error=error)
        self._executions.apply_change(execution, ended, result, error)

    def _expect_heartbeat(self, callback_id: str, length: timedelta) -> None:
        timer = self._time_out_after(length, callback_id, CallbackTimeoutType.HEARTBEAT)
        self._heartbeats[callback_id] = (length, timer)

    def _time_out_after(
        self, length: timedelta, callback_id: str, kind: CallbackTimeoutType
    ) -> Timer:
        execution, operation_id = self._by_id[callback_id]
        error = ErrorObject(_TIMED_OUT[kind], kind.value, None, None)
        return self._executions.set_timer(
            execution,
            operation_id,
            length,
            lambda: self._end(callback_id, OperationStatus.TIMED_OUT, error=error),
            f"{kind.value} of {execution.operations[operation_id].name}",
        )


def _decode(result: bytes) -> str:
    if len(result) > quotas.CALLBACK_BYTES:
        raise invalid(f"Callback result must be at most {quotas.CALLBACK_BYTES} bytes.")
    try:
        return result.decode()
    except UnicodeDecodeError as error:
        raise invalid("Callback result must be UTF-8.") from error


def _id_of(operation: Operation) -> str:
    if operation.callback_details is None:
        raise ValueError(f"{operation.operation_id} is not a callback")
    return operation.callback_details.callback_id
