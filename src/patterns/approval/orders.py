"""Orders in DynamoDB. Each write may come again and changes nothing when it does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import boto3

from patterns.approval.logic import Ending, Order

TABLE_VARIABLE = "ORDERS_TABLE"
"""Names the environment variable that holds the table."""
KEY = "order_id"
"""Its partition key."""

dynamodb = boto3.client("dynamodb")


class OrderTaken(Exception):  # noqa: N818 - says what it is
    """Another execution has saved an order of this id."""


def save(order: Order, execution: str) -> None:
    """Save an order as placed.

    Parameters:
        execution: the ARN of the execution that it belongs to.

    Raises:
        OrderTaken: it belongs to another one.
    """
    try:
        dynamodb.put_item(
            TableName=os.environ[TABLE_VARIABLE],
            Item={
                KEY: {"S": order["order_id"]},
                "items": {"L": [{"S": item} for item in order["items"]]},
                "guest": {"S": order["guest"]},
                "restaurant": {"S": order["restaurant"]},
                "execution": {"S": execution},
                "status": {"S": "placed"},
            },
            ConditionExpression=f"attribute_not_exists({KEY})",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as refused:
        response: Mapping[str, Any] = refused.response
        if response["Item"]["execution"]["S"] != execution:
            raise OrderTaken(f"order {order['order_id']} was placed by another execution") from None


def end(order: Order, execution: str, ending: Ending) -> None:
    """Write down how an order ended."""
    dynamodb.update_item(
        TableName=os.environ[TABLE_VARIABLE],
        Key={KEY: {"S": order["order_id"]}},
        UpdateExpression="SET #status = :ending",
        ConditionExpression="execution = :execution",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":ending": {"S": ending}, ":execution": {"S": execution}},
    )
