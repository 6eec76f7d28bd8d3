"""Invariants of every history that the service writes, independent of the handler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from aws_durable_execution_sdk_python.lambda_service import Operation, OperationType

from dacapo.history.recording import Recording
from dacapo.service.events import Event


def assert_valid(recording: Recording) -> None:
    """Assert that a history is complete, in order, and consistent with its operations."""
    stored = {operation.id: operation.stored for operation in recording.operations}
    assert_valid_history(recording.events, stored)


def assert_valid_history(events: Iterable[Event], operations: Mapping[str, Operation]) -> None:
    events = list(events)
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))
    times = [event.timestamp for event in events]
    assert times == sorted(times)
    assert events[0].type == "ExecutionStarted"
    of_operations = [e for e in events if e.operation_id in operations]
    _assert_each_starts_and_ends(of_operations, operations)
    _assert_parents_come_first(of_operations)


def _assert_each_starts_and_ends(events: list[Event], operations: Mapping[str, Operation]) -> None:
    started = Counter(e.operation_id for e in events if e.is_start)
    ended = Counter(e.operation_id for e in events if _is_end(e))
    for key, operation in operations.items():
        is_over = operation.end_timestamp is not None
        may_lack_start = operation.operation_type in (OperationType.STEP, OperationType.CONTEXT)
        assert started[key] or may_lack_start, f"{operation.name} never started"
        assert ended[key] == int(is_over), f"{operation.name} ended {ended[key]} times"
        last = [e for e in events if e.operation_id == key][-1]
        assert not is_over or last.timestamp == operation.end_timestamp


def _is_end(event: Event) -> bool:
    retries = "NextAttemptDelaySeconds" in event.details.get("RetryDetails", {})
    return not event.is_start and not retries


def _assert_parents_come_first(events: list[Event]) -> None:
    seen: set[str | None] = set()
    for event in events:
        parent = event.parent_id
        assert parent is None or parent in seen, f"{event} precedes its parent"
        seen.add(event.operation_id)
