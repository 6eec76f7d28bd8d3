"""Keep the running total of an import: one row per import, to which each batch is added once.

Adding isn't naturally idempotent. The row therefore records the last batch added and accepts only
the next one, so neither a retried step nor a second execution adds anything. Readers must treat the
row as a total only if it is marked as finished.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import boto3

from patterns.batch_import.records import Sums
from patterns.transient import STEP_CLIENT

TABLE_VARIABLE = "TOTALS_TABLE"
"""Environment variable with the table name."""
KEY = "import_id"
"""Partition key of the table."""

dynamodb = boto3.client("dynamodb", config=STEP_CLIENT)


class TotalsMismatch(Exception):  # noqa: N818 - says what it is
    """The row doesn't match the progress of this import, so nothing may be added to it."""


def import_id(bucket: str, key: str, etag: str) -> str:
    """Return the ID of an import: the same content under the same key is the same import."""
    return f"s3://{bucket}/{key} {etag}"


def begin(name: str, batch_bytes: int) -> None:
    """Create the row of an import unless it exists.

    Raises:
        TotalsMismatch: the row was created with another batch size, so batch numbers don't match.
    """
    start = {"records": 0, "cents": 0, "last_batch": 0, "batch_bytes": batch_bytes}
    try:
        dynamodb.put_item(
            TableName=os.environ[TABLE_VARIABLE],
            Item={KEY: {"S": name}, **{field: _number(value) for field, value in start.items()}},
            ConditionExpression=f"attribute_not_exists({KEY})",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as refused:
        if _field(refused.response, "batch_bytes") != batch_bytes:
            raise TotalsMismatch(f"{name} was not started in batches of {batch_bytes:,}") from None


def add(name: str, batch: int, sums: Sums) -> None:
    """Add a batch unless it was already added.

    Raises:
        TotalsMismatch: the previous batch was never added.
    """
    try:
        dynamodb.update_item(
            TableName=os.environ[TABLE_VARIABLE],
            Key={KEY: {"S": name}},
            UpdateExpression="SET last_batch = :batch ADD records :records, cents :cents",
            ConditionExpression="last_batch = :before",
            ExpressionAttributeValues={
                ":batch": _number(batch),
                ":before": _number(batch - 1),
                ":records": _number(sums["records"]),
                ":cents": _number(sums["cents"]),
            },
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as refused:
        last = _field(refused.response, "last_batch")
        if last < batch:
            raise TotalsMismatch(
                f"can't add batch {batch} to {name}: its last batch is {last}"
            ) from None


def finish(name: str, batches: int) -> None:
    """Mark an import as finished.

    Raises:
        TotalsMismatch: the last batch was never added.
    """
    try:
        dynamodb.update_item(
            TableName=os.environ[TABLE_VARIABLE],
            Key={KEY: {"S": name}},
            UpdateExpression="SET is_finished = :yes",
            ConditionExpression="last_batch = :batches",
            ExpressionAttributeValues={":yes": {"BOOL": True}, ":batches": _number(batches)},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        raise TotalsMismatch(f"can't finish {name}: batch {batches} was not added") from None


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}


def _field(response: Mapping[str, Any], field: str) -> int:
    # A row that the baseline created has no such field; a deleted row has no fields at all.
    return int(response.get("Item", {}).get(field, {"N": "-1"})["N"])
