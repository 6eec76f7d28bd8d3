"""What a handler is about to do, compared with what the log says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from aws_durable_execution_sdk_python.lambda_service import (
    Operation,
    OperationAction,
    OperationType,
    OperationUpdate,
)

from dacapo.history import details_of
from dacapo.recorded import label_of
from dacapo.service import transitions
from dacapo.verify.findings import Code
from dacapo.verify.log import Log

Difference = tuple[Code, str]


def differences(log: Log, update: OperationUpdate) -> Iterator[Difference]:
    """How something that a handler attempts is other than recorded."""
    recorded = log.final.get(update.operation_id)
    if recorded is None:
        if log.is_complete:
            message = f"it starts {named(update)!r}, which the log does not have"
            yield Code.OTHER_OPERATION, message
    elif _identity(update) != _identity(recorded):
        message = f"it starts {named(update)!r} where the log has {label_of(recorded)!r}"
        if named(update) == label_of(recorded):
            message += ", as another kind of operation or in another context"
        yield Code.OTHER_OPERATION, message
    elif update.action is OperationAction.START:
        yield from _other_options(log, update)
    elif update.operation_type is OperationType.CONTEXT:
        yield from _other_result(update, recorded)


def named(update: OperationUpdate) -> str:
    """An update's name, or what it is of if it has none."""
    return update.name or update.sub_type or update.operation_type.value


def delay(update: OperationUpdate) -> int | None:
    """The pause before the next attempt, in seconds."""
    return update.step_options.next_attempt_delay_seconds if update.step_options else None


def same(one: str | None, other: str | None) -> bool:
    """Whether two payloads hold the same, however they are written."""
    try:
        return bool((one and json.loads(one)) == (other and json.loads(other)))
    except ValueError:  # of a serializer of the handler's own
        return one == other


def short(text: str | None, most: int = 60) -> str:
    """A payload for people."""
    text = text or "nothing"
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def _other_options(log: Log, update: OperationUpdate) -> Iterator[Difference]:
    details, name = details_of(log.starts[update.operation_id]), named(update)
    if update.wait_options:
        now, then = update.wait_options.wait_seconds, details.get("Duration")
        if now != then:
            yield Code.OTHER_WAIT, f"{name!r} waits {now} s; the log says {then} s"
    if update.callback_options:
        options = update.callback_options
        times = options.timeout_seconds, options.heartbeat_timeout_seconds
        logged = details.get("Timeout") or 0, details.get("HeartbeatTimeout") or 0
        if times != logged:
            message = (
                f"{name!r} has (timeout, heartbeat timeout) {times} s; the log says {logged} s"
            )
            yield Code.OTHER_CALLBACK, message
    if update.chained_invoke_options:
        target = update.chained_invoke_options.function_name, update.payload
        invoked = details.get("FunctionName"), (details.get("Input") or {}).get("Payload")
        if target != invoked:
            yield Code.OTHER_INVOKE, f"{name!r} invokes {target}; the log says {invoked}"


def _other_result(update: OperationUpdate, recorded: Operation) -> Iterator[Difference]:
    details = recorded.context_details
    if details is None or not transitions.is_terminal(recorded):
        return
    if not same(update.payload, details.result):
        name, now, then = named(update), short(update.payload), short(details.result)
        yield Code.OTHER_RESULT, f"{name!r} returns {now}, not {then}"


def _identity(operation: Operation | OperationUpdate) -> tuple[object, ...]:
    return (
        operation.operation_type,
        operation.sub_type or None,
        operation.name or None,
        operation.parent_id or None,
    )
