"""Do what a preorder needs done, each action once per preorder.

Reservations, payments, and parcels are rows of one table here, written under a key that is the same
on every retry. If yours are services run by others, pass them such a key: the preorder's ID and the
action.
"""

from __future__ import annotations

import os

import boto3

from patterns.transient import STEP_CLIENT
from patterns.versioned.logic import Preorder

TABLE_VARIABLE = "PREORDERS_TABLE"
"""Environment variable with the table name; the table holds actions, and accounts to refuse."""
KEY = "subject"
"""Partition key of the table: a preorder, or an account."""
SORT_KEY = "action"
"""Sort key of the table: what was done with it."""
FLAGGED = "flagged"
"""Sort key of an account that is suspected of fraud."""

dynamodb = boto3.client("dynamodb", config=STEP_CLIENT)


def reserve(preorder: Preorder) -> None:
    """Reserve the item."""
    _once(preorder, "reserved")


def cancel(preorder: Preorder) -> None:
    """Cancel the reservation."""
    _once(preorder, "canceled")


def charge(preorder: Preorder) -> None:
    """Charge the account."""
    _once(preorder, "charged")


def ship(preorder: Preorder) -> None:
    """Ship the item."""
    _once(preorder, "shipped")


def pay_seller(preorder: Preorder) -> None:
    """Pay the seller."""
    _once(preorder, "paid")


def is_suspicious(preorder: Preorder) -> bool:
    """Return True if the account is suspected of fraud."""
    row = dynamodb.get_item(
        TableName=os.environ[TABLE_VARIABLE],
        Key={KEY: {"S": account_key(preorder.account)}, SORT_KEY: {"S": FLAGGED}},
        ConsistentRead=True,
    )
    return "Item" in row


def order_key(order_id: str) -> str:
    """Return the partition key of a preorder."""
    return f"order#{order_id}"


def account_key(account: str) -> str:
    """Return the partition key of an account."""
    return f"account#{account}"


def _once(preorder: Preorder, action: str) -> None:
    # A retry writes the same row again, which the condition makes a write that has no effect.
    item = {
        KEY: {"S": order_key(preorder.order_id)},
        SORT_KEY: {"S": action},
        "item": {"S": preorder.item},
        "cents": {"N": str(preorder.cents)},
    }
    try:
        dynamodb.put_item(
            TableName=os.environ[TABLE_VARIABLE],
            Item=item,
            ConditionExpression=f"attribute_not_exists({KEY})",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return
