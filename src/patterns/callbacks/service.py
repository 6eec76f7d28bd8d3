"""The durable service, as the registry uses it: send an answer, and ask what closed a callback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from patterns.callbacks import answers
from patterns.callbacks.answers import Kind
from patterns.transient import HTTP_CLIENT, TransientError, name_of

lambda_client: Any = boto3.client("lambda", config=HTTP_CLIENT)

_ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "DELETING"})
"""Statuses of an execution that waits for nothing any more (Lambda API: ExecutionStatus)."""
_ENDINGS = frozenset(
    {"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionStopped"}
)
"""Types of the event that ends a history (Lambda API: EventType)."""


class Reply(Enum):
    """Reply of the service to an answer or a heartbeat."""

    ACCEPTED = "accepted"
    CLOSED = "closed: answered, timed out, or its execution has ended"
    UNKNOWN = "unknown: the service has no such callback"


class NotSentYet(TransientError):  # noqa: N818 - not a fault: it asks the caller to redeliver
    """An answer or a heartbeat can't be delivered now; redeliver it."""


def send(kind: Kind, body: str, callback_id: str) -> Reply:
    """Send an answer.

    Parameters:
        body: a result, or the API's `Error` structure, as JSON text.

    Raises:
        NotSentYet: the service can't accept it now, or its reply was lost.
    """
    if kind == "success":
        send_it, answer = lambda_client.send_durable_execution_callback_success, {"Result": body}
    else:
        send_it = lambda_client.send_durable_execution_callback_failure
        answer = {"Error": json.loads(body)}
    return _reply(partial(send_it, CallbackId=callback_id, **answer))


def send_heartbeat(callback_id: str) -> Reply:
    """Send a heartbeat, which restarts the heartbeat timeout of the callback.

    Raises:
        NotSentYet: the service can't accept it now.
    """
    call = lambda_client.send_durable_execution_callback_heartbeat
    return _reply(partial(call, CallbackId=callback_id))


def withdraw(callback_id: str) -> None:
    """Close a callback from the handler's side, unless it is closed already.

    Raises:
        NotSentYet: the service can't accept that now.
    """
    send(answers.WITHDRAWAL.kind, answers.WITHDRAWAL.body, callback_id)


def is_waiting(execution_arn: str) -> bool:
    """Return whether an execution runs or is paused, so that it may still wait for an answer."""
    try:
        execution = lambda_client.get_durable_execution(
            DurableExecutionArn=execution_arn, IncludeExecutionData=False
        )
    except lambda_client.exceptions.ResourceNotFoundException:
        return False  # its history has been deleted
    return execution["Status"] not in _ENDED


def what_closed(execution_arn: str, callback_id: str) -> str | None:
    """Ask the history of an execution what closed a callback.

    It reads the newest events first, back to the creation of the callback.

    Returns:
        The digest of the answer that closed it; "" if none did; None if that isn't known (yet).
    """
    closed: dict[str, Mapping[str, Any]] = {}
    is_over = False
    for event in _newest_events(execution_arn):
        match event["EventType"]:
            case "CallbackStarted":
                if event["CallbackStartedDetails"]["CallbackId"] == callback_id:
                    return _digest(closed.get(event["Id"]), is_over=is_over)
            case "CallbackSucceeded" | "CallbackFailed" | "CallbackTimedOut":
                closed[event["Id"]] = event
            case ending if ending in _ENDINGS:
                is_over = True
    return None


def _digest(event: Mapping[str, Any] | None, *, is_over: bool) -> str | None:
    if event is None:
        return "" if is_over else None
    match event["EventType"]:
        case "CallbackSucceeded":
            result = event["CallbackSucceededDetails"].get("Result", {})
            received = answers.received(result.get("Payload", ""))
        case "CallbackFailed":
            result = event["CallbackFailedDetails"]["Error"]
            message = result["Payload"].get("ErrorMessage", "")
            if answers.is_withdrawal(message):
                return ""
            received = answers.failure(message, "")
        case _:
            return ""
    # Half an answer has another digest: it would look like a different one.
    return received.digest if received and not result.get("Truncated") else None


def _newest_events(execution_arn: str) -> Iterator[Mapping[str, Any]]:
    pages = lambda_client.get_paginator("get_durable_execution_history").paginate(
        DurableExecutionArn=execution_arn, IncludeExecutionData=True, ReverseOrder=True
    )
    try:
        for page in pages:
            yield from page["Events"]
    except lambda_client.exceptions.ResourceNotFoundException:
        return  # deleted


def _reply(call: Callable[[], object]) -> Reply:
    try:
        call()
    except lambda_client.exceptions.CallbackTimeoutException:
        return Reply.CLOSED
    except (
        lambda_client.exceptions.ResourceNotFoundException,
        lambda_client.exceptions.InvalidParameterValueException,
    ):
        return Reply.UNKNOWN
    except (ClientError, BotoCoreError) as error:
        raise NotSentYet(f"the service did not accept it: {name_of(error)}") from None
    return Reply.ACCEPTED
