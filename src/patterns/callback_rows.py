"""The rows of the callback registry in DynamoDB: what they hold, and how they are read.

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
        ended_with: digest of the answer that the handler got; "" if it got none, or waits.
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
    """The row under a reference, as the last write left it; None if there is none."""
    answer = dynamodb.get_item(TableName=table(), Key={KEY: {"S": reference}}, ConsistentRead=True)
    return row_of(answer["Item"]) if "Item" in answer else None


def count_intents(*, before: float) -> int:
    """How many rows have been in INTENT since before a moment, epoch seconds."""
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
    """The table's name."""
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
        ended_with=item["ended_with"]["S"] if "ended_with" in item else "",
    )
