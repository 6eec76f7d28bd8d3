"""The course of a run: what is checkpointed, which operations start, and which services are called.

Experiments choose by it where to disturb the next run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import OperationType, OperationUpdate

from dacapo.history.operations import label_of, lineage
from dacapo.process.active_run import ACTIVE
from dacapo.service.client import Interference
from dacapo.service.execution import Execution
from dacapo.simulation.outages import is_of_invocation

UpdateKey = tuple[str, str, int]
"""A checkpoint: operation, action, and how many of the same came before it."""


@dataclass(frozen=True)
class Started:
    """The first start of an operation.

    Parameters:
        operation_id: the operation.
        path: its path, as `RecordedOperation.path` has it.
        is_first: whether no other operation of the run with this path had started before.
        at: virtual time.
    """

    operation_id: str
    path: str
    is_first: bool
    at: datetime


@dataclass(frozen=True)
class Called:
    """A call of AWS that a function makes in its invocation.

    Parameters:
        service: as in `boto3.client(SERVICE)`.
        at: virtual time.
    """

    service: str
    at: datetime


class CheckpointLog(Interference):
    """Records what is checkpointed, in order."""

    def __init__(self) -> None:
        self.keys: list[UpdateKey] = []

    def after_store(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Record a batch."""
        _ = execution
        for update in updates:
            key = update.operation_id, update.action.value
            self.keys.append((*key, sum(1 for known in self.keys if known[:2] == key)))


class CourseLog(CheckpointLog):
    """Records as well which operations of the verified execution start, and every call of AWS."""

    def __init__(self) -> None:
        super().__init__()
        self.course: list[Started | Called] = []
        self._started: set[str] = set()
        self._paths: set[str] = set()

    def after_store(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Record a batch."""
        super().after_store(execution, updates)
        for update in updates:
            if update.operation_type is not OperationType.EXECUTION:
                self._start(execution, update.operation_id)

    def called(self, service: str, operation: str, request: Mapping[str, Any]) -> None:
        """Record a call, if it is a function's; an effect listener."""
        _ = operation, request
        if ACTIVE.scheduler and is_of_invocation(sys._getframe(1)):  # noqa: SLF001
            self.course.append(Called(service, ACTIVE.scheduler.clock.now))

    def _start(self, execution: Execution, key: str) -> None:
        operation = execution.operations[key]
        path = "/".join(label_of(part) for part in lineage(execution.operations, operation))
        is_verified = ACTIVE.api is not None and execution.arn == ACTIVE.api.first_execution()
        if is_verified and key not in self._started:
            self._started.add(key)
            is_first, now = path not in self._paths, ACTIVE.scheduler.clock.now
            self.course.append(Started(key, path, is_first, now))
        self._paths.add(path)
