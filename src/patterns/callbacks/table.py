"""The table of the callback registry: one row per callback, read and written by primary key.

Every write is conditional. `expires_at` is the table's TTL attribute.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import boto3
from botocore.exceptions import ClientError

TABLE_VARIABLE = "CALLBACKS_TABLE"
"""Environment variable with the name of the registry's table."""
KEY = "callback_reference"
"""The table's partition key."""
RETENTION_SECONDS = 7 * 24 * 3600
"""How long a row outlives its deadline, for troubleshooting."""

dynamodb = boto3.client("dynamodb")


class State(StrEnum):
    """State of a row: waiting, being answered, answered, or closed."""

    OPEN = "OPEN"
    INTENT = "INTENT"
    DONE = "DONE"
    CLOSED = "CLOSED"


@dataclass(frozen=True)
class Row:
    """One callback.

    Parameters:
        callback_id: the durable service's callback ID; a secret, because it is enough to answer.
        owner: ARN of the execution that waits.
        deadline: time when the callback times out at the latest, epoch seconds.
        not_before: an answer about an earlier event is stale, epoch seconds.
        digest: digest of the recorded answer; "" if there is none.
        deliveries: how many times that answer was recorded.
        ended_with: digest of the answer that the handler received; "" if it received none, or
            still waits.
    """

    state: State
    callback_id: str
    owner: str
    deadline: float
    not_before: float
    digest: str = ""
    deliveries: int = 0
    ended_with: str = ""


def read(reference: str) -> Row | None:
    """Return the row with this reference, or None. Strongly consistent."""
    response = dynamodb.get_item(
        TableName=table_name(), Key={KEY: {"S": reference}}, ConsistentRead=True
    )
    return parse_row(response["Item"]) if "Item" in response else None


def count_intents(*, before: float) -> int:
    """Count the rows that have been in INTENT since before this time, epoch seconds."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table_name(),
        Select="COUNT",
        FilterExpression="#state = :intent AND intended_at < :before",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={
            ":intent": {"S": State.INTENT.value},
            ":before": {"N": str(before)},
        },
    )
    return sum(page["Count"] for page in pages)


def open_row(reference: str, row: Row, now: float) -> Row | None:
    """Write a row if the reference is free.

    It is free if there is no row, if the existing row belongs to an earlier wait of the same
    execution, or if its wait is over.

    Parameters:
        now: current time, epoch seconds.

    Returns:
        None if the row was written, otherwise the existing row. That can be a row for this very
        callback: a retry must not reopen what was answered in the meantime.
    """
    item = {
        KEY: {"S": reference},
        "state": {"S": State.OPEN.value},
        "callback_id": {"S": row.callback_id},
        "owner": {"S": row.owner},
        "deadline": {"N": str(row.deadline)},
        "not_before": {"N": str(row.not_before)},
        "expires_at": {"N": str(int(row.deadline) + RETENTION_SECONDS)},
    }
    try:
        dynamodb.put_item(
            TableName=table_name(),
            Item=item,
            ConditionExpression=(
                "attribute_not_exists(callback_reference) OR (callback_id <> :callback AND "
                "(#owner = :owner OR #state = :closed OR deadline < :now))"
            ),
            ExpressionAttributeNames={"#owner": "owner", "#state": "state"},
            ExpressionAttributeValues={
                ":callback": {"S": row.callback_id},
                ":owner": {"S": row.owner},
                ":closed": {"S": State.CLOSED.value},
                ":now": {"N": str(now)},
            },
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        return _existing_row(error)
    return None


def record_intent(
    reference: str, digest: str, *, now: float, about: float
) -> tuple[bool, Row | None]:
    """Record that an answer is about to be sent, if that is allowed.

    It is allowed if the row is open for it, or if the same answer was recorded before.

    Parameters:
        digest: digest of the answer.
        now: current time, epoch seconds.
        about: time of the event that the answer reports, epoch seconds.

    Returns:
        True if the answer may be sent, and the current row (None if there is none).
    """
    try:
        response = dynamodb.update_item(
            TableName=table_name(),
            Key={KEY: {"S": reference}},
            UpdateExpression=(
                "SET #state = :intent, digest = :digest, "
                "intended_at = if_not_exists(intended_at, :now) ADD deliveries :one"
            ),
            ConditionExpression=(
                "(#state = :open AND deadline > :now AND not_before <= :about) "
                "OR (#state = :intent AND digest = :digest)"
            ),
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":open": {"S": State.OPEN.value},
                ":intent": {"S": State.INTENT.value},
                ":digest": {"S": digest},
                ":now": {"N": str(now)},
                ":about": {"N": str(about)},
                ":one": {"N": "1"},
            },
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        return False, _existing_row(error)
    return True, parse_row(response["Attributes"])


def mark(reference: str, callback_id: str, state: State) -> None:
    """Set the state of a row with a recorded answer, unless the handler already closed it."""
    _update(
        reference,
        "SET #state = :state",
        "#state = :intent AND callback_id = :callback",
        {"#state": "state"},
        {
            ":state": {"S": state.value},
            ":intent": {"S": State.INTENT.value},
            ":callback": {"S": callback_id},
        },
    )


def close_row(reference: str, owner: str, ended_with: str) -> None:
    """Close a row if it exists and belongs to this owner.

    Parameters:
        owner: ARN of the execution that waited.
        ended_with: digest of the answer that the handler received; "" if it received none.
    """
    _update(
        reference,
        "SET #state = :closed, ended_with = :ended_with",
        "#owner = :owner",
        {"#state": "state", "#owner": "owner"},
        {
            ":closed": {"S": State.CLOSED.value},
            ":owner": {"S": owner},
            ":ended_with": {"S": ended_with},
        },
    )


def table_name() -> str:
    """Return the table's name."""
    return os.environ[TABLE_VARIABLE]


def parse_row(item: Mapping[str, Mapping[str, Any]]) -> Row:
    """Parse an item of the table."""
    return Row(
        state=State(item["state"]["S"]),
        callback_id=item["callback_id"]["S"],
        owner=item["owner"]["S"],
        deadline=float(item["deadline"]["N"]),
        not_before=float(item["not_before"]["N"]),
        digest=item["digest"]["S"] if "digest" in item else "",
        deliveries=int(item["deliveries"]["N"]) if "deliveries" in item else 0,
        ended_with=item["ended_with"]["S"] if "ended_with" in item else "",
    )


def _update(
    reference: str,
    update: str,
    condition: str,
    names: Mapping[str, str],
    values: Mapping[str, Mapping[str, str]],
) -> None:
    try:
        dynamodb.update_item(
            TableName=table_name(),
            Key={KEY: {"S": reference}},
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return


def _existing_row(error: ClientError) -> Row | None:
    response: Mapping[str, Any] = error.response
    return parse_row(response["Item"]) if response.get("Item") else None
