"""Do the recurring work: read the number of messages in a queue and record it.

Each moment has one row; `read_at` shows how late the work was done. A repeated attempt changes
nothing and returns the reading that the first one recorded. So there is nothing to count: a counter
of the attempts would be the only part of the row that a retry changes.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

import boto3

from patterns.transient import STEP_CLIENT

TABLE_VARIABLE = "READINGS_TABLE"
"""Environment variable with the name of the readings table."""
QUEUE_VARIABLE = "MEASURED_QUEUE"
"""Environment variable with the URL of the queue to measure."""
KEY = "schedule"
"""Partition key of the table."""
SORT_KEY = "at"
"""Sort key of the table: a moment, ISO 8601 in UTC."""
_LENGTH = "ApproximateNumberOfMessages"

dynamodb = boto3.client("dynamodb", config=STEP_CLIENT)
sqs = boto3.client("sqs", config=STEP_CLIENT)


def take_reading(schedule: str, at: str) -> int:
    """Take the reading that is due at a moment.

    Parameters:
        schedule: the name of the schedule.
        at: the moment, ISO 8601 in UTC; an earlier reading for it is kept.

    Returns:
        The approximate number of messages in the queue, as recorded.
    """
    url = os.environ[QUEUE_VARIABLE]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[_LENGTH])
    reading = dynamodb.update_item(
        TableName=os.environ[TABLE_VARIABLE],
        Key={KEY: {"S": schedule}, SORT_KEY: {"S": at}},
        UpdateExpression=(
            "SET waiting = if_not_exists(waiting, :waiting), read_at = if_not_exists(read_at, :now)"
        ),
        ExpressionAttributeValues={
            ":waiting": {"N": answer["Attributes"][_LENGTH]},
            ":now": {"S": datetime.now(UTC).isoformat()},
        },
        ReturnValues="ALL_NEW",
    )
    return int(reading["Attributes"]["waiting"]["N"])
