"""Invoke: the checks of the service, and the functions that it starts.

The limits are those of the model's InvocationRequest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from dacapo.lambda_api.http import Request, Response
from dacapo.service import quotas, validation
from dacapo.service.errors import ServiceError, invalid, too_large, unqualified
from dacapo.service.functions import Function
from dacapo.service.service import DurableService

_TYPES = ("RequestResponse", "Event", "DryRun")


def invoke(service: DurableService, request: Request) -> Response:
    """Answer an Invoke.

    Raises:
        ServiceError: a parameter is invalid, the payload is too large or not JSON, or the function
            does not exist or can't be invoked in this way.
    """
    function = _function(service, request)
    kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
    if kind not in _TYPES:
        raise invalid(f"InvocationType must be one of {', '.join(_TYPES)}, not {kind!r}.")
    payload = _payload(request, is_event=kind == "Event")
    name = request.headers.get("x-amz-durable-execution-name")
    _check_durable(function, name, is_synchronous=kind == "RequestResponse")
    if kind == "DryRun":
        return Response(b"", 204)
    if function.is_durable:
        return _start(service, request, function, payload, name, is_event=kind == "Event")
    if kind == "Event":
        service.calls.call_later(function, payload)
        return Response(b"", 202)
    call = service.calls.call(function, payload)
    return _invoked(function, call.result, call.error, call.request_id)


def _function(service: DurableService, request: Request) -> Function:
    function, qualifier = service.functions.find(
        request.path["FunctionName"], request.parameter("Qualifier") or None
    )
    tenant_id = request.headers.get("x-amz-tenant-id")
    validation.check_tenant(tenant_id)
    return function.invoked_by(qualifier, tenant_id)


def _payload(request: Request, *, is_event: bool) -> str:
    limit = quotas.ASYNCHRONOUS_BYTES if is_event else quotas.RESPONSE_BYTES
    if len(request.body) > limit:
        raise too_large(limit)
    try:
        payload = request.body.decode() or "null"
        json.loads(payload)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise ServiceError("InvalidRequestContentException", message, 400) from error
    return payload


def _check_durable(function: Function, name: str | None, *, is_synchronous: bool) -> None:
    if name is not None and not function.is_durable:
        raise invalid("DurableExecutionName is only valid for a durable function.")
    if name is not None:
        validation.check_execution_name(name)
    if not function.is_durable:
        return
    if function.qualifier is None:
        raise unqualified()
    # A function without a timeout of its own is bounded by 15 minutes instead, because a scenario
    # need not set one.
    timeout = function.execution_timeout
    if is_synchronous and timeout is not None and timeout > quotas.SYNCHRONOUS_EXECUTION:
        # The service answers in these words.
        raise invalid(
            "You cannot synchronously invoke a durable function with an executionTimeout greater "
            "than 15 minutes"
        )


def _start(
    service: DurableService,
    request: Request,
    function: Function,
    payload: str,
    name: str | None,
    *,
    is_event: bool,
) -> Response:
    execution = service.start(
        function,
        payload,
        name,
        is_synchronous=not is_event,
        trace_id=request.headers.get("x-amzn-trace-id"),
    )
    headers = {"X-Amz-Durable-Execution-Arn": execution.arn}
    if is_event:
        return Response(b"", 202, headers)
    service.wait_for(execution)
    request_id = execution.invocations[-1].request_id if execution.invocations else ""
    return _invoked(function, execution.result, execution.error, request_id, headers)


def _invoked(
    function: Function,
    result: str | None,
    error: ErrorObject | None,
    request_id: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    headers = {"X-Amz-Executed-Version": function.version, **(headers or {})}
    if error is None:
        return Response((result or "null").encode(), headers=headers)
    # As Lambda's runtime reports it (awslambdaric).
    body = {
        "errorMessage": error.message,
        "errorType": error.type,
        "requestId": request_id,
        "stackTrace": error.stack_trace or [],
    }
    return Response(body, headers=headers | {"X-Amz-Function-Error": "Unhandled"})
