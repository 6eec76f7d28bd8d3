"""Leeds in DynamoDB, and how many there were of each trade. Each write may come again."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from patterns.fan_out.logic import Announcement, Posting
from patterns.transient import TransientError

TABLE_VARIABLE = "LEEDS_TABLE"
"""Names the environment variable that holds the table of leeds."""
KEY = "slot"
"""Its partition key. `expires_at` is its TTL attribute."""
TRADES_VARIABLE = "TRADES_TABLE"
"""Names the environment variable that holds the table of trades."""
TRADES_KEY = "trade"
"""Its partition key."""
KEPT_AFTER_DATE = dt.timedelta(days=30)
"""How long a leed, and with it its seller's address, is kept after its date."""

dynamodb = boto3.client("dynamodb")


@dataclass(frozen=True)
class Booking:
    """A leed that has its slot.

    Parameters:
        leed: what is stored.
        is_new: whether this very call stored it.
    """

    leed: Announcement
    is_new: bool


def book(posting: Posting) -> Booking | None:
    """Give a slot to a seller, unless another one has it.

    One conditional write both checks and stores, so that of two at once one gets the slot. Who has
    it already finds the leed of before.

    Returns:
        The booking; None if the slot is another seller's.
    """
    leed_id = uuid.uuid4().hex
    stored = _write(posting, leed_id)
    if stored is None:
        return None
    leed = Announcement(
        leed_id=stored["leed_id"]["S"],
        trade=posting.trade,
        date=posting.date,
        # As it was written first: who comes again may write the same place another way.
        location=stored["location"]["S"],
    )
    return Booking(leed, is_new=leed.leed_id == leed_id)


def seller_of(leed: Announcement) -> str | None:
    """The seller's address; None if the leed is gone."""
    item = dynamodb.get_item(
        TableName=os.environ[TABLE_VARIABLE], Key={KEY: {"S": leed.slot}}, ConsistentRead=True
    ).get("Item")
    if item is None or item["leed_id"]["S"] != leed.leed_id:
        return None
    return item["seller"]["S"]


def count(leed: Announcement) -> None:
    """Count a leed among those of its trade: once, however often this is called.

    The leed itself notes that it was counted, in one transaction with the count. A token of
    DynamoDB's would do for ten minutes only.

    Raises:
        TransientError: another transaction was in the way.
        ClientError: DynamoDB can't now.
    """
    items: list[Any] = [{"Update": _note(leed)}, {"Update": _addition(leed)}]
    try:
        dynamodb.transact_write_items(TransactItems=items)
    except dynamodb.exceptions.TransactionCanceledException as cancelled:
        response: Mapping[str, Any] = cancelled.response
        reasons = [reason.get("Code") for reason in response["CancellationReasons"]]
        if reasons[0] != "ConditionalCheckFailed":
            raise TransientError(f"the leed was not counted: {reasons}") from None


def expiry(date: dt.date) -> int:
    """When TTL may remove a leed, epoch seconds."""
    end = dt.datetime.combine(date, dt.time.min, dt.UTC) + KEPT_AFTER_DATE
    return int(end.timestamp())


def _write(posting: Posting, leed_id: str) -> Mapping[str, Any] | None:
    """The leed as it is stored now; None if the slot is another seller's."""
    try:
        answer = dynamodb.update_item(
            TableName=os.environ[TABLE_VARIABLE],
            Key={KEY: {"S": posting.slot}},
            UpdateExpression=(
                "SET leed_id = if_not_exists(leed_id, :leed_id), seller = :seller, "
                "#location = if_not_exists(#location, :location), expires_at = :expires_at"
            ),
            ConditionExpression=f"attribute_not_exists({KEY}) OR seller = :seller",
            ExpressionAttributeNames={"#location": "location"},
            ExpressionAttributeValues={
                ":leed_id": {"S": leed_id},
                ":seller": {"S": posting.seller},
                ":location": {"S": posting.location},
                ":expires_at": {"N": str(expiry(posting.date))},
            },
            ReturnValues="ALL_NEW",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return None
    return answer["Attributes"]


def _note(leed: Announcement) -> dict[str, Any]:
    return {
        "TableName": os.environ[TABLE_VARIABLE],
        "Key": {KEY: {"S": leed.slot}},
        "UpdateExpression": "SET is_counted = :yes",
        "ConditionExpression": "leed_id = :leed_id AND attribute_not_exists(is_counted)",
        "ExpressionAttributeValues": {":yes": {"BOOL": True}, ":leed_id": {"S": leed.leed_id}},
    }


def _addition(leed: Announcement) -> dict[str, Any]:
    return {
        "TableName": os.environ[TRADES_VARIABLE],
        "Key": {TRADES_KEY: {"S": leed.trade}},
        "UpdateExpression": "ADD leeds :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
