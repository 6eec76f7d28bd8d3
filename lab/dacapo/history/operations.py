"""Operations of a finished execution, with the paths by which people find them."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
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
"""Subtypes of the operations that have branches."""
_EARLY = ("MIN_SUCCESSFUL_REACHED", "FAILURE_TOLERANCE_EXCEEDED")
"""Completion reasons with which a batch ends before all of its branches have."""


@dataclass(frozen=True)
class RecordedOperation:
    """An operation in its last state.

    Parameters:
        stored: the operation as the service stored it.
        around: labels of the enclosing contexts, outermost first.
    """

    stored: Operation
    around: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The operation's ID."""
        return self.stored.operation_id

    @property
    def name(self) -> str:
        """The operation's name; "" if it has none."""
        return self.stored.name or ""

    @property
    def label(self) -> str:
        """Its name, or its kind if it has none."""
        return label_of(self.stored)

    @property
    def path(self) -> str:
        """The labels of the enclosing contexts and its own, joined by "/"."""
        return "/".join((*self.around, self.label))

    @property
    def kind(self) -> str:
        """Its subtype in the SDK (`WaitForCallback`, `Step`, …), or its type if it has none."""
        return self.stored.sub_type or self.stored.operation_type.value

    @property
    def status(self) -> str:
        """`SUCCEEDED`, `FAILED`, `TIMED_OUT`, … or its status when the execution ended."""
        return self.stored.status.value

    @property
    def attempts(self) -> int:
        """Attempts of a step, or polls of a wait_for_condition; 0 for everything else."""
        return self.stored.step_details.attempt if self.stored.step_details else 0

    @property
    def length(self) -> timedelta:
        """Virtual time from its start to its end; 0 if it did not end."""
        started, ended = self.stored.start_timestamp, self.stored.end_timestamp
        return ended - started if started and ended else timedelta(0)

    @property
    def payload(self) -> str | None:
        """The result as it is stored."""
        details = self._details
        return getattr(details, "result", None)

    @property
    def result(self) -> Any:
        """The result that the handler received, or the payload if the SDK can't deserialize it."""
        payload = self.payload
        if payload is None or self.stored.operation_type is OperationType.CALLBACK:
            return payload
        try:
            return deserialize(None, payload, self.id, "")
        except Exception:  # noqa: BLE001 - a custom serializer wrote it
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
    """Return the operations of an execution, without the EXECUTION operation."""
    inside: dict[str, tuple[str, ...]] = {}
    recorded = []
    for key, operation in operations.items():
        if operation.operation_type is not OperationType.EXECUTION:
            around = inside.get(operation.parent_id or "", ())
            inside[key] = (*around, label_of(operation))
            recorded.append(RecordedOperation(operation, around))
    return recorded


def label_of(operation: Operation) -> str:
    """Return an operation's name, or its kind if it has none."""
    return operation.name or operation.sub_type or operation.operation_type.value


def callback_name(operations: Mapping[str, Operation], operation: Operation) -> str:
    """Return the name by which a scenario answers a callback; "" if it has none.

    `wait_for_callback(name="x")` creates a context "x" with a callback "x create callback id",
    which is answered as "x".
    """
    around = operations.get(operation.parent_id or "")
    name = operation.name or ""
    if around is not None and around.sub_type == OperationSubType.WAIT_FOR_CALLBACK:
        return around.name or ""
    return name


def callback_path(operations: Mapping[str, Operation], operation: Operation) -> str:
    """Return the path by which a scenario answers a callback, also one without a name.

    It is the path of the callback, or of the `wait_for_callback` around it.
    """
    around = operations.get(operation.parent_id or "")
    if around is not None and around.sub_type == OperationSubType.WAIT_FOR_CALLBACK:
        operation = around
    return "/".join(label_of(part) for part in lineage(operations, operation))


def answer_key(
    answers: Container[str], operations: Mapping[str, Operation], operation: Operation
) -> str:
    """Return the key of a scenario's answers that belongs to a callback: its path, or its name."""
    path = callback_path(operations, operation)
    return path if path in answers else callback_name(operations, operation) or path


def lineage(operations: Mapping[str, Operation], operation: Operation) -> list[Operation]:
    """Return the contexts around an operation, outermost first, and the operation."""
    line = [operation]
    while (around := operations.get(line[0].parent_id or "")) is not None:
        line.insert(0, around)
    return line


def ends_early(payload: str | None) -> bool:
    """Return True if a batch with this stored result ended before all of its branches did."""
    try:
        stored = json.loads(payload or "null")
    except (ValueError, RecursionError):
        return False
    if isinstance(stored, dict) and "v" in stored:
        stored = stored["v"]  # the SDK's serializer stores the type next to the value
    reason = stored.get("completionReason") if isinstance(stored, dict) else None
    if isinstance(reason, dict):
        reason = reason.get("v")
    return reason in _EARLY or str(reason).startswith("CUSTOM")
