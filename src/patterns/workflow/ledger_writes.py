"""Write the ledger's transactions: a reservation's row and its supply, both or neither."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import boto3

from patterns.transient import STEP_CLIENT, TransientError

TABLE_VARIABLE = "SHOP_TABLE"
"""Environment variable with the table name; the table holds supplies and reservations."""
KEY = "id"
"""Partition key of the table."""
STATUS = "reservation_status"
"""Attribute with the status of a reservation."""

_TRANSIENT = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_CONDITION = "ConditionalCheckFailed"
"""Codes that say why DynamoDB canceled a transaction, one per item (API: CancellationReason)."""

dynamodb = boto3.client("dynamodb", config=STEP_CLIENT)


class ReservationStatus(StrEnum):
    """The status of a reservation."""

    HELD = "held"
    RELEASED = "released"
    PICKED_UP = "picked up"


def table() -> str:
    """Return the name of the ledger's table."""
    return os.environ[TABLE_VARIABLE]


def new_row(key: str, supply: str, amount: int) -> dict[str, Any]:
    """Build the write that creates the row of a reservation if there is none."""
    row = {
        KEY: {"S": key},
        "supply": {"S": supply},
        "amount": {"N": str(amount)},
        STATUS: {"S": ReservationStatus.HELD.value},
    }
    return {
        "Put": {
            "TableName": table(),
            "Item": row,
            "ConditionExpression": f"attribute_not_exists({KEY})",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def mark_released(key: str, supply: str, amount: int) -> dict[str, Any]:
    """Build the write that marks a reservation as released if it is held."""
    values = {
        ":released": {"S": ReservationStatus.RELEASED.value},
        ":held": {"S": ReservationStatus.HELD.value},
        ":supply": {"S": supply},
        ":amount": {"N": str(amount)},
    }
    return {
        "Update": {
            "TableName": table(),
            "Key": {KEY: {"S": key}},
            "UpdateExpression": f"SET {STATUS} = :released",
            "ConditionExpression": f"{STATUS} = :held AND supply = :supply AND amount = :amount",
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def subtract(supply: str, amount: int) -> dict[str, Any]:
    """Build the write that subtracts an amount from a supply if it is large enough."""
    return _change(supply, amount, "-") | {"ConditionExpression": "available >= :amount"}


def add(supply: str, amount: int) -> dict[str, Any]:
    """Build the write that adds an amount to a supply."""
    return _change(supply, amount, "+")


def transact(row: Mapping[str, Any], supply: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write both a row and a supply, or neither.

    Parameters:
        row, supply: the writes, built by the other functions.

    Returns:
        An empty list if both were written. Otherwise the reasons why neither was: one for the row,
        one for the supply.

    Raises:
        TransientError: another transaction is writing to one of them, or the table throttles.
    """
    writes: list[Any] = [row, {"Update": supply}]
    try:
        dynamodb.transact_write_items(TransactItems=writes)
    except dynamodb.exceptions.TransactionInProgressException:
        raise TransientError("the previous call is still in progress") from None
    except dynamodb.exceptions.TransactionCanceledException as canceled:
        response: Mapping[str, Any] = canceled.response
        reasons: list[dict[str, Any]] = response["CancellationReasons"]
        codes = {reason["Code"] for reason in reasons}
        if transient := sorted(codes & _TRANSIENT):
            raise TransientError(f"transaction canceled: {', '.join(transient)}") from None
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
