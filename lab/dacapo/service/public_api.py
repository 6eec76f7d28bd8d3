"""The public Lambda API of a run: Invoke, the callback calls, Get, List, History and Stop.

Each method answers one operation of botocore's model, from a parsed HTTP request to an HTTP
response; `simulation.boto` connects them to unmodified boto3.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from dacapo.service.errors import ServiceError, invalid
from dacapo.service.execution import Execution
from dacapo.service.functions import VERSION, Function
from dacapo.service.http import Request, Response, page
from dacapo.service.service import DurableService


class PublicApi:
    """Answers the API calls of a run.

    Parameters:
        service: the service with the run's executions, callbacks and functions.
    """

    def __init__(self, service: DurableService) -> None:
        self._service = service
        self._faults: dict[str, deque[ServiceError]] = {}

    def caller(self) -> str:
        """Return the current caller: a function's name, or an outside party."""
        return self._service.callers.name()

    def execution(self) -> str:
        """Return the ARN of the execution that the current caller acts for; "" for none."""
        return self._service.callers.execution()

    def fail_next(self, operation: str, error: ServiceError, times: int = 1) -> None:
        """Make the next calls of an operation fail, as when the service throttles or is down."""
        self._faults.setdefault(operation, deque()).extend([error] * times)

    def answer(self, operation: str, request: Request) -> Response:
        """Answer one call of an operation.

        Parameters:
            operation: its name in botocore's model.
            request: the parsed request.

        Raises:
            ServiceError: an error of the model.
        """
        self._service.callers.flush()
        faults = self._faults.get(operation)
        if faults:
            raise faults.popleft()
        call: Callable[[Request], Response] = {
            "Invoke": self._invoke,
            "SendDurableExecutionCallbackSuccess": self._callback_success,
            "SendDurableExecutionCallbackFailure": self._callback_failure,
            "SendDurableExecutionCallbackHeartbeat": self._callback_heartbeat,
            "GetDurableExecution": self._get,
            "GetDurableExecutionHistory": self._history,
            "ListDurableExecutionsByFunction": self._list,
            "StopDurableExecution": self._stop,
        }[operation]
        return call(request)

    # -- Invoke -------------------------------------------------------------------------------

    def _invoke(self, request: Request) -> Response:
        function, qualifier = self._service.functions.find(
            request.path["FunctionName"], request.parameter("Qualifier") or None
        )
        payload = request.body.decode() or "null"
        _check_json(payload)
        kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
        if kind == "DryRun":
            return Response(b"", 204)
        if function.is_durable:
            if qualifier is None:
                raise invalid("You cannot invoke a durable function using an unqualified ARN.")
            name = request.headers.get("x-amz-durable-execution-name")
            return self._invoke_durable(function, payload, name, is_event=kind == "Event")
        if kind == "Event":
            self._service.calls.call_later(function, payload)
            return Response(b"", 202)
        call = self._service.calls.call(function, payload)
        return _invoked(call.result, call.error)

    def _invoke_durable(
        self, function: Function, payload: str, name: str | None, *, is_event: bool
    ) -> Response:
        execution = self._service.start(function, payload, name, is_synchronous=not is_event)
        headers = {"X-Amz-Durable-Execution-Arn": execution.arn}
        if is_event:
            return Response(b"", 202, headers)
        self._service.wait_for(execution)
        return _invoked(execution.result, execution.error, headers)

    # -- callbacks ----------------------------------------------------------------------------

    def _callback_success(self, request: Request) -> Response:
        self._service.callbacks.succeed(request.path["CallbackId"], request.body)
        return Response()

    def _callback_failure(self, request: Request) -> Response:
        error = _error_in(request.body) or ErrorObject(None, None, None, None)
        self._service.callbacks.fail(request.path["CallbackId"], error)
        return Response()

    def _callback_heartbeat(self, request: Request) -> Response:
        self._service.callbacks.heartbeat(request.path["CallbackId"])
        return Response()

    # -- executions ---------------------------------------------------------------------------

    def _get(self, request: Request) -> Response:
        execution = self._service.find(request.path["DurableExecutionArn"])
        with_data = request.parameter("IncludeExecutionData", "true") == "true"
        body = _summary(execution) | {
            "Version": VERSION,
            "ExecutionDataIncluded": with_data,
            "DurableConfig": {"ExecutionTimeout": int(execution.timeout.total_seconds())},
        }
        if execution.is_running:
            body["ExpectedExecutionTimeoutTimestamp"] = execution.started + execution.timeout
        if with_data:
            error = execution.error.to_dict() if execution.error else None
            data = {"InputPayload": execution.payload, "Result": execution.result, "Error": error}
            body |= {member: value for member, value in data.items() if value is not None}
        return Response(body)

    def _history(self, request: Request) -> Response:
        execution = self._service.find(request.path["DurableExecutionArn"])
        events = [event.to_api() for event in execution.log.events]
        if request.parameter("ReverseOrder") == "true":
            events.reverse()
        if request.parameter("IncludeExecutionData", "true") != "true":
            events = [_without_data(event) for event in events]
        return page(request, "Events", events)

    def _list(self, request: Request) -> Response:
        function, _ = self._service.functions.find(request.path["FunctionName"])
        executions = [
            _summary(execution)
            for execution in self._service.executions.values()
            if execution.function.name == function.name and _matches(execution, request)
        ]
        if request.parameter("ReverseOrder") == "true":
            executions.reverse()
        return page(request, "DurableExecutions", executions)

    def _stop(self, request: Request) -> Response:
        execution = self._service.stop(request.path["DurableExecutionArn"], _error_in(request.body))
        return Response({"StopTimestamp": execution.ended})


def _check_json(payload: str) -> None:
    try:
        json.loads(payload)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise ServiceError("InvalidRequestContentException", message, 400) from error


def _error_in(body: bytes) -> ErrorObject | None:
    return ErrorObject.from_dict(json.loads(body)) if body else None


def _invoked(
    result: str | None, error: ErrorObject | None, headers: Mapping[str, str] | None = None
) -> Response:
    headers = {"X-Amz-Executed-Version": VERSION, **(headers or {})}
    if error is None:
        return Response((result or "null").encode(), headers=headers)
    body = {"errorMessage": error.message, "errorType": error.type}
    return Response(body, headers=headers | {"X-Amz-Function-Error": "Unhandled"})


def _summary(execution: Execution) -> dict[str, Any]:
    body = {
        "DurableExecutionArn": execution.arn,
        "DurableExecutionName": execution.name,
        "FunctionArn": f"{execution.function.arn}:{VERSION}",
        "Status": execution.execution_status,
        "StartTimestamp": execution.started,
    }
    return body if execution.ended is None else body | {"EndTimestamp": execution.ended}


def _matches(execution: Execution, request: Request) -> bool:
    name = request.parameter("DurableExecutionName")
    statuses = request.query.get("Statuses")
    after, before = request.parameter("StartedAfter"), request.parameter("StartedBefore")
    return (
        (not name or execution.name == name)
        and (not statuses or execution.execution_status in statuses)
        and (not after or execution.started > _time(after))
        and (not before or execution.started < _time(before))
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k != "Payload"}
        return value

    return {member: strip(value) for member, value in event.items()}
