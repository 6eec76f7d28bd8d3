"""Store job postings in DynamoDB and count them per trade. Every write is idempotent."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from patterns.fan_out.logic import Announcement, PostingRequest
from patterns.transient import HTTP_CLIENT, TransientError

TABLE_VARIABLE = "POSTINGS_TABLE"
"""Environment variable with the name of the postings table."""
KEY = "slot"
"""Partition key of the postings table; its TTL attribute is `expires_at`."""
TRADES_VARIABLE = "TRADES_TABLE"
"""Environment variable with the name of the trades table."""
TRADES_KEY = "trade"
"""Partition key of the trades table."""
RETENTION_AFTER_DATE = dt.timedelta(days=30)
"""How long a posting, including its seller's address, is kept after its date."""

# `start` faces HTTP, so its calls must end before it does.
dynamodb = boto3.client("dynamodb", config=HTTP_CLIENT)


@dataclass(frozen=True)
class Booking:
    """A posting that holds its slot.

    Parameters:
        posting: the stored posting.
        is_new: True if this call stored it, False if it was already stored.
    """

    posting: Announcement
    is_new: bool


def book(request: PostingRequest) -> Booking | None:
    """Book a slot for a seller, unless another seller holds it.

    One conditional write both checks and stores, so that exactly one of two concurrent sellers gets
    the slot. A seller who already holds it receives the existing posting.

    Returns:
        The booking, or None if another seller holds the slot.
    """
    posting_id = uuid.uuid4().hex
    stored = _write(request, posting_id)
    if stored is None:
        return None
    posting = Announcement(
        posting_id=stored["posting_id"]["S"],
        trade=request.trade,
        date=request.date,
        # As first written: a retry may spell the same place differently.
        location=stored["location"]["S"],
    )
    return Booking(posting, is_new=posting.posting_id == posting_id)


def seller_of(posting: Announcement) -> str | None:
    """Return the seller's email address, or None if the posting no longer exists."""
    item = dynamodb.get_item(
        TableName=os.environ[TABLE_VARIABLE], Key={KEY: {"S": posting.slot}}, ConsistentRead=True
    ).get("Item")
    if item is None or item["posting_id"]["S"] != posting.posting_id:
        return None
    return item["seller"]["S"]


def count(posting: Announcement) -> None:
    """Increment the count of postings of the trade, once however often this is called.

    One transaction increments the count and marks the posting as counted. DynamoDB's own client
    request token would be idempotent for ten minutes only.

    Raises:
        TransientError: the transaction conflicted with another one.
        ClientError: DynamoDB rejected the call.
    """
    items: list[Any] = [{"Update": _mark_counted(posting)}, {"Update": _increment(posting)}]
    try:
        dynamodb.transact_write_items(TransactItems=items)
    except dynamodb.exceptions.TransactionCanceledException as canceled:
        response: Mapping[str, Any] = canceled.response
        reasons = [reason.get("Code") for reason in response["CancellationReasons"]]
        if reasons[0] != "ConditionalCheckFailed":
            raise TransientError(f"the posting was not counted: {reasons}") from None


def expiry(date: dt.date) -> int:
    """Return the time from which TTL may delete a posting, in epoch seconds."""
    end = dt.datetime.combine(date, dt.time.min, dt.UTC) + RETENTION_AFTER_DATE
    return int(end.timestamp())


def _write(request: PostingRequest, posting_id: str) -> Mapping[str, Any] | None:
    """Return the posting as now stored, or None if another seller holds the slot."""
    try:
        answer = dynamodb.update_item(
            TableName=os.environ[TABLE_VARIABLE],
            Key={KEY: {"S": request.slot}},
            UpdateExpression=(
                "SET posting_id = if_not_exists(posting_id, :posting_id), seller = :seller, "
                "#location = if_not_exists(#location, :location), expires_at = :expires_at"
            ),
            ConditionExpression=f"attribute_not_exists({KEY}) OR seller = :seller",
            ExpressionAttributeNames={"#location": "location"},
            ExpressionAttributeValues={
                ":posting_id": {"S": posting_id},
                ":seller": {"S": request.seller},
                ":location": {"S": request.location},
                ":expires_at": {"N": str(expiry(request.date))},
            },
            ReturnValues="ALL_NEW",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return None
    return answer["Attributes"]


def _mark_counted(posting: Announcement) -> dict[str, Any]:
    return {
        "TableName": os.environ[TABLE_VARIABLE],
        "Key": {KEY: {"S": posting.slot}},
        "UpdateExpression": "SET is_counted = :yes",
        "ConditionExpression": "posting_id = :posting_id AND attribute_not_exists(is_counted)",
        "ExpressionAttributeValues": {
            ":yes": {"BOOL": True},
            ":posting_id": {"S": posting.posting_id},
        },
    }


def _increment(posting: Announcement) -> dict[str, Any]:
    return {
        "TableName": os.environ[TRADES_VARIABLE],
        "Key": {TRADES_KEY: {"S": posting.trade}},
        "UpdateExpression": "ADD postings :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
