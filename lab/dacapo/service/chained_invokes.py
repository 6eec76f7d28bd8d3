"""Chained invokes: an execution waits for the result of another function."""

from __future__ import annotations

from datetime import timedelta

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    Operation,
    OperationStatus,
    OperationUpdate,
)

from dacapo.service import quotas, transitions
from dacapo.service.calls import Calls
from dacapo.service.errors import ServiceError
from dacapo.service.events import Event
from dacapo.service.execution import Execution
from dacapo.service.executions import Executions
from dacapo.service.functions import VERSION, Function


class ChainedInvokes:
    """Starts the functions that handlers invoke, and returns their results."""

    def __init__(self, executions: Executions, calls: Calls) -> None:
        self._executions = executions
        self._calls = calls

    def start(
        self, execution: Execution, operation: Operation, update: OperationUpdate, event: Event
    ) -> None:
        """Start the invoked function; if it does not exist, fail the operation immediately.

        Parameters:
            event: the ChainedInvokeStarted event; the version and the child's ARN are added to it.
        """
        options = update.chained_invoke_options
        key = operation.operation_id
        try:
            function, _ = self._executions.functions.find(options.function_name if options else "")
        except ServiceError as refused:
            error = ErrorObject(refused.message, refused.code, None, None)
            self._complete(execution, key, OperationStatus.FAILED, error=error)
            return
        details = {"ExecutedVersion": VERSION}
        payload = update.payload or "null"
        if function.is_durable:
            child = self._executions.start(function, payload, parent=(execution, key))
            details["DurableExecutionArn"] = child.arn
        else:
            self._executions.clock.schedule(
                timedelta(0),
                lambda: self._call(execution, key, function, payload),
                f"invoke of {function.name}",
            )
        execution.log.add_details(event, details)

    def on_child_ended(self, child: Execution) -> None:
        """Pass the result of an ended execution to the handler that invoked it, if one did."""
        if child.parent is None:
            return
        error = child.error
        if child.status is OperationStatus.TIMED_OUT:
            seconds = int(child.timeout.total_seconds())
            message = f"CHAINED_INVOKE timed out after {seconds} seconds."
            error = ErrorObject(message, "ChainedInvoke.Timeout", None, None)
        parent, key = child.parent
        self._complete(parent, key, child.status, result=child.result, error=error)

    def _call(self, execution: Execution, key: str, function: Function, payload: str) -> None:
        call = self._calls.call(function, payload)
        result, error = call.result, call.error
        if result is not None and len(result.encode()) > quotas.INVOKE_BYTES:
            limit = quotas.INVOKE_BYTES
            message = f"CHAINED_INVOKE output payload size must be at most {limit} bytes."
            result, error = None, ErrorObject(message, None, None, None)
        status = OperationStatus.FAILED if error else OperationStatus.SUCCEEDED
        self._complete(execution, key, status, result=result, error=error)

    def _complete(
        self,
        execution: Execution,
        key: str,
        status: OperationStatus,
        *,
        result: str | None = None,
        error: ErrorObject | None = None,
    ) -> None:
        operation = execution.operations[key]
        if execution.is_running and not transitions.is_terminal(operation):
            ended = transitions.invoke_ended(
                operation, status, self._executions.clock.now, result=result, error=error
            )
            self._executions.apply_change(execution, ended, result, error)
