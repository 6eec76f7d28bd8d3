"""Batches (`map`, `parallel`) that end before all of their branches have.

Which branches are first is a matter of their order, so what is done in the others, and whether they
are begun at all, may be something else in every replay. What came first is recorded, and holds.
"""

from __future__ import annotations

import json

from aws_durable_execution_sdk_python.lambda_service import OperationAction

from dacapo.recorded import BATCHES
from dacapo.replay import Trace
from dacapo.verify.log import Log

_EARLY = ("MIN_SUCCESSFUL_REACHED", "FAILURE_TOLERANCE_EXCEEDED")


def ends_early(payload: str | None) -> bool:
    """Whether a batch came to its result with branches left over, as the SDK stores it."""
    try:
        stored = json.loads(payload or "null")
    except ValueError:
        return False
    if isinstance(stored, dict) and "v" in stored:
        stored = stored["v"]  # the SDK's serializer puts the type beside the value
    reason = stored.get("completionReason") if isinstance(stored, dict) else None
    if isinstance(reason, dict):
        reason = reason.get("v")
    return reason in _EARLY or str(reason).startswith("CUSTOM")


def ended_early_in(log: Log, trace: Trace) -> set[str]:
    """Ids of the batches that ended early: in the log, or in what a replay is about to do."""
    logged = {
        operation.operation_id
        for operation in log.final.values()
        if operation.sub_type in BATCHES
        and operation.context_details
        and ends_early(operation.context_details.result)
    }
    ending = {
        attempt.update.operation_id
        for attempt in trace.attempts
        if attempt.update.sub_type in BATCHES
        and attempt.update.action is not OperationAction.START
        and ends_early(attempt.update.payload)
    }
    return logged | ending


def is_inside(key: str | None, batches: set[str], log: Log, trace: Trace) -> bool:
    """Whether a context is one of these batches, or inside one."""
    started = {attempt.update.operation_id: attempt.update.parent_id for attempt in trace.attempts}
    while key is not None:
        if key in batches:
            return True
        known = log.final.get(key)
        key = known.parent_id if known else started.get(key)
    return False
