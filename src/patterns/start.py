"""Start a durable execution once, however often its start is asked for.

Three things make that true: the execution is named after what it is about (the business key), it
is invoked as an event (a synchronous invoke, and every event source mapping, bounds the whole
execution to 15 minutes), and the function is named with its version or alias.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import boto3

LONGEST_NAME = 64
"""Characters of an execution name (Lambda API: DurableExecutionName)."""
_HASH_LENGTH = 32
_READABLE_LENGTH = LONGEST_NAME - _HASH_LENGTH - 1
_QUALIFIED = re.compile(r"(arn:[^:]+:lambda:[^:]+:\d+:function:)?[a-zA-Z0-9-_]+:[a-zA-Z0-9-_$.]+")

lambda_client = boto3.client("lambda")


class StartedDifferently(Exception):  # noqa: N818
    """An execution of this name was started before, with another payload."""


def execution_name(business_key: str) -> str:
    """The execution name for a business key: readable, valid, and different for different keys."""
    digest = hashlib.sha256(business_key.encode()).hexdigest()[:_HASH_LENGTH]
    readable = re.sub(r"[^a-zA-Z0-9]+", "-", business_key)[-_READABLE_LENGTH:].strip("-")
    return f"{readable}-{digest}" if readable else digest


def start_once(function: str, business_key: str, payload: Mapping[str, Any]) -> str:
    """Start an execution, or find the one that was started for this business key.

    Parameters:
        function: the durable function's name or ARN, with its version or alias.
        business_key: what the execution is about; the same key is the same execution.
        payload: its input, JSON values; at most 1 MB.

    Returns:
        The execution's ARN.

    Raises:
        ValueError: the function is not qualified.
        StartedDifferently: the key was used before, with another payload.
    """
    if not _QUALIFIED.fullmatch(function):
        raise ValueError(f"{function!r} needs a version or an alias, as in 'name:live'")
    name = execution_name(business_key)
    try:
        answer = lambda_client.invoke(
            FunctionName=function,
            InvocationType="Event",
            DurableExecutionName=name,
            Payload=json.dumps(payload, sort_keys=True).encode(),
        )
    except lambda_client.exceptions.DurableExecutionAlreadyStartedException:
        return _started_before(function, name, payload)
    arn: str = answer["DurableExecutionArn"]
    return arn


def _started_before(function: str, name: str, payload: Mapping[str, Any]) -> str:
    # The service compares payloads as text; ours may have been written by an older version.
    # Listed without its qualifier, because it may have been started before the last deployment.
    unqualified = function.rpartition(":")[0]
    found = lambda_client.list_durable_executions_by_function(
        FunctionName=unqualified, DurableExecutionName=name
    )["DurableExecutions"]
    for execution in found:
        arn: str = execution["DurableExecutionArn"]
        before = lambda_client.get_durable_execution(DurableExecutionArn=arn)
        if json.loads(before["InputPayload"]) == payload:
            return arn
    raise StartedDifferently(f"{name} was started before, with another payload")
