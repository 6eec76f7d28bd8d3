"""The rows of the callback registry in DynamoDB: primary key only, every write conditional.

`expires_at` is the table's TTL attribute.
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
KEY = "callback_reference"
"""The table's partition key."""
KEPT_AFTER_DEADLINE_SECONDS = 7 * 24 * 3600
"""How long a row outlives its callback, for whoever has to find out what happened."""

dynamodb = boto3.client("dynamodb")


class State(StrEnum):
    """Where a row stands: its callback waits, is being answered, was answered, or is over."""

    OPEN = "OPEN"
    INTENT = "INTENT"
    DONE = "DONE"
    CLOSED = "CLOSED"


@dataclass(frozen=True)
class Row:
    """One callback.

    Parameters:
        callback_id: the durable service's id; a secret, for whoever has it can answer.
        owner: the ARN of the execution that waits.
        deadline: when the wait is over at the latest, epoch seconds.
        not_before: an answer about anything earlier is stale, epoch seconds.
        digest: of the answer that was recorded; "" if none was.
        deliveries: how often that answer was recorded.
        closed_at: when the handler was through with the wait, epoch seconds; 0 if it is not.
    """

    state: State
    callback_id: str
    owner: str
    deadline: float
    not_before: float
    digest: str = ""
    deliveries: int = 0
    closed_at: float = 0


def open_row(reference: str, row: Row, now: float) -> Row | None:
    """Write a row if the reference is free for it.

    It is free if no row is there, if the row there belongs to an earlier wait of the same
    execution, or if the wait that it belongs to is over.

    Returns:
        None if the row was written, else the row that is in the way. That may be this very
        callback's: an attempt that comes again must not reopen what was answered meanwhile.
    """
    item = {
        KEY: {"S": reference},
        "state": {"S": State.OPEN.value},
        "callback_id": {"S": row.callback_id},
        "owner": {"S": row.owner},
        "deadline": {"N": str(row.deadline)},
        "not_before": {"N": str(row.not_before)},
        "expires_at": {"N": str(int(row.deadline) + KEPT_AFTER_DEADLINE_SECONDS)},
    }
    try:
        dynamodb.put_item(
            TableName=_table(),
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
    except dynamodb.exceptions.ConditionalCheckFailedException as refused:
        return _row_in(refused)
    return None


def record_intent(
    reference: str, digest: str, *, now: float, about: float
) -> tuple[bool, Row | None]:
    """Record that an answer is about to be sent, if it may be.

    It may be sent if the row is open for it, or if this very answer was recorded before.

    Returns:
        Whether it may be sent, and the row as it is now (None if there is none).
    """
    try:
        answer = dynamodb.update_item(
            TableName=_table(),
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
    except dynamodb.exceptions.ConditionalCheckFailedException as refused:
        return False, _row_in(refused)
    return True, row_of(answer["Attributes"])


def read(reference: str) -> Row | None:
    """The row under a reference, as the last write left it; None if there is none."""
    answer = dynamodb.get_item(TableName=_table(), Key={KEY: {"S": reference}}, ConsistentRead=True)
    return row_of(answer["Item"]) if "Item" in answer else None


def count_intents(*, before: float) -> int:
    """How many rows have been in INTENT since before a moment, epoch seconds."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=_table(),
        Select="COUNT",
        FilterExpression="#state = :intent AND intended_at < :before",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={
            ":intent": {"S": State.INTENT.value},
            ":before": {"N": str(before)},
        },
    )
    return sum(page["Count"] for page in pages)


def mark(reference: str, callback_id: str, state: State) -> None:
    """Say what became of a recorded answer, unless the handler has closed the row meanwhile."""
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


def close_row(reference: str, owner: str, now: float) -> None:
    """Close the row of this owner; one that is gone, or another's, is left alone."""
    _update(
        reference,
        "SET #state = :closed, closed_at = if_not_exists(closed_at, :now)",
        "#owner = :owner",
        {"#state": "state", "#owner": "owner"},
        {
            ":closed": {"S": State.CLOSED.value},
            ":owner": {"S": owner},
            ":now": {"N": str(now)},
        },
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
            TableName=_table(),
            Key={KEY: {"S": reference}},
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return


def _row_in(refused: ClientError) -> Row | None:
    response: Mapping[str, Any] = refused.response
    return row_of(response["Item"]) if response.get("Item") else None


def _table() -> str:
    return os.environ[TABLE_VARIABLE]


def row_of(item: Mapping[str, Mapping[str, Any]]) -> Row:
    """The row that an item of the table holds."""
    return Row(
        state=State(item["state"]["S"]),
        callback_id=item["callback_id"]["S"],
        owner=item["owner"]["S"],
        deadline=float(item["deadline"]["N"]),
        not_before=float(item["not_before"]["N"]),
        digest=item["digest"]["S"] if "digest" in item else "",
        deliveries=int(item["deliveries"]["N"]) if "deliveries" in item else 0,
        closed_at=float(item["closed_at"]["N"]) if "closed_at" in item else 0,
    )
