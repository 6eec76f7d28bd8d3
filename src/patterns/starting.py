"""Start a durable execution idempotently, so that retries never start a second one.

Three things make it work: the execution is named after its business key; it is invoked
asynchronously (a synchronous invocation, or an event source mapping, limits the whole execution to
15 minutes); and the function is qualified with a version or an alias.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import boto3

from patterns.transient import HTTP_CLIENT

MAX_NAME_LENGTH = 64
"""Maximum length of an execution name, in characters (Lambda API: DurableExecutionName)."""
_HASH_LENGTH = 32
_READABLE_LENGTH = MAX_NAME_LENGTH - _HASH_LENGTH - 1
_QUALIFIED = re.compile(r"(arn:[^:]+:lambda:[^:]+:\d+:function:)?[a-zA-Z0-9-_]+:[a-zA-Z0-9-_$.]+")

# Functions that start an execution may face HTTP, so their calls must end before they do.
lambda_client = boto3.client("lambda", config=HTTP_CLIENT)


class StartedWithDifferentInput(Exception):  # noqa: N818
    """An execution with this name was already started, with a different payload."""


def execution_name(business_key: str) -> str:
    """Derive the execution name of a business key: readable, valid, and unique to the key."""
    digest = hashlib.sha256(business_key.encode()).hexdigest()[:_HASH_LENGTH]
    readable = re.sub(r"[^a-zA-Z0-9]+", "-", business_key)[-_READABLE_LENGTH:].strip("-")
    return f"{readable}-{digest}" if readable else digest


def start_once(function: str, business_key: str, payload: Mapping[str, Any]) -> str:
    """Start an execution, or return the one already started for this business key.

    Parameters:
        function: name or ARN of the durable function, with its version or alias.
        business_key: what the execution is about; the same key means the same execution.
        payload: input of the execution, JSON values; up to 1 MB.

    Returns:
        The execution's ARN.

    Raises:
        ValueError: the function is not qualified.
        StartedWithDifferentInput: the key was already used with a different payload.
    """
    if not _QUALIFIED.fullmatch(function):
        raise ValueError(f"{function!r} needs a version or an alias, for example 'name:live'")
    name = execution_name(business_key)
    try:
        response = lambda_client.invoke(
            FunctionName=function,
            InvocationType="Event",
            DurableExecutionName=name,
            Payload=json.dumps(payload, sort_keys=True).encode(),
        )
    except lambda_client.exceptions.DurableExecutionAlreadyStartedException:
        return _already_started(function, name, payload)
    arn: str = response["DurableExecutionArn"]
    return arn


def _already_started(function: str, name: str, payload: Mapping[str, Any]) -> str:
    # The service compares payloads as text, and an older version may have formatted ours otherwise.
    # List without the qualifier: the execution may have been started before the last deployment.
    unqualified = function.rpartition(":")[0]
    executions = lambda_client.list_durable_executions_by_function(
        FunctionName=unqualified, DurableExecutionName=name
    )["DurableExecutions"]
    for execution in executions:
        arn: str = execution["DurableExecutionArn"]
        earlier = lambda_client.get_durable_execution(DurableExecutionArn=arn)
        if json.loads(earlier["InputPayload"]) == payload:
            return arn
    raise StartedWithDifferentInput(f"{name} was already started with a different payload")
