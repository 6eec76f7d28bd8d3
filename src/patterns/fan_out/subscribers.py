"""Look up the subscribers of a trade, and notify one of a posting."""

from __future__ import annotations

import os

import boto3

from patterns import mails
from patterns.fan_out import logic
from patterns.fan_out.logic import Announcement
from patterns.transient import STEP_CLIENT

TABLE_VARIABLE = "SUBSCRIBERS_TABLE"
"""Environment variable with the table name."""
KEY, SORT_KEY = "trade", "subscriber_id"
"""Keys of the table. We generate subscriber IDs; they reveal nothing personal and may be logged."""

dynamodb = boto3.client("dynamodb", config=STEP_CLIENT)


class TooManySubscribers(Exception):  # noqa: N818 - says what it is
    """A trade has more subscribers than one execution can notify."""


def of_trade(trade: str, limit: int) -> list[str]:
    """List the IDs of a trade's subscribers in ascending order.

    Parameters:
        limit: the maximum number of subscribers.

    Raises:
        TooManySubscribers: the trade has more subscribers.
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=os.environ[TABLE_VARIABLE],
        KeyConditionExpression=f"{KEY} = :trade",
        ExpressionAttributeValues={":trade": {"S": trade}},
        ProjectionExpression=SORT_KEY,
        ConsistentRead=True,
        PaginationConfig={"MaxItems": limit + 1},
    )
    listed = [item[SORT_KEY]["S"] for page in pages for item in page["Items"]]
    if len(listed) > limit:
        raise TooManySubscribers(f"{trade} has more than {limit} subscribers; no email was sent")
    return listed


def address_of(trade: str, subscriber: str) -> str | None:
    """Return a subscriber's email address, or None if they have unsubscribed."""
    item = dynamodb.get_item(
        TableName=os.environ[TABLE_VARIABLE],
        Key={KEY: {"S": trade}, SORT_KEY: {"S": subscriber}},
    ).get("Item")
    return item["address"]["S"] if item else None


def notify(posting: Announcement, subscriber: str) -> bool:
    """Send a subscriber the news of a posting.

    The address is looked up as late as possible: it stays out of the execution's history, and
    people who have unsubscribed since the list was read receive no email.

    Returns:
        True if the email was sent, False if the subscriber has unsubscribed.

    Raises:
        MailRefused: SES rejects this address permanently.
        ClientError: the call to SES or DynamoDB failed, for example because of throttling.
    """
    address = address_of(posting.trade, subscriber)
    if address is None:
        return False
    subject, text = logic.news_of(posting)
    mails.send(address, subject, text, mails.key(posting.posting_id, f"news {subscriber}"))
    return True
