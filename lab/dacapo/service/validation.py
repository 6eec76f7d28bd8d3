"""Validation of updates: each check raises `ServiceError` for an invalid one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
)

from dacapo.service import quotas
from dacapo.service.errors import invalid
from dacapo.service.functions import Function, FunctionName

_START, _SUCCEED = OperationAction.START, OperationAction.SUCCEED
_FAIL, _RETRY, _CANCEL = OperationAction.FAIL, OperationAction.RETRY, OperationAction.CANCEL
_OPEN = frozenset({None, OperationStatus.STARTED, OperationStatus.READY})
_NEW: frozenset[OperationStatus | None] = frozenset({None})

_LEGAL_FROM: Mapping[tuple[OperationType, OperationAction], frozenset[OperationStatus | None]] = {
    (OperationType.STEP, _START): frozenset({None, OperationStatus.READY}),
    (OperationType.STEP, _SUCCEED): _OPEN,
    (OperationType.STEP, _FAIL): _OPEN,
    (OperationType.STEP, _RETRY): _OPEN,
    (OperationType.CONTEXT, _START): _NEW,
    (OperationType.CONTEXT, _SUCCEED): frozenset({None, OperationStatus.STARTED}),
    (OperationType.CONTEXT, _FAIL): frozenset({None, OperationStatus.STARTED}),
    (OperationType.WAIT, _START): _NEW,
    (OperationType.WAIT, _CANCEL): frozenset({OperationStatus.STARTED}),
    (OperationType.CALLBACK, _START): _NEW,
    (OperationType.CHAINED_INVOKE, _START): _NEW,
}

_ID = re.compile(rf"[a-zA-Z0-9-_]{{1,{quotas.ID_LENGTH}}}")
_EXECUTION_NAME = re.compile(rf"[a-zA-Z0-9-_]{{1,{quotas.EXECUTION_NAME_LENGTH}}}")
_PRINTABLE = re.compile(r"[\x20-\x7E]+")
_SUB_TYPE = re.compile(r"[a-zA-Z0-9-_]{1,32}")
_TENANT_ID = re.compile(rf"[a-zA-Z0-9._:/=+\-@ ]{{1,{quotas.TENANT_ID_LENGTH}}}")


def check(current: Operation | None, update: OperationUpdate) -> None:
    """Refuse an update that is not legal for the operation.

    As in the testing SDK, a step and a context may end without having started: the SDK can send the
    end alone.

    Parameters:
        current: the operation before the update; None if it does not exist yet.
        update: the handler's checkpoint.

    Raises:
        ServiceError: the action is wrong for the type or the status, the identity differs, the
            options are out of range, or the payload is too large or not allowed here.
    """
    _check_legal(current, update)
    _check_identity(current, update)
    _check_payload(update)
    _check_options(update)


def check_parent(operations: Mapping[str, Operation], update: OperationUpdate) -> None:
    """Refuse an update whose parent is not an existing context.

    Raises:
        ServiceError: there is no such context.
    """
    if update.parent_id is None:
        return
    parent = operations.get(update.parent_id)
    if parent is None or parent.operation_type is not OperationType.CONTEXT:
        raise invalid("Invalid parent operation id.")


def check_batch(updates: Sequence[OperationUpdate]) -> None:
    """Refuse a batch that updates an operation twice (testing SDK).

    Only a step or a context may: it starts, and ends or is retried.

    Raises:
        ServiceError: another operation is updated twice, or one of these more often.
    """
    latest: dict[str, OperationUpdate] = {}
    for update in updates:
        before = latest.get(update.operation_id)
        latest[update.operation_id] = update
        if before is None:
            continue
        is_body = before.operation_type in (OperationType.STEP, OperationType.CONTEXT)
        if not is_body or before.action is not _START or update.action is _START:
            raise invalid("Cannot checkpoint multiple operations with the same ID.")


def check_target(update: OperationUpdate, function: Function) -> None:
    """Refuse a chained invoke without a target, or with one elsewhere (testing SDK).

    Parameters:
        update: the handler's checkpoint.
        function: the function that sends it.

    Raises:
        ServiceError: it has no options, the function's name or the tenant's ID is malformed, or the
            function is in another account or region.
    """
    if update.operation_type is not OperationType.CHAINED_INVOKE or update.action is not _START:
        return
    options = update.chained_invoke_options
    if options is None:
        raise invalid("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.")
    target = FunctionName.parse(options.function_name)
    for part, there, here in (
        ("account", target.account, function.account),
        ("region", target.region, function.region),
    ):
        if there not in (None, here):
            raise invalid(f"Cannot start a CHAINED_INVOKE on a function in another {part}.")
    check_tenant(options.tenant_id)


def check_tenant(tenant_id: str | None) -> None:
    """Refuse a malformed ID of a tenant (model: TenantId).

    Raises:
        ServiceError: it is malformed.
    """
    if tenant_id is not None and not _TENANT_ID.fullmatch(tenant_id):
        limit = quotas.TENANT_ID_LENGTH
        raise invalid(f"TenantId must be 1 to {limit} characters matching [a-zA-Z0-9._:/=+-@ ].")


def check_execution_name(name: str) -> None:
    """Refuse a malformed name of an execution (model: DurableExecutionName).

    Raises:
        ServiceError: it is malformed.
    """
    if not _EXECUTION_NAME.fullmatch(name):
        raise invalid(f"DurableExecutionName must match {_EXECUTION_NAME.pattern}, not {name!r}.")


def check_ending(update: OperationUpdate, limit: int) -> None:
    """Refuse an illegal update that ends the execution itself.

    Parameters:
        update: the handler's checkpoint.
        limit: bytes that the execution's result may have.

    Raises:
        ServiceError: it is not SUCCEED or FAIL, or its payload is too large or not allowed.
    """
    if update.action not in (_SUCCEED, _FAIL):
        raise invalid(f"Invalid action for EXECUTION operation: {update.action.value}.")
    _check_outcome(update)
    _check_size(update, limit)


def check_sent_error(error: ErrorObject) -> None:
    """Refuse a too large error from outside, for a callback or a stop (model: ErrorObject).

    Raises:
        ServiceError: its members have more than 1 MiB together.
    """
    texts = (error.message, error.type, error.data, *(error.stack_trace or ()))
    if sum(len(text.encode()) for text in texts if text) > quotas.SENT_ERROR_BYTES:
        raise invalid(f"Error must be at most {quotas.SENT_ERROR_BYTES} bytes.")


def start_of_page(marker: str, total: int) -> int:
    """Return the index of a page's first item.

    Parameters:
        marker: the NextMarker of the page before; "" for the first page.
        total: number of items.

    Raises:
        ServiceError: no page has this marker.
    """
    if not marker:
        return 0
    if not marker.isdecimal() or not 0 < int(marker) < total:
        raise invalid("Invalid Marker")
    return int(marker)


def _check_legal(current: Operation | None, update: OperationUpdate) -> None:
    kind = update.operation_type.value
    legal_from = _LEGAL_FROM.get((update.operation_type, update.action))
    if legal_from is None:
        raise invalid(f"Invalid action for {kind} operation: {update.action.value}.")
    status = current.status if current else None
    if status not in legal_from:
        current_status = status.value if status else "not started"
        raise invalid(f"Cannot {update.action.value} a {kind} that is {current_status}.")


def _check_identity(current: Operation | None, update: OperationUpdate) -> None:
    if current is None:
        if not _ID.fullmatch(update.operation_id):
            raise invalid(f"Operation ID {update.operation_id!r} must match {_ID.pattern}.")
        _check_name(update)
        return
    for field, old, new in (
        ("type", current.operation_type, update.operation_type),
        ("subtype", current.sub_type, update.sub_type),
        ("name", current.name, update.name),
        ("parent operation id", current.parent_id, update.parent_id),
    ):
        if new is not None and new != old:
            raise invalid(f"Inconsistent operation {field}.")


def _check_name(update: OperationUpdate) -> None:
    name = update.name
    if name and (len(name) > quotas.NAME_LENGTH or not _PRINTABLE.fullmatch(name)):
        raise invalid(
            f"Operation name {name!r} must be 1 to {quotas.NAME_LENGTH} printable ASCII characters."
        )
    if update.sub_type and not _SUB_TYPE.fullmatch(update.sub_type):
        raise invalid(f"Operation subtype {update.sub_type!r} must match [a-zA-Z0-9-_]{{1,32}}.")


def _check_payload(update: OperationUpdate) -> None:
    if update.payload is not None and update.error is not None:
        raise invalid(f"Cannot provide both Payload and Error to {update.action.value}.")
    _check_outcome(update)
    is_invoke = update.operation_type is OperationType.CHAINED_INVOKE
    _check_size(update, quotas.INVOKE_BYTES if is_invoke else quotas.PAYLOAD_BYTES)


def _check_outcome(update: OperationUpdate) -> None:
    if update.action is _FAIL and update.payload is not None:
        raise invalid("Cannot provide a Payload for FAIL action.")
    if update.action is _SUCCEED and update.error is not None:
        raise invalid("Cannot provide an Error for SUCCEED action.")


def _check_size(update: OperationUpdate, limit: int) -> None:
    if update.payload is not None and len(update.payload.encode()) > limit:
        kind = update.operation_type.value
        raise invalid(f"{kind} payload size must be less than or equal to {limit} bytes.")
    if update.error and len(json.dumps(update.error.to_dict())) > quotas.ERROR_BYTES:
        raise invalid(f"Error object size must be less than {quotas.ERROR_BYTES} bytes.")


def _check_options(update: OperationUpdate) -> None:
    if update.callback_options is not None:
        options, longest = update.callback_options, quotas.LONGEST_CALLBACK
        _check_range(options.timeout_seconds, longest, "CallbackOptions.TimeoutSeconds")
        _check_range(
            options.heartbeat_timeout_seconds, longest, "CallbackOptions.HeartbeatTimeoutSeconds"
        )
    if (update.step_options is not None) != (update.action is _RETRY):
        raise invalid("Invalid StepOptions for the given action.")
    if update.step_options is not None:
        delay = update.step_options.next_attempt_delay_seconds
        _check_range(delay, quotas.LONGEST_WAIT, "StepOptions.NextAttemptDelaySeconds", least=1)
    if update.operation_type is OperationType.WAIT and update.action is _START:
        seconds = update.wait_options.wait_seconds if update.wait_options else 0
        _check_range(seconds, quotas.LONGEST_WAIT, "WaitOptions.WaitSeconds", least=1)


def _check_range(seconds: int, longest: timedelta, option: str, least: int = 0) -> None:
    if not least <= seconds <= longest.total_seconds():
        raise invalid(f"{option} must be between {least} and {int(longest.total_seconds())}.")
