"""The API's reads: one execution, its history, and the executions of a function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from dacapo.lambda_api.http import Request, Response, page
from dacapo.service import quotas, validation
from dacapo.service.errors import invalid
from dacapo.service.execution import Execution, ExecutionStatus
from dacapo.service.executions import Executions
from dacapo.service.functions import Functions, version_of


def get(executions: Executions, request: Request) -> Response:
    """Answer GetDurableExecution.

    Raises:
        ServiceError: there is no such execution.
    """
    execution = executions.find(request.path["DurableExecutionArn"])
    with_data = request.flag("IncludeExecutionData", default=True)
    body = _summary(execution) | {
        "Version": execution.function.version,
        "ExecutionDataIncluded": with_data,
        "DurableConfig": {
            "RetentionPeriodInDays": quotas.RETENTION_DAYS,
            "ExecutionTimeout": int(execution.timeout.total_seconds()),
        },
    }
    if execution.trace_id is not None:
        body["TraceHeader"] = {"XAmznTraceId": execution.trace_id}
    if execution.is_running:
        body["ExpectedExecutionTimeoutTimestamp"] = execution.deadline
    if execution.pause is not None:
        body["PauseDetails"] = _pause_details(execution, with_data=with_data)
    return Response(body | (_data(execution) if with_data else {}))


def history(executions: Executions, request: Request) -> Response:
    """Answer GetDurableExecutionHistory: oldest first, or newest first with ReverseOrder.

    Raises:
        ServiceError: there is no such execution, or the page does not exist.
    """
    execution = executions.find(request.path["DurableExecutionArn"])
    with_data = request.flag("IncludeExecutionData", default=True)
    events = [event.to_api(with_data=with_data) for event in execution.log.events]
    if request.flag("ReverseOrder", default=False):
        events.reverse()
    return page(request, "Events", events)


def list_by_function(executions: Executions, functions: Functions, request: Request) -> Response:
    """Answer ListDurableExecutionsByFunction: newest first, or oldest first with ReverseOrder.

    A qualifier selects the executions of the version to which it resolves.

    Raises:
        ServiceError: there is no such function, a filter is invalid, or the page does not exist.
    """
    function, qualifier = functions.find(
        request.path["FunctionName"], request.parameter("Qualifier") or None
    )
    _check_filters(request)
    summaries = [
        _summary(execution)
        for execution in executions.executions.values()
        if execution.function.name == function.name
        and not execution.is_deleted
        and (qualifier is None or execution.function.version == version_of(qualifier))
        and _matches(execution, request)
    ]
    if not request.flag("ReverseOrder", default=False):
        summaries.reverse()
    return page(request, "DurableExecutions", summaries)


def _summary(execution: Execution) -> dict[str, Any]:
    body = {
        "DurableExecutionArn": execution.arn,
        "DurableExecutionName": execution.name,
        # The service qualifies it with the executed version (testing SDK).
        "FunctionArn": f"{execution.function.arn}:{execution.function.version}",
        "Status": execution.execution_status,
        "StartTimestamp": execution.started,
    }
    return body if execution.ended is None else body | {"EndTimestamp": execution.ended}


def _data(execution: Execution) -> dict[str, Any]:
    error = execution.error.to_dict() if execution.error else None
    data = {"InputPayload": execution.payload, "Result": execution.result, "Error": error}
    return {member: value for member, value in data.items() if value is not None}


def _pause_details(execution: Execution, *, with_data: bool) -> dict[str, Any]:
    if execution.pause is None:
        return {}
    details: dict[str, Any] = {
        "PauseRequestTimestamp": execution.pause.requested,
        "ExecutionTimeoutPaused": execution.pause.stops_timeout,
    }
    if with_data and execution.pause.reason is not None:
        details["Reason"] = execution.pause.reason
    return details


def _check_filters(request: Request) -> None:
    name = request.parameter("DurableExecutionName")
    if name:
        validation.check_execution_name(name)
    statuses: Sequence[str] = request.query.get("Statuses", [])
    known = [status.value for status in ExecutionStatus]
    unknown = [status for status in statuses if status not in known]
    if unknown or len(statuses) > quotas.STATUSES:
        raise invalid(f"Statuses must be up to {quotas.STATUSES} of {', '.join(known)}.")


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
