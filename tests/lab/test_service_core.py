"""The service refuses what is not legal, with a reason, and ends an execution once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aws_durable_execution_sdk_python.lambda_service import (
    ChainedInvokeOptions,
    OperationAction,
    OperationType,
    OperationUpdate,
    StepOptions,
    WaitOptions,
)

from dacapo.service.errors import ServiceError
from dacapo.service.execution import Execution
from dacapo.service.service import DurableService
from tests.lab.services import ERROR, new_service


def checkpoint(service: DurableService, execution: Execution, *updates: OperationUpdate) -> Any:
    return service.checkpoints.store(execution.arn, execution.token, updates)


def step_update(action: OperationAction, **members: Any) -> OperationUpdate:
    return OperationUpdate("step", OperationType.STEP, action, name="step", **members)


def wait_update(action: OperationAction, seconds: int | None = None) -> OperationUpdate:
    options = None if seconds is None else WaitOptions(seconds)
    return OperationUpdate("wait", OperationType.WAIT, action, wait_options=options)


def invoke_update(function: str | None, tenant_id: str | None = None) -> OperationUpdate:
    return OperationUpdate(
        "invoke",
        OperationType.CHAINED_INVOKE,
        OperationAction.START,
        chained_invoke_options=ChainedInvokeOptions(function, tenant_id) if function else None,
    )


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ([step_update(OperationAction.START, parent_id="nobody")], "Invalid parent"),
        ([step_update(OperationAction.START, sub_type="no spaces")], "subtype"),
        ([replace(step_update(OperationAction.START), name="é")], "printable ASCII"),
        ([replace(step_update(OperationAction.START), name="x" * 257)], "1 to 256"),
        (
            [step_update(OperationAction.START), step_update(OperationAction.RETRY)],
            "Invalid StepOptions for the given action",
        ),
        (
            [
                step_update(OperationAction.START),
                step_update(OperationAction.SUCCEED, payload="x" * (256 * 1024 + 1)),
            ],
            "payload size",
        ),
        (
            [
                step_update(OperationAction.START),
                step_update(OperationAction.SUCCEED, payload="é" * (128 * 1024 + 1)),
            ],
            "payload size",
        ),
        (
            [
                step_update(OperationAction.START),
                step_update(OperationAction.FAIL, error=replace(ERROR, message="x" * 40_000)),
            ],
            "Error object size",
        ),
        (
            [step_update(OperationAction.START), step_update(OperationAction.FAIL, payload="1")],
            "Cannot provide a Payload",
        ),
        (
            [step_update(OperationAction.START), step_update(OperationAction.SUCCEED, error=ERROR)],
            "Cannot provide an Error",
        ),
        (
            [
                OperationUpdate("end", OperationType.EXECUTION, OperationAction.SUCCEED),
                step_update(OperationAction.START),
            ],
            "must be the last",
        ),
        (
            [OperationUpdate("end", OperationType.EXECUTION, OperationAction.RETRY)],
            "Invalid action for EXECUTION",
        ),
        ([wait_update(OperationAction.START, 31_622_401)], "WaitSeconds"),
        (
            [wait_update(OperationAction.START, 60), wait_update(OperationAction.CANCEL)],
            "Cannot checkpoint multiple operations with the same ID",
        ),
        (
            [
                step_update(OperationAction.START),
                step_update(OperationAction.SUCCEED),
                step_update(OperationAction.SUCCEED),
            ],
            "Cannot checkpoint multiple operations with the same ID",
        ),
        (
            [step_update(OperationAction.START, step_options=StepOptions(1))],
            "Invalid StepOptions for the given action",
        ),
        ([replace(step_update(OperationAction.START), operation_id="no spaces")], "Operation ID"),
        ([replace(step_update(OperationAction.START), operation_id="x" * 65)], "Operation ID"),
        ([invoke_update(None)], "requires ChainedInvokeOptions"),
        ([invoke_update("no spaces")], "Invalid function ARN 'no spaces'"),
        ([invoke_update("plain", tenant_id="#")], "TenantId must be"),
        (
            [step_update(OperationAction.START), invoke_update("999999999999:function:plain")],
            "Cannot start a CHAINED_INVOKE on a function in another account.",
        ),
        (
            [invoke_update("arn:aws:lambda:eu-west-1:123456789012:function:plain")],
            "Cannot start a CHAINED_INVOKE on a function in another region.",
        ),
    ],
)
def test_an_illegal_update_is_refused_with_a_reason(
    updates: list[OperationUpdate], message: str
) -> None:
    service, function = new_service()
    execution = service.start(function, "{}")
    with pytest.raises(ServiceError, match=message):
        checkpoint(service, execution, *updates)
    assert list(execution.operations) == [execution.invocation_id]


def test_a_repeated_start_is_idempotent() -> None:
    service, function = new_service()
    first = service.start(function, "{}", "name")
    assert service.start(function, "{}", "name") is first
    with pytest.raises(ServiceError, match="DurableExecutionAlreadyStartedException"):
        service.start(function, "[]", "name")


def test_an_update_that_ends_the_execution_returns_no_token() -> None:
    service, function = new_service()
    execution = service.start(function, "{}")
    ending = OperationUpdate(
        "end", OperationType.EXECUTION, OperationAction.SUCCEED, payload='"big"'
    )
    assert checkpoint(service, execution, ending).checkpoint_token is None
    assert (execution.status.value, execution.result) == ("SUCCEEDED", '"big"')
    assert execution.bytes_written == len("{}") + len('"big"')


def test_a_step_may_end_without_having_started_and_is_charged_then() -> None:
    service, function = new_service()
    execution = service.start(function, "{}")
    checkpoint(service, execution, step_update(OperationAction.SUCCEED, payload="1"))
    assert [event.type for event in execution.log.events] == ["ExecutionStarted", "StepSucceeded"]
    assert execution.charged_operations == 2
