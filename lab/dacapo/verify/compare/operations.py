"""Compare what a handler is about to do with what its history says, operation by operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
)

from dacapo.history.endings import short_type
from dacapo.history.operations import BATCHES, ends_early, label_of
from dacapo.history.replay_log import Log
from dacapo.sdk.replayer import Trace
from dacapo.sdk.serializers import given_by
from dacapo.service import transitions
from dacapo.verify.findings import Code, contrast, shorten
from dacapo.verify.observe.results import are_equal

Difference = tuple[Code, str]


def differences(log: Log, update: OperationUpdate, trace: Trace) -> Iterator[Difference]:
    """Yield how something that a handler attempts differs from what was recorded.

    Parameters:
        trace: what it did so far; it knows the serializers.
    """
    recorded = log.final.get(update.operation_id)
    if recorded is None:
        if log.is_complete:
            message = f"it starts {named(update)!r}, which the history does not have"
            yield Code.DIFFERENT_OPERATION, message
    elif _identity(update) != _identity(recorded):
        message = f"it starts {named(update)!r} where the history has {label_of(recorded)!r}"
        if named(update) == label_of(recorded):
            message += ", as another kind of operation or in another context"
        yield Code.DIFFERENT_OPERATION, message
    elif update.action is OperationAction.START:
        yield from _different_options(log, update, trace)
    elif update.operation_type is OperationType.CONTEXT:
        yield from _different_result(log, update, recorded, trace)


def old_name(log: Log, update: OperationUpdate) -> str:
    """Return the recorded name of what is attempted under another one; "" if it has none."""
    recorded = log.final.get(update.operation_id)
    if recorded is None or recorded.name == update.name:
        return ""
    is_same_kind = _identity(replace(update, name=recorded.name)) == _identity(recorded)
    return (recorded.name or "") if is_same_kind else ""


def named(update: OperationUpdate) -> str:
    """Return the name of an update's operation, or its type if it has none."""
    return update.name or update.sub_type or update.operation_type.value


def delay(update: OperationUpdate) -> int | None:
    """Return the pause before the next attempt, in seconds."""
    return update.step_options.next_attempt_delay_seconds if update.step_options else None


def same(one: str | None, other: str | None) -> bool:
    """Return whether two payloads hold the same values, however they are written."""
    try:
        return are_equal(one and json.loads(one), other and json.loads(other))
    except (ValueError, RecursionError):  # of a serializer of the handler's own
        return one == other


def _gives_same(
    log: Log, operation_id: str, now: str | None, then: str | None, trace: Trace
) -> bool:
    """Return whether a serializer gives the same for what it stores now and stored then."""
    if same(now, then):
        return True
    serdes = trace.serializers.get(operation_id)
    if serdes is None or now is None or then is None:
        return False
    try:
        values = [given_by(serdes, stored, operation_id, log.arn) for stored in (now, then)]
    except Exception:  # noqa: BLE001 - it cannot read back what it wrote, or what it wrote is gone
        return operation_id in log.frozen_results
    return are_equal(*values)


def _different_options(log: Log, update: OperationUpdate, trace: Trace) -> Iterator[Difference]:
    details, name = log.starts[update.operation_id].details, named(update)
    if update.wait_options:
        now, then = update.wait_options.wait_seconds, details.get("Duration")
        if now != then:
            yield Code.DIFFERENT_WAIT, f"{name!r} waits {now} s; the history says {then} s"
    if update.callback_options:
        options = update.callback_options
        times = options.timeout_seconds, options.heartbeat_timeout_seconds
        logged = details.get("Timeout") or 0, details.get("HeartbeatTimeout") or 0
        if times != logged:
            message = (
                f"{name!r} has (timeout, heartbeat timeout) {times} s; the history says {logged} s"
            )
            yield Code.DIFFERENT_CALLBACK, message
    if update.chained_invoke_options:
        target = update.chained_invoke_options.function_name, update.payload
        payload = (details.get("Input") or {}).get("Payload")
        invoked = details.get("FunctionName"), payload
        is_same = _gives_same(log, update.operation_id, update.payload, payload, trace)
        if target[0] != invoked[0] or not is_same:
            yield Code.DIFFERENT_INVOKE, f"{name!r} invokes {target}; the history says {invoked}"


def _different_result(
    log: Log, update: OperationUpdate, recorded: Operation, trace: Trace
) -> Iterator[Difference]:
    details = recorded.context_details
    if details is None or not transitions.is_terminal(recorded):
        return
    if update.action is OperationAction.FAIL and recorded.status is OperationStatus.SUCCEEDED:
        error = update.error or ErrorObject(None, None, None, None)
        kind, text = short_type(error.type), shorten(error.message)
        message = f"{named(update)!r} fails with {kind}: {text}; the history says that it succeeded"
        yield Code.ENDED_EARLY, message
    elif not _gives_same(log, update.operation_id, update.payload, details.result, trace):
        now, then = contrast(update.payload, details.result)
        yield Code.DIFFERENT_RESULT, f"{named(update)!r} returns {now}, not {then}"


def _identity(operation: Operation | OperationUpdate) -> tuple[object, ...]:
    return (
        operation.operation_type,
        operation.sub_type or None,
        operation.name or None,
        operation.parent_id or None,
    )


# Batches (`map`, `parallel`) may end before all of their branches have. Which branches are first
# depends on their order, so what is done in the others, and whether they begin at all, may differ
# in every replay. What came first is recorded, and holds.


def ended_early_in(log: Log, trace: Trace) -> set[str]:
    """Return ids of batches that ended early: in the log, or in what a replay is about to do."""
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
    """Return whether a context is one of these batches, or inside one."""
    started = {attempt.update.operation_id: attempt.update.parent_id for attempt in trace.attempts}
    while key is not None:
        if key in batches:
            return True
        known = log.final.get(key)
        key = known.parent_id if known else started.get(key)
    return False
