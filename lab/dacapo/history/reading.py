"""Any history as a recording, to be looked at: also one that cannot be replayed.

`files.load` refuses what the SDK could not replay. A person who wants to see what an execution did
is better served by what there is: an export without payloads, of an execution in flight, or without
its last pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    OperationSubType,
    OperationType,
)

from dacapo import metering
from dacapo.errors import HistoryError
from dacapo.history import files
from dacapo.history.operations import recorded_operations
from dacapo.history.rebuild import operation_states
from dacapo.history.recording import Recording
from dacapo.service.events import Event
from dacapo.service.execution import ExecutionStatus, Invocation, InvocationStatus
from dacapo.service.sandboxes import TIMED_OUT

EXPORT = "export"
RECORDING = "recording"
_BY_THE_SERVICE = ("WaitSucceeded", "ExecutionStarted", "ExecutionPaused", "ExecutionResumed")
_ENDS = {
    "ExecutionSucceeded": ExecutionStatus.SUCCEEDED,
    "ExecutionFailed": ExecutionStatus.FAILED,
    "ExecutionTimedOut": ExecutionStatus.TIMED_OUT,
    "ExecutionStopped": ExecutionStatus.STOPPED,
}


@dataclass(frozen=True)
class Read:
    """A history that was read.

    Parameters:
        recording: the execution.
        origin: `recording` for one of dacapo's, `export` for one from AWS.
        is_whole: whether every page of it is there, with its payloads: it can be replayed.
    """

    recording: Recording
    origin: str
    is_whole: bool = True


def read(path: Path) -> Read:
    """Read the history in a file.

    Parameters:
        path: what `dacapo run --save` or `dacapo history` wrote, or the output of `aws lambda
            get-durable-execution-history`: one page, a list of pages, or pages one after the other.

    Raises:
        HistoryError: it holds no history; the message is one line.
    """
    content = files.content_of(path)
    try:
        if "meta" in content:
            return Read(Recording.from_json(content), RECORDING)
        return _of_export(content)
    except HistoryError as error:
        raise HistoryError(f"{path} {error}") from error
    except files.DAMAGE as error:
        raise HistoryError(f"{path} holds neither a recording nor a history") from error


def _of_export(content: Mapping[str, Any]) -> Read:
    events = files.events_of(content)
    files.check_events(events)
    is_whole = files.is_whole(content) and not any(map(_lacks_data, events))
    return Read(_recording(list(map(_without_truncated, events)), content), EXPORT, is_whole)


def _lacks_data(event: Event) -> bool:
    return any(_is_truncated(value) for value in event.details.values())


def _is_truncated(value: object) -> bool:
    # AWS's own runner says of the errors of contexts that they are truncated, and has them whole.
    is_marked = isinstance(value, Mapping) and bool(value.get("Truncated"))
    return is_marked and not isinstance(value.get("Payload"), Mapping)  # type: ignore[attr-defined]


def _without_truncated(event: Event) -> Event:
    """Return an event without payloads of which only a part is there."""
    details = {k: {} if _is_truncated(v) else v for k, v in event.details.items()}
    return replace(event, details=details)


def _recording(events: list[Event], content: Mapping[str, Any]) -> Recording:
    final = {state.operation_id: state for state in operation_states(events)}
    execution = content.get("Execution") or {}
    arn = files.declared_arn(content)
    declared = content.get("FunctionName") or execution.get("FunctionName")
    function = str(declared or arn.partition(":function:")[2].partition(":")[0])
    last = next((event for event in reversed(events) if event.type in _ENDS), None)
    details = last.details if last else {}
    error = (details.get("Error") or {}).get("Payload")
    return Recording(
        scenario="",
        engine=EXPORT,
        seed=0,
        arn=files.arn_of(content, events[0]),
        function=function.rpartition(":function:")[2],
        status=_ENDS[last.type] if last else ExecutionStatus.RUNNING,
        payload=str((events[0].details.get("Input") or {}).get("Payload") or ""),
        output=(details.get("Result") or {}).get("Payload"),
        error=ErrorObject.from_dict(dict(error)) if isinstance(error, Mapping) else None,
        started=events[0].timestamp,
        ended=last.timestamp if last else None,
        events=events,
        operations=recorded_operations(final),
        invocations=list(_invocations(events)),
        deliveries=[],
        charged_operations=_charged(events),
        bytes_written=sum(map(_bytes, events)),
        updates=0,
    )


def _invocations(events: Sequence[Event]) -> Iterator[Invocation]:
    """Yield the invocations that a history names, and the one that was running."""
    begun = 0
    has_ended = any(event.type in _ENDS for event in events)
    completed = [n for n, event in enumerate(events) if event.type == "InvocationCompleted"]
    for number, position in enumerate(completed):
        event = events[position]
        before = _before(events, begun, position)
        started = event.details.get("StartTimestamp") or events[before].timestamp
        error = (event.details.get("Error") or {}).get("Payload")
        failure = ErrorObject.from_dict(dict(error)) if isinstance(error, Mapping) else None
        is_last = has_ended and number == len(completed) - 1
        yield Invocation(
            request_id=str(event.details.get("RequestId") or ""),
            started=started,
            ended=event.details.get("EndTimestamp") or event.timestamp,
            events_before=before,
            events_after=position + 1,
            replayed=0,
            status=_status(failure, events[position + 1 :] if is_last else ()),
            error=failure,
        )
        begun = position + 1
    before = _before(events, begun, len(events))
    if not has_ended and before < len(events):
        yield Invocation("", events[before].timestamp, before, 0)


def _before(events: Sequence[Event], first: int, last: int) -> int:
    """Return the position of the first event that the handler itself wrote."""
    for position in range(first, last):
        if not _is_by_the_service(events[position]):
            return position
    return last


def _is_by_the_service(event: Event) -> bool:
    is_outside = event.type.startswith(("Callback", "ChainedInvoke")) and not event.is_start
    return is_outside or event.type in _BY_THE_SERVICE


def _status(error: ErrorObject | None, rest: Sequence[Event]) -> InvocationStatus:
    ends = {event.type for event in rest}
    if "ExecutionSucceeded" in ends:
        return InvocationStatus.SUCCEEDED
    if error is None:
        return InvocationStatus.PENDING
    if error.type == TIMED_OUT:
        return InvocationStatus.TIMED_OUT
    return InvocationStatus.FAILED if "ExecutionFailed" in ends else InvocationStatus.DIED


def _charged(events: Sequence[Event]) -> int:
    """Return how many operations AWS charges, as `metering.operations_charged` counts them."""
    charged, seen = metering.OPERATIONS_PER_EXECUTION, set[str]()
    for event in events:
        kind = event.meaning[0] if event.meaning else OperationType.EXECUTION
        if kind is OperationType.EXECUTION or event.operation_id is None:
            continue
        is_poll = event.sub_type == OperationSubType.WAIT_FOR_CONDITION
        is_end = kind is OperationType.STEP and not event.is_start
        charged += event.operation_id not in seen
        charged += is_end and (is_poll or event.retry_delay is not None)
        seen.add(event.operation_id)
    return charged


def _bytes(event: Event) -> int:
    payload = (event.details.get("Result") or event.details.get("Input") or {}).get("Payload")
    error = (event.details.get("Error") or {}).get("Payload")
    failure = ErrorObject.from_dict(dict(error)) if isinstance(error, Mapping) else None
    return metering.bytes_of(payload if isinstance(payload, str) else None, failure)
