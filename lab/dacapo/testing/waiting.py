"""What an execution of a test waits for, and why that never comes."""

from __future__ import annotations

from aws_durable_execution_sdk_python.lambda_service import (
    Operation,
    OperationStatus,
    OperationType,
)

from dacapo.history.operations import callback_name, callback_path
from dacapo.service.execution import Execution


class AlreadyCompleted(Exception):  # noqa: N818 - what happened
    """A callback that was asked for by name is complete, so it cannot be waited for."""


def open_callbacks(execution: Execution) -> list[str]:
    """Return the names of the callbacks that an execution waits for, or their paths."""
    return [
        callback_name(execution.operations, operation)
        or callback_path(execution.operations, operation)
        for operation in execution.open_operations()
        if operation.operation_type is OperationType.CALLBACK
        and operation.status is OperationStatus.STARTED
    ]


def open_callback(execution: Execution, name: str | None) -> Operation | None:
    """Return the first open callback of a name, or the latest of all; None if there is none yet.

    Parameters:
        name: of the callback, or of the `wait_for_callback` around it; None for any.

    Raises:
        AlreadyCompleted: there is no open one of this name, but one that is complete.
    """
    named = [
        operation
        for operation in execution.operations.values()
        if operation.operation_type is OperationType.CALLBACK
        and name in (None, operation.name, callback_name(execution.operations, operation))
    ]
    open_ones = [one for one in named if one.status is OperationStatus.STARTED]
    if named and name is not None and not open_ones:
        raise AlreadyCompleted
    if not open_ones or execution.is_invoked:
        return None
    return open_ones[-1 if name is None else 0]


def has_callback(execution: Execution, name: str | None) -> bool:
    """Return True once there is an open callback of a name, or none can be waited for."""
    try:
        return open_callback(execution, name) is not None
    except AlreadyCompleted:
        return True


def belongs_to(one: Execution, execution: Execution) -> bool:
    """Return True if an execution is this one, or was invoked by it."""
    while one is not execution and one.parent is not None:
        one, _ = one.parent
    return one is execution


def why_no_end(running: list[Execution]) -> str:
    """Return why executions that run do not end."""
    names = [name for execution in running for name in open_callbacks(execution)]
    if names:
        return (
            f"nobody answers callback {', '.join(map(repr, names))}, and no timeout bounds it: "
            "answer it with send_callback_success before wait_for_result, or give it a timeout"
        )
    if any(execution.pause for execution in running):
        return "the execution is paused: resume it with resume_execution"
    return "the execution waits for something that never happens"


def why_no_callback(execution: Execution, name: str | None) -> str:
    """Return why an execution has no open callback of a name."""
    what = "a callback" if name is None else f"callback {name!r}"
    if not execution.is_running:
        return f"{what} does not come: the execution ended as {execution.status.value}"
    if execution.pause:
        return f"{what} does not come: the execution is paused"
    names = ", ".join(map(repr, open_callbacks(execution))) or "no callback"
    return f"{what} does not come: the execution waits for {names}"
