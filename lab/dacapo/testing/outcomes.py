"""Executions and errors of the simulated service, as the official testing package has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aws_durable_execution_sdk_python.lambda_service import InvocationStatus, OperationType
from aws_durable_execution_sdk_python_testing import exceptions
from aws_durable_execution_sdk_python_testing.execution import ExecutionStatus
from aws_durable_execution_sdk_python_testing.model import GetDurableExecutionHistoryResponse
from aws_durable_execution_sdk_python_testing.runner import (
    DurableFunctionTestResult,
    create_operation,
)

from dacapo.service.errors import ServiceError
from dacapo.service.execution import Execution
from dacapo.testing.waiting import AlreadyCompleted

_UNKNOWN = exceptions.ResourceNotFoundException
_INVALID = exceptions.InvalidParameterValueException


def result_of(execution: Execution) -> DurableFunctionTestResult:
    """Return the result of an execution that has ended."""
    stored = list(execution.operations.values())
    status = ExecutionStatus[execution.status.value]
    succeeded = status is ExecutionStatus.SUCCEEDED
    return DurableFunctionTestResult(
        status=InvocationStatus.SUCCEEDED if succeeded else InvocationStatus.FAILED,
        operations=[
            create_operation(operation, stored)
            for operation in stored
            if operation.parent_id is None
            and operation.operation_type is not OperationType.EXECUTION
        ],
        result=execution.result,
        error=execution.error,
        execution_status=status,
    )


def history_of(execution: Execution, *, with_data: bool) -> GetDurableExecutionHistoryResponse:
    """Return all events of an execution, on one page.

    Parameters:
        with_data: whether payloads and errors are included.
    """
    events = [event.to_api(with_data=with_data) for event in execution.log.events]
    return GetDurableExecutionHistoryResponse.from_dict({"Events": events})


def check_arn(arn: object) -> None:
    """Refuse what cannot be an ARN.

    Raises:
        InvalidParameterValueException: it is blank, or not a string.
    """
    if not isinstance(arn, str) or not arn.strip():
        raise _INVALID("Invalid Durable Execution ARN")


def check_callback_id(callback_id: str) -> None:
    """Refuse an empty callback ID.

    Raises:
        InvalidParameterValueException: it is empty.
    """
    if not callback_id:
        raise _INVALID("callback_id is required")


def check_result(result: object) -> None:
    """Refuse a result of a callback that is not bytes.

    Raises:
        ResourceNotFoundException: it is something else.
    """
    if not isinstance(result, bytes | bytearray):
        kind = type(result).__name__
        raise _UNKNOWN(f"Failed to process callback success: result must be bytes, not {kind}")


@contextmanager
def completed(name: str | None) -> Iterator[None]:
    """Context manager that raises the official package's error for a callback that is complete.

    Raises:
        DurableFunctionsTestError: the callback with this name is complete.
    """
    try:
        yield
    except AlreadyCompleted as error:
        raise exceptions.DurableFunctionsTestError(
            "Failed to fetch execution history: "
            f"Callback {name} has already completed (succeeded/failed/timed out)"
        ) from error


@contextmanager
def refusals(message: str) -> Iterator[None]:
    """Context manager that raises the official package's error for what the service refuses.

    Parameters:
        message: of the error; `{}` stands for the service's own.

    Raises:
        ResourceNotFoundException: the service refused a request.
    """
    try:
        yield
    except ServiceError as error:
        raise _UNKNOWN(message.format(error.message)) from error
