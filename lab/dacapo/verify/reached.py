"""Which recorded operations did a replay go past without reading them back?"""

from __future__ import annotations

from collections.abc import Iterator

from aws_durable_execution_sdk_python.lambda_service import (
    Operation,
    OperationAction,
    OperationType,
)

from dacapo.recorded import BATCHES
from dacapo.replay import Trace
from dacapo.verify.batches import ended_early_in, is_inside
from dacapo.verify.log import Log
from dacapo.versions import state_after


def passed_by(log: Log, count: int, trace: Trace) -> Iterator[Operation]:
    """The operations of a point that the handler will never read, in the order of their starts.

    Branches do not wait for each other: what another one does says nothing of an operation.
    """
    went_on, ended = _went_on(log, trace), _ended(trace)
    early = ended_early_in(log, trace)
    for operation in state_after(log.versions[:count]):
        if operation.operation_type is OperationType.EXECUTION:
            continue
        if operation.operation_id in trace.reads:
            continue
        if is_inside(operation.parent_id, early, log, trace):
            continue
        if trace.has_ended or _is_past(log, operation, went_on, ended):
            yield operation


def _ended(trace: Trace) -> set[str]:
    """Contexts that the handler is about to end."""
    updates = (attempt.update for attempt in trace.attempts)
    return {u.operation_id for u in updates if u.action is not OperationAction.START}


def _went_on(log: Log, trace: Trace) -> set[str | None]:
    """Contexts in which something new is about to be done."""
    bodies = (log.final[key] for key in trace.bodies if key in log.final)
    return {attempt.update.parent_id for attempt in trace.attempts} | {b.parent_id for b in bodies}


def _is_past(log: Log, operation: Operation, went_on: set[str | None], ended: set[str]) -> bool:
    parent_id = operation.parent_id
    while parent := log.final.get(parent_id or ""):
        if parent_id in ended or (parent.sub_type not in BATCHES and parent_id in went_on):
            return True
        parent_id = parent.parent_id
    return parent_id in went_on
