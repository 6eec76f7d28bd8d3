"""The work that is due again and again: see how many messages wait in a queue, and write it down.

There is one row for each moment; `read_at` tells how late it was done. An attempt that comes again
changes nothing in it, but is counted in `runs`: more than 1 there means that somebody died, or was
called twice, after writing.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

import boto3
from botocore.config import Config

TABLE_VARIABLE = "READINGS_TABLE"
"""Names the environment variable that holds the table of readings."""
QUEUE_VARIABLE = "MEASURED_QUEUE"
"""Names the environment variable that holds the URL of the queue to look at."""
KEY = "schedule"
"""The table's partition key."""
SORT_KEY = "at"
"""The table's sort key: a moment, ISO 8601 in UTC."""
_LENGTH = "ApproximateNumberOfMessages"

# Short: what fails now is tried again later, or is a round that failed.
_CONFIG = Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 2})
dynamodb, sqs = boto3.client("dynamodb", config=_CONFIG), boto3.client("sqs", config=_CONFIG)


def read(schedule: str, at: str) -> int:
    """Take the reading that is due at a moment.

    Parameters:
        schedule: what it belongs to.
        at: the moment; a reading that was taken for it before is kept.

    Returns:
        How many messages wait, about.
    """
    url = os.environ[QUEUE_VARIABLE]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[_LENGTH])
    waiting: str = answer["Attributes"][_LENGTH]
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
