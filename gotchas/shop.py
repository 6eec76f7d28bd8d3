"""The shop that all gotchas share: an outbox, a bank, and a bucket. Tests check their contents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import boto3
from aws_durable_execution_sdk_python.config import Duration
from moto import mock_aws

OUTBOX = "https://sqs.us-east-1.amazonaws.com/123456789012/outbox"
CHARGES = "charges"
EXPORTS = "exports"
RETENTION = Duration.from_days(14)
"""Retention period of the outbox in virtual time: the maximum of SQS."""

sqs = boto3.client("sqs")
dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")

# The world has its own clients, so that only the calls of the handlers are counted.
_sqs, _dynamodb, _s3 = boto3.client("sqs"), boto3.client("dynamodb"), boto3.client("s3")


@dataclass
class Shop:
    """The side effects of a run, filled in when it ends.

    Parameters:
        sent: the messages in the outbox, in order.
        charged: the charges in euros, one for each idempotency key.
        exports: the keys of the objects in the bucket.
    """

    sent: list[str] = field(default_factory=list)
    charged: list[int] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)


def send(message: str) -> None:
    """Send a message: an email, a parcel label, an instruction to the warehouse."""
    sqs.send_message(QueueUrl=OUTBOX, MessageBody=message)


def charge(euros: int, key: str) -> int:
    """Charge the customer; repeating the idempotency key doesn't charge again.

    Returns:
        The amount in euros.
    """
    item = {"idempotency_key": {"S": key}, "euros": {"N": str(euros)}}
    dynamodb.put_item(TableName=CHARGES, Item=item)
    return euros


def export(key: str, text: str) -> str:
    """Store a text in the bucket.

    Returns:
        The key of the object.
    """
    s3.put_object(Bucket=EXPORTS, Key=key, Body=text.encode())
    return key


@contextmanager
def world() -> Iterator[Shop]:
    """Context manager that yields a new shop; its lists are filled at the end."""
    shop = Shop()
    with mock_aws():
        _sqs.create_queue(
            QueueName=OUTBOX.rpartition("/")[2],
            Attributes={"MessageRetentionPeriod": str(RETENTION.to_seconds())},
        )
        _s3.create_bucket(Bucket=EXPORTS)
        _dynamodb.create_table(
            TableName=CHARGES,
            KeySchema=[{"AttributeName": "idempotency_key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "idempotency_key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        try:
            yield shop
        finally:
            _collect(shop)


def _collect(shop: Shop) -> None:
    while batch := _sqs.receive_message(QueueUrl=OUTBOX, MaxNumberOfMessages=10).get("Messages"):
        for message in batch:
            shop.sent.append(message["Body"])
            _sqs.delete_message(QueueUrl=OUTBOX, ReceiptHandle=message["ReceiptHandle"])
    items = _dynamodb.scan(TableName=CHARGES)["Items"]
    shop.charged.extend(int(item["euros"]["N"]) for item in items)
    objects = _s3.list_objects_v2(Bucket=EXPORTS).get("Contents", [])
    shop.exports.extend(stored["Key"] for stored in objects)
