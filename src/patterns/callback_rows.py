"""The rows of the callback registry in DynamoDB, and how to read them.

`expires_at` is the table's TTL attribute.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import boto3

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
        TableName=table(), Key={KEY: {"S": reference}}, ConsistentRead=True
    )
    return parse_row(response["Item"]) if "Item" in response else None


def count_intents(*, before: float) -> int:
    """Count the rows that have been in INTENT since before this time, epoch seconds."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table(),
        Select="COUNT",
        FilterExpression="#state = :intent AND intended_at < :before",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={
            ":intent": {"S": State.INTENT.value},
            ":before": {"N": str(before)},
        },
    )
    return sum(page["Count"] for page in pages)


def table() -> str:
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
