"""Who wants to hear of the leeds of a trade."""

from __future__ import annotations

import os

import boto3

TABLE_VARIABLE = "SUBSCRIBERS_TABLE"
"""Names the environment variable that holds the table."""
KEY, SORT_KEY = "trade", "subscriber_id"
"""Its keys. A subscriber's id is of our making and tells nothing of a person: it may be logged."""

dynamodb = boto3.client("dynamodb")


class TooManySubscribers(Exception):  # noqa: N818 - says what it is
    """A trade has more subscribers than can be told."""


def of_trade(trade: str, most: int) -> list[str]:
    """The ids of a trade's subscribers, in their order.

    Parameters:
        most: how many can be told.

    Raises:
        TooManySubscribers: there are more.
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=os.environ[TABLE_VARIABLE],
        KeyConditionExpression=f"{KEY} = :trade",
        ExpressionAttributeValues={":trade": {"S": trade}},
        ProjectionExpression=SORT_KEY,
        ConsistentRead=True,
        PaginationConfig={"MaxItems": most + 1},
    )
    found = [item[SORT_KEY]["S"] for page in pages for item in page["Items"]]
    if len(found) > most:
        raise TooManySubscribers(f"{trade} has more than {most} subscribers; nobody was told")
    return found


def address_of(trade: str, subscriber: str) -> str | None:
    """Where to write to; None for somebody who has unsubscribed meanwhile."""
    item = dynamodb.get_item(
        TableName=os.environ[TABLE_VARIABLE],
        Key={KEY: {"S": trade}, SORT_KEY: {"S": subscriber}},
    ).get("Item")
    return item["address"]["S"] if item else None
