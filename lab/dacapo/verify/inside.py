"""What each thread of a handler is in, and operations that are started where they must not be."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import (
    OperationAction,
    OperationSubType,
    OperationType,
    OperationUpdate,
)

from dacapo import places
from dacapo.places import Place
from dacapo.probe import Probe
from dacapo.sdk_internals.installed import runs_user_code
from dacapo.verify.findings import AS_SCHEDULED, PROVED, SUSPECTED, Certainty, Code, Finding

_BRANCHES = (OperationSubType.MAP_ITERATION, OperationSubType.PARALLEL_BRANCH)


class Inside(Probe):
    """Knows in which steps and contexts a thread is, and where operations are started.

    Parameters:
        places: the line that starts each operation, by its id.
        misplaced: what was found of operations that are started where they must not be.
    """

    def __init__(self) -> None:
        self.places: dict[str, Place | None] = {}
        self.misplaced: list[Finding] = []
        self._threads = threading.local()

    @property
    def stack(self) -> list[OperationIdentifier]:
        """The steps and contexts that this thread is in, the innermost last."""
        if not hasattr(self._threads, "stack"):
            self._threads.stack = []
        stack: list[OperationIdentifier] = self._threads.stack
        return stack

    def step(self) -> OperationIdentifier | None:
        """The step that this thread is in, if it is in one."""
        inner = self.stack[-1] if self.stack else None
        return inner if inner and inner.operation_type is OperationType.STEP else None

    def around(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Let a function run, and know that it does."""
        _ = attempt

        def running(*arguments: Any) -> Any:
            self.stack.append(operation)
            try:
                return function(*arguments)
            finally:
                self.stack.pop()

        return running

    def takes(self, update: OperationUpdate, *, is_sync: bool) -> bool:
        """Let every update pass, and note where it comes from."""
        _ = is_sync
        if update.action is OperationAction.START and update.operation_id not in self.places:
            place = self.places[update.operation_id] = places.acting()
            self._check(update, place)
        return False

    def _check(self, update: OperationUpdate, place: Place | None) -> None:
        label = update.name or update.operation_type.value
        step = self.step()
        if step is not None:
            message = f"{label!r} is started inside the step {step.name!r}"
            self._found(Code.OPERATION_IN_STEP, PROVED, message, place)
        elif not runs_user_code(threading.current_thread()):
            message = f"{label!r} is started in a thread of the handler's own"
            self._found(Code.OTHER_THREAD, SUSPECTED, message, place)
        elif self.stack and not _is_of(update, self.stack[-1]):
            inner = self.stack[-1].name or self.stack[-1].operation_type.value
            message = f"{label!r} is started inside {inner!r}, but on the context around it"
            self._found(Code.PARENT_CONTEXT, PROVED, message, place)

    def _found(self, code: Code, certainty: Certainty, message: str, place: Place | None) -> None:
        self.misplaced.append(Finding(code, certainty, message, AS_SCHEDULED, place))


def _is_of(update: OperationUpdate, context: OperationIdentifier) -> bool:
    # A branch that is not recorded itself (NestingType.FLAT) lends its parent's id.
    is_flat = context.sub_type in _BRANCHES and update.parent_id == context.parent_id
    return update.parent_id == context.operation_id or is_flat
