"""Chained invokes: an execution waits for the result of another function."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    Operation,
    OperationStatus,
    OperationUpdate,
)

from dacapo.service import quotas, transitions
from dacapo.service.calls import Call, Calls
from dacapo.service.errors import ServiceError, unqualified
from dacapo.service.events import Event
from dacapo.service.execution import Execution
from dacapo.service.executions import Executions
from dacapo.service.functions import Function


class ChainedInvokes:
    """Starts the functions that handlers invoke, and returns their results."""

    def __init__(self, executions: Executions, calls: Calls) -> None:
        self._executions = executions
        self._calls = calls

    def start(
        self, execution: Execution, operation: Operation, update: OperationUpdate, event: Event
    ) -> None:
        """Start the invoked function; if that is refused, fail the operation immediately.

        It is refused if the function does not exist, or is durable and not qualified (SDK
        documentation: operations/invoke).

        Parameters:
            event: the ChainedInvokeStarted event; the version and the child's ARN are added to it.
        """
        key = operation.operation_id
        try:
            function = self._find(update)
        except ServiceError as refused:
            error = ErrorObject(refused.message, refused.code, None, None)
            self._complete(execution, key, OperationStatus.FAILED, error=error)
            return
        details = {"ExecutedVersion": function.version}
        payload = update.payload or "null"
        if function.is_durable:
            options = update.chained_invoke_options
            trace_id = (options and options.x_amzn_trace_id) or execution.trace_id
            child = self._executions.start(
                function, payload, parent=(execution, key), trace_id=trace_id
            )
            details["DurableExecutionArn"] = child.arn
        else:
            end = partial(self._on_call_ended, execution, key)
            self._executions.clock.schedule(
                timedelta(0),
                lambda: self._calls.start(function, payload, end),
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

    def _find(self, update: OperationUpdate) -> Function:
        options = update.chained_invoke_options
        if options is None:
            raise ValueError(f"{update.operation_id} is not a chained invoke")
        function, qualifier = self._executions.functions.find(options.function_name)
        if function.is_durable and qualifier is None:
            raise unqualified()
        return function.invoked_by(qualifier, options.tenant_id)

    def _on_call_ended(self, execution: Execution, key: str, call: Call) -> None:
        result, error = call.result, call.error
        if error is not None:  # without the trace, as in the testing SDK
            error = ErrorObject(error.message, error.type, error.data, None)
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
