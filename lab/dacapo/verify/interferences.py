"""What comes between an invocation and the service in the experiments that are runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aws_durable_execution_sdk_python.lambda_service import (
    OperationStatus,
    OperationType,
    OperationUpdate,
)

from dacapo.service.door import Crash, Interference
from dacapo.service.execution import Execution

UpdateKey = tuple[str, str, int]
"""A checkpoint: operation, action, and how often it has been made before."""


class UpdateLog(Interference):
    """Notes what is checkpointed, in order."""

    def __init__(self) -> None:
        self.keys: list[UpdateKey] = []

    def after(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Note a batch."""
        _ = execution
        for update in updates:
            key = update.operation_id, update.action.value
            self.keys.append((*key, sum(1 for known in self.keys if known[:2] == key)))


class Everywhere(Interference):
    """Ends the invocation after every batch that leaves no step under way."""

    def interrupts(self, execution: Execution, updates: Sequence[OperationUpdate]) -> bool:
        """Whether no step is under way: one that is may be slow, or happen at most once."""
        under_way = (OperationStatus.STARTED, OperationStatus.READY)
        return bool(updates) and not any(
            operation.operation_type is OperationType.STEP and operation.status in under_way
            for operation in execution.replayable.values()
        )


class CrashAt(Interference):
    """Takes the process away once, before or after a checkpoint is stored."""

    def __init__(self, key: UpdateKey, when: str) -> None:
        self.key = key
        self.when = when
        self.has_happened = False
        self._seen: Counter[tuple[str, str]] = Counter()

    def before(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Crash before the batch is stored, if it is the one."""
        _ = execution
        if self.when == "before" and self._is_here(updates):
            self._crash()

    def after(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Crash after the batch was stored, if it was the one."""
        _ = execution
        is_here = self._is_here(updates)
        self._seen.update((update.operation_id, update.action.value) for update in updates)
        if self.when == "after" and is_here:
            self._crash()

    def _is_here(self, updates: Sequence[OperationUpdate]) -> bool:
        operation_id, action, number = self.key
        return (
            not self.has_happened
            and self._seen[operation_id, action] == number
            and any((u.operation_id, u.action.value) == (operation_id, action) for u in updates)
        )

    def _crash(self) -> None:
        self.has_happened = True
        raise Crash(f"died {self.when} {self.key[1]} was stored")


def crash_points(keys: Sequence[UpdateKey], most: int | None) -> list[tuple[UpdateKey, str]]:
    """Where to crash: before and after each checkpoint is stored.

    Parameters:
        most: how many points; of more, so many are taken at even distances, the first and the last
            among them. None for all.
    """
    points = [(key, when) for key in keys for when in ("before", "after")]
    if most is None or len(points) <= most:
        return points
    return [points[round(n * (len(points) - 1) / (most - 1))] for n in range(most)]
