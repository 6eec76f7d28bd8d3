"""Do the recurring work: read the number of messages in a queue and record it.

Each moment has one row; `read_at` shows how late the work was done. A repeated attempt doesn't
change the reading but increments `runs`: more than 1 means that an attempt crashed after writing,
or that the function was invoked twice.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

import boto3
from botocore.config import Config

TABLE_VARIABLE = "READINGS_TABLE"
"""Environment variable with the name of the readings table."""
QUEUE_VARIABLE = "MEASURED_QUEUE"
"""Environment variable with the URL of the queue to measure."""
KEY = "schedule"
"""Partition key of the table."""
SORT_KEY = "at"
"""Sort key of the table: a moment, ISO 8601 in UTC."""
_LENGTH = "ApproximateNumberOfMessages"

# Short timeouts: a call that fails is retried later, or the round counts as failed.
_CONFIG = Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 2})
dynamodb, sqs = boto3.client("dynamodb", config=_CONFIG), boto3.client("sqs", config=_CONFIG)


def take_reading(schedule: str, at: str) -> int:
    """Take the reading that is due at a moment.

    Parameters:
        schedule: the name of the schedule.
        at: the moment, ISO 8601 in UTC; an earlier reading for it is kept.

    Returns:
        The approximate number of messages in the queue.
    """
    url = os.environ[QUEUE_VARIABLE]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[_LENGTH])
    waiting: str = answer["Attributes"][_LENGTH]
    # dacapo: ignore[effect-repeated] `runs` counts the attempts, to show that one crashed
    dynamodb.update_item(
        TableName=os.environ[TABLE_VARIABLE],
        Key={KEY: {"S": schedule}, SORT_KEY: {"S": at}},
        UpdateExpression=(
            "SET waiting = if_not_exists(waiting, :waiting), "
            "read_at = if_not_exists(read_at, :now) ADD runs :one"
        ),
        ExpressionAttributeValues={
            ":waiting": {"N": waiting},
            ":now": {"S": datetime.now(UTC).isoformat()},
            ":one": {"N": "1"},
        },
    )
    return int(waiting)
