"""The transactions of the ledger: a row of its own and a supply, both written or neither."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import boto3
from botocore.config import Config

from patterns.transient import TransientError

TABLE_VARIABLE = "SHOP_TABLE"
"""Names the environment variable that holds the table: supplies, and what was taken of them."""
KEY = "id"
"""Its partition key."""
CALL_TIMEOUT_SECONDS = 5

_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_CONDITION = "ConditionalCheckFailed"
"""Why a transaction was cancelled, item by item (DynamoDB API: CancellationReason)."""

# One attempt: whoever calls tries again after a pause, and a pause inside the client is paid for.
dynamodb = boto3.client(
    "dynamodb",
    config=Config(
        connect_timeout=CALL_TIMEOUT_SECONDS,
        read_timeout=CALL_TIMEOUT_SECONDS,
        retries={"total_max_attempts": 1},
    ),
)


class Standing(StrEnum):
    """How something stands that was taken."""

    HELD = "held"
    GIVEN_BACK = "given back"
    GONE = "gone"


def table() -> str:
    """The ledger's table."""
    return os.environ[TABLE_VARIABLE]


def new_row(key: str, supply: str, amount: int) -> dict[str, Any]:
    """Write the row of a taking, if there is none."""
    row = {
        KEY: {"S": key},
        "supply": {"S": supply},
        "amount": {"N": str(amount)},
        "standing": {"S": Standing.HELD.value},
    }
    return {
        "Put": {
            "TableName": table(),
            "Item": row,
            "ConditionExpression": f"attribute_not_exists({KEY})",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def given_back(key: str, supply: str, amount: int) -> dict[str, Any]:
    """Mark the row of a taking as given back, if it is held."""
    values = {
        ":given_back": {"S": Standing.GIVEN_BACK.value},
        ":held": {"S": Standing.HELD.value},
        ":supply": {"S": supply},
        ":amount": {"N": str(amount)},
    }
    return {
        "Update": {
            "TableName": table(),
            "Key": {KEY: {"S": key}},
            "UpdateExpression": "SET standing = :given_back",
            "ConditionExpression": "standing = :held AND supply = :supply AND amount = :amount",
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def less(supply: str, amount: int) -> dict[str, Any]:
    """Take an amount from a supply that holds as much."""
    return _change(supply, amount, "-") | {"ConditionExpression": "available >= :amount"}


def more(supply: str, amount: int) -> dict[str, Any]:
    """Add an amount to a supply."""
    return _change(supply, amount, "+")


def transact(row: Mapping[str, Any], supply: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write both, or neither.

    Parameters:
        row, supply: what to do with either; see the other functions.

    Returns:
        Why neither was written: a reason for the row, one for the supply. Nothing if both were.

    Raises:
        TransientError: others write to one of them at this moment.
    """
    writes: list[Any] = [row, {"Update": supply}]
    try:
        dynamodb.transact_write_items(TransactItems=writes)
    except dynamodb.exceptions.TransactionInProgressException:
        raise TransientError("the call before this one is still under way") from None
    except dynamodb.exceptions.TransactionCanceledException as cancelled:
        response: Mapping[str, Any] = cancelled.response
        reasons: list[dict[str, Any]] = response["CancellationReasons"]
        codes = {reason["Code"] for reason in reasons}
        if passing := sorted(codes & _PASSING):
            raise TransientError(f"not written now: {', '.join(passing)}") from None
        if _CONDITION not in codes:
            raise
        return reasons
    return []


def _change(supply: str, amount: int, sign: str) -> dict[str, Any]:
    return {
        "TableName": table(),
        "Key": {KEY: {"S": supply}},
        "UpdateExpression": f"SET available = available {sign} :amount",
        "ExpressionAttributeValues": {":amount": {"N": str(amount)}},
    }
