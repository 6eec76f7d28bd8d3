"""Orders in DynamoDB. Every write is idempotent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import boto3

from patterns.approval.logic import FinalStatus, Order
from patterns.transient import STEP_CLIENT

TABLE_VARIABLE = "ORDERS_TABLE"
"""Environment variable with the name of the orders table."""
KEY = "order_id"
"""The table's partition key."""

dynamodb = boto3.client("dynamodb", config=STEP_CLIENT)


class OrderExists(Exception):  # noqa: N818 - says what it is
    """Another execution saved an order with this ID."""


def save(order: Order, execution: str) -> None:
    """Save an order with the status `placed`; do nothing if this execution saved it before.

    Parameters:
        execution: ARN of the execution that the order belongs to.

    Raises:
        OrderExists: the order belongs to another execution.
    """
    try:
        dynamodb.put_item(
            TableName=os.environ[TABLE_VARIABLE],
            Item={
                KEY: {"S": order["order_id"]},
                "items": {"L": [{"S": item} for item in order["items"]]},
                "customer": {"S": order["customer"]},
                "reviewer": {"S": order["reviewer"]},
                "execution": {"S": execution},
                "status": {"S": "placed"},
            },
            ConditionExpression=f"attribute_not_exists({KEY})",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        response: Mapping[str, Any] = error.response
        if response["Item"]["execution"]["S"] != execution:
            raise OrderExists(
                f"order {order['order_id']} was placed by another execution"
            ) from None


def set_status(order: Order, execution: str, status: FinalStatus) -> None:
    """Set the final status of an order that belongs to this execution."""
    dynamodb.update_item(
        TableName=os.environ[TABLE_VARIABLE],
        Key={KEY: {"S": order["order_id"]}},
        UpdateExpression="SET #status = :status",
        ConditionExpression="execution = :execution",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": {"S": status}, ":execution": {"S": execution}},
    )
