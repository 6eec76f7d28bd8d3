"""An operation as an execution left it, with the path by which people find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    Operation,
    OperationSubType,
    OperationType,
)
from aws_durable_execution_sdk_python.serdes import deserialize

BATCHES = (OperationSubType.MAP, OperationSubType.PARALLEL)
"""Operations that have branches."""


@dataclass(frozen=True)
class RecordedOperation:
    """An operation as the execution left it.

    Parameters:
        stored: what the service stored.
        around: the labels of the contexts around it, outermost first.
    """

    stored: Operation
    around: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The operation's id."""
        return self.stored.operation_id

    @property
    def name(self) -> str:
        """The operation's name; "" if it has none."""
        return self.stored.name or ""

    @property
    def label(self) -> str:
        """Its name, or what it is if it has none."""
        return label_of(self.stored)

    @property
    def path(self) -> str:
        """The labels of the contexts around it and its own, joined by "/"."""
        return "/".join((*self.around, self.label))

    @property
    def kind(self) -> str:
        """What it is in the SDK's words (`WaitForCallback`, `Step`, …)."""
        return self.stored.sub_type or self.stored.operation_type.value

    @property
    def status(self) -> str:
        """`SUCCEEDED`, `FAILED`, `TIMED_OUT`, … or what it was when the execution ended."""
        return self.stored.status.value

    @property
    def attempts(self) -> int:
        """How often a step or a poll was tried; 0 for everything else."""
        return self.stored.step_details.attempt if self.stored.step_details else 0

    @property
    def length(self) -> timedelta:
        """Virtual time from its start to its end; 0 if it did not end."""
        started, ended = self.stored.start_timestamp, self.stored.end_timestamp
        return ended - started if started and ended else timedelta(0)

    @property
    def payload(self) -> str | None:
        """The result as it was stored."""
        details = self._details
        return getattr(details, "result", None)

    @property
    def result(self) -> Any:
        """The result as the handler saw it, or as it was stored where the SDK can't read it."""
        payload = self.payload
        if payload is None or self.stored.operation_type is OperationType.CALLBACK:
            return payload
        try:
            return deserialize(None, payload, self.id, "")
        except Exception:  # noqa: BLE001 - a serializer of the handler's own wrote it
            return payload

    @property
    def error(self) -> ErrorObject | None:
        """The error, if it failed."""
        return getattr(self._details, "error", None)

    @property
    def _details(self) -> object:
        stored = self.stored
        return (
            stored.step_details
            or stored.context_details
            or stored.callback_details
            or stored.chained_invoke_details
        )


def recorded_operations(operations: Mapping[str, Operation]) -> list[RecordedOperation]:
    """The operations of an execution as they stand; the EXECUTION operation is left out."""
    inside: dict[str, tuple[str, ...]] = {}
    recorded = []
    for key, operation in operations.items():
        if operation.operation_type is not OperationType.EXECUTION:
            around = inside.get(operation.parent_id or "", ())
            inside[key] = (*around, label_of(operation))
            recorded.append(RecordedOperation(operation, around))
    return recorded


def label_of(operation: Operation) -> str:
    """An operation's name, or what it is if it has none."""
    return operation.name or operation.sub_type or operation.operation_type.value


def callback_name(operations: Mapping[str, Operation], operation: Operation) -> str:
    """The name by which a callback is answered; "" if it has none.

    `wait_for_callback(name="x")` makes a context "x" with a callback "x create callback id": that
    one is answered as "x".
    """
    around = operations.get(operation.parent_id or "")
    name = operation.name or ""
    if around is not None and around.sub_type == OperationSubType.WAIT_FOR_CALLBACK:
        return around.name or ""
    return name
