"""Where each thread of a handler is, and operations that are started where they must not be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import (
    OperationAction,
    OperationSubType,
    OperationType,
    OperationUpdate,
)

from dacapo.process import own_threads, source_lines
from dacapo.process.source_lines import Place
from dacapo.sdk.installed import runs_user_code
from dacapo.service.client import Probe
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation

_BRANCHES = (OperationSubType.MAP_ITERATION, OperationSubType.PARALLEL_BRANCH)


class Position(Probe):
    """Knows in which steps and contexts each thread is, and where operations are started.

    Parameters:
        places: the line that starts each operation, by its id.
        at_most_once: ids of the steps that wait until their start is stored, so that a crash does
            not repeat them.
    """

    def __init__(self) -> None:
        self.places: dict[str, Place | None] = {}
        self.at_most_once: set[str] = set()
        self._threads = threading.local()

    @property
    def stack(self) -> Sequence[OperationIdentifier]:
        """The steps and contexts that this thread is in, or was started in, the innermost last."""
        started = own_threads.origin()
        return self._entered or (started.within if started else ())

    @property
    def _entered(self) -> list[OperationIdentifier]:
        if not hasattr(self._threads, "stack"):
            self._threads.stack = []
        stack: list[OperationIdentifier] = self._threads.stack
        return stack

    def step(self) -> OperationIdentifier | None:
        """Return the step that this thread is in, if it is in one."""
        inner = self.stack[-1] if self.stack else None
        return inner if inner and inner.operation_type is OperationType.STEP else None

    def wrap_function(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Let a function run, and know that it does."""
        _ = attempt

        def running(*arguments: Any) -> Any:
            self._entered.append(operation)
            try:
                return function(*arguments)
            finally:
                self._entered.pop()

        return running

    def intercept_checkpoint(self, update: OperationUpdate, *, is_sync: bool) -> bool:
        """Let every update pass, and keep the line that starts an operation."""
        if update.action is OperationAction.START and update.operation_id not in self.places:
            self.places[update.operation_id] = source_lines.current_line()
            if is_sync and update.operation_type is OperationType.STEP:
                self.at_most_once.add(update.operation_id)
        return False


class Misplaced(Probe):
    """Observes operations that are started where they must not be.

    Parameters:
        position: knows where each thread is; it must receive updates before this does.
    """

    def __init__(self, position: Position) -> None:
        self.position = position
        self.observations: list[Observation] = []
        self._checked: set[str] = set()

    def intercept_checkpoint(self, update: OperationUpdate, *, is_sync: bool) -> bool:
        """Let every update pass, and check the first one of each operation."""
        _ = is_sync
        if update.action is OperationAction.START and update.operation_id not in self._checked:
            self._checked.add(update.operation_id)
            self._check(update)
        return False

    def _check(self, update: OperationUpdate) -> None:
        label = update.name or update.operation_type.value
        step, stack = self.position.step(), self.position.stack
        if step is not None:
            message = f"{label!r} is started inside the step {step.name!r}"
            self._observe(Code.OPERATION_IN_STEP, Evidence.RULE, message, update)
        elif not runs_user_code():
            message = f"{label!r} is started in a thread of the handler's own"
            self._observe(Code.DIFFERENT_THREAD, Evidence.SIGHTING, message, update)
        elif stack and not _is_of(update, stack[-1]):
            inner = stack[-1].name or stack[-1].operation_type.value
            message = f"{label!r} is started inside {inner!r}, but on the context around it"
            self._observe(Code.PARENT_CONTEXT, Evidence.RULE, message, update)

    def _observe(
        self, code: Code, evidence: Evidence, message: str, update: OperationUpdate
    ) -> None:
        place = self.position.places.get(update.operation_id)
        name = ExperimentName.REFERENCE_RUN
        self.observations.append(Observation(code, evidence, message, name, place))


def _is_of(update: OperationUpdate, context: OperationIdentifier) -> bool:
    # A branch that is not recorded itself (NestingType.FLAT) lends its parent's id.
    is_flat = context.sub_type in _BRANCHES and update.parent_id == context.parent_id
    return update.parent_id == context.operation_id or is_flat
