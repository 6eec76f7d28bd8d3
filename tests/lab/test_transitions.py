"""The legal transitions of every operation, exhaustively: all others are refused."""

from __future__ import annotations

from itertools import product

import pytest
from aws_durable_execution_sdk_python.lambda_service import (
    CallbackDetails,
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
    StepDetails,
    StepOptions,
    WaitOptions,
)

from dacapo.scenario import START
from dacapo.service import transitions
from dacapo.service.errors import ServiceError

LEGAL = {
    ("STEP", None, "START", "STARTED"),
    ("STEP", None, "SUCCEED", "SUCCEEDED"),
    ("STEP", None, "FAIL", "FAILED"),
    ("STEP", None, "RETRY", "PENDING"),
    ("STEP", "READY", "START", "STARTED"),
    ("STEP", "STARTED", "SUCCEED", "SUCCEEDED"),
    ("STEP", "READY", "SUCCEED", "SUCCEEDED"),
    ("STEP", "STARTED", "FAIL", "FAILED"),
    ("STEP", "READY", "FAIL", "FAILED"),
    ("STEP", "STARTED", "RETRY", "PENDING"),
    ("STEP", "READY", "RETRY", "PENDING"),
    ("CONTEXT", None, "START", "STARTED"),
    ("CONTEXT", None, "SUCCEED", "SUCCEEDED"),
    ("CONTEXT", None, "FAIL", "FAILED"),
    ("CONTEXT", "STARTED", "SUCCEED", "SUCCEEDED"),
    ("CONTEXT", "STARTED", "FAIL", "FAILED"),
    ("WAIT", None, "START", "STARTED"),
    ("WAIT", "STARTED", "CANCEL", "CANCELLED"),
    ("CALLBACK", None, "START", "STARTED"),
    ("CHAINED_INVOKE", None, "START", "STARTED"),
}


def update_of(kind: OperationType, action: OperationAction) -> OperationUpdate:
    error = ErrorObject("broken", None, None, None) if action is OperationAction.FAIL else None
    options = StepOptions(1) if action is OperationAction.RETRY else None
    return OperationUpdate(
        "id",
        kind,
        action,
        error=error,
        wait_options=WaitOptions(1),
        step_options=options,
    )


@pytest.mark.parametrize(
    ("kind", "status", "action"),
    list(product(OperationType, [None, *OperationStatus], OperationAction)),
)
def test_an_update_is_legal_or_refused(
    kind: OperationType, status: OperationStatus | None, action: OperationAction
) -> None:
    current = Operation("id", kind, status, start_timestamp=START) if status else None
    name = status.value if status else None
    after = {s.value for s in OperationStatus if (kind.value, name, action.value, s.value) in LEGAL}
    if not after:
        with pytest.raises(ServiceError, match="InvalidParameterValueException"):
            transitions.updated(current, update_of(kind, action), START, "callback id")
        return
    updated = transitions.updated(current, update_of(kind, action), START, "callback id")
    assert {updated.status.value} == after


def test_a_poll_keeps_its_state_when_the_next_attempt_starts() -> None:
    ready = Operation(
        "id", OperationType.STEP, OperationStatus.READY, step_details=StepDetails(2, result="7")
    )
    start = update_of(OperationType.STEP, OperationAction.START)
    started = transitions.updated(ready, start, START, "")
    assert started.step_details == StepDetails(2, result="7")


def test_only_a_callback_can_be_answered() -> None:
    step = Operation("id", OperationType.STEP, OperationStatus.STARTED)
    with pytest.raises(ValueError, match="not a callback"):
        transitions.callback_ended(step, OperationStatus.SUCCEEDED, START)


def test_an_answered_callback_keeps_its_callback_id() -> None:
    callback = Operation(
        "id",
        OperationType.CALLBACK,
        OperationStatus.STARTED,
        callback_details=CallbackDetails("callback id"),
    )
    ended = transitions.callback_ended(callback, OperationStatus.SUCCEEDED, START, result="1")
    assert ended.callback_details == CallbackDetails("callback id", "1")
    assert ended.end_timestamp == START
