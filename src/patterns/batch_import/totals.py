"""What an import has come to so far: one row an import, to which each batch is added once.

Adding is not idempotent by nature. The row knows which batch was added last, and takes only the
next one: a step that comes again adds nothing, and neither does a second execution. Who reads the
row takes it for a total only if it is finished.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import boto3

from patterns.batch_import.records import Sums

TABLE_VARIABLE = "TOTALS_TABLE"
"""Names the environment variable that holds the table."""
KEY = "import_id"
"""Its partition key."""

dynamodb = boto3.client("dynamodb")


class TotalsDiffer(Exception):  # noqa: N818 - says what it is
    """The row is not where this import stands: nothing may be added to it."""


def import_id(bucket: str, key: str, etag: str) -> str:
    """The row of an import: the same content under the same key is the same import."""
    return f"s3://{bucket}/{key} {etag}"


def begin(name: str, batch_bytes: int) -> None:
    """Make an import's row, unless it is there.

    Raises:
        TotalsDiffer: it was begun with batches of another size, so their numbers say nothing.
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
            raise TotalsDiffer(f"{name} was not begun in batches of {batch_bytes:,}") from None


def add(name: str, batch: int, sums: Sums) -> None:
    """Add a batch, unless it was added before.

    Raises:
        TotalsDiffer: the batch before it was never added.
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
            raise TotalsDiffer(
                f"{name} stands at batch {last}, so {batch} can't be added"
            ) from None


def finish(name: str, batches: int) -> None:
    """Mark an import as finished.

    Raises:
        TotalsDiffer: its last batch was never added.
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
        raise TotalsDiffer(f"{name} does not stand at batch {batches}, its last") from None


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}


def _field(response: Mapping[str, Any], field: str) -> int:
    # A row that the hand-made way has begun lacks it; one that is gone lacks everything.
    return int(response.get("Item", {}).get(field, {"N": "-1"})["N"])
