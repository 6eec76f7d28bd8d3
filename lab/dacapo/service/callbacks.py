"""The service's side of callbacks: made by a handler, answered once from outside, or timed out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_durable_execution_sdk_python.lambda_service import (
    CallbackOptions,
    CallbackTimeoutType,
    ErrorObject,
    Operation,
    OperationStatus,
)

from dacapo.service import quotas, transitions
from dacapo.service.actors import Actors
from dacapo.service.clock import Timer
from dacapo.service.errors import ServiceError, callback_closed, invalid, not_found
from dacapo.service.execution import Execution
from dacapo.service.executions import Executions

_CALLBACK_ID = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_TIMED_OUT = {
    CallbackTimeoutType.TIMEOUT: "Callback timed out",
    CallbackTimeoutType.HEARTBEAT: "Callback timed out on heartbeat",
}


@dataclass(frozen=True)
class Delivery:
    """One call of the callback API: who sent what to which callback, and what came of it.

    Parameters:
        execution_arn, operation_id: the callback; "" if no callback has the id that was sent.
        kind: `success`, `failure` or `heartbeat`.
        refused: the error's name in the API model, or None if the call was accepted.
    """

    at: datetime
    execution_arn: str
    operation_id: str
    kind: str
    by: str
    refused: str | None


class Callbacks:
    """Callbacks by id, across all executions of the service.

    `on_created` is called with each callback that a handler makes.
    """

    def __init__(self, executions: Executions, actors: Actors) -> None:
        self._executions = executions
        self._actors = actors
        self._by_id: dict[str, tuple[Execution, str]] = {}
        self._heartbeats: dict[str, tuple[timedelta, Timer]] = {}
        self.deliveries: list[Delivery] = []
        self.on_created: Callable[[Execution, Operation], None] = lambda *_: None

    def created(
        self, execution: Execution, operation: Operation, options: CallbackOptions | None
    ) -> None:
        """A handler made a callback: its clocks start."""
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
        """Answer a callback with a result; an empty one counts as none.

        Raises:
            ServiceError: unknown, closed, or the result is larger than 1 MiB or not UTF-8.
        """
        with self._delivery(callback_id, "success"):
            text = _decode(result)
            self._end(callback_id, OperationStatus.SUCCEEDED, result=text or None)

    def fail(self, callback_id: str, error: ErrorObject) -> None:
        """Answer a callback with a failure.

        Raises:
            ServiceError: unknown or closed.
        """
        with self._delivery(callback_id, "failure"):
            self._end(callback_id, OperationStatus.FAILED, error=error)

    def heartbeat(self, callback_id: str) -> None:
        """Say that the answer is still to come: the heartbeat's clock starts anew.

        Raises:
            ServiceError: unknown or closed.
        """
        with self._delivery(callback_id, "heartbeat"):
            self._open(callback_id)
            if callback_id in self._heartbeats:
                length, timer = self._heartbeats[callback_id]
                self._executions.clock.cancel(timer)
                self._expect_heartbeat(callback_id, length)

    @contextmanager
    def _delivery(self, callback_id: str, kind: str) -> Iterator[None]:
        refused = None
        try:
            yield
        except ServiceError as error:
            refused = error.code
            raise
        finally:
            execution, operation_id = self._by_id.get(callback_id, (None, ""))
            arn = execution.arn if execution else ""
            now, by = self._executions.clock.now, self._actors.name()
            self.deliveries.append(Delivery(now, arn, operation_id, kind, by, refused))

    def _open(self, callback_id: str) -> tuple[Execution, Operation]:
        if not _CALLBACK_ID.fullmatch(callback_id):
            raise invalid("CallbackId must match [A-Za-z0-9+/]+={0,2}.")
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
        self._executions.change(execution, ended, result, error)

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
        raise ValueError(f"{operation.operation_id} is no callback")
    return operation.callback_details.callback_id
