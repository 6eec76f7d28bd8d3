"""The shop around the gotchas: messages that leave it, a bank, a bucket; all of it is countable."""

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
KEPT = Duration.from_days(14)
"""How long messages stay in the queue, in virtual time: SQS has no more."""

sqs = boto3.client("sqs")
dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")

# The world makes its calls with clients of its own, so that the handlers' can be counted.
_sqs, _dynamodb, _s3 = boto3.client("sqs"), boto3.client("dynamodb"), boto3.client("s3")


@dataclass
class Shop:
    """What has happened outside, filled in when the run is over.

    Parameters:
        sent: the messages that left the shop, in order.
        charged: what the bank took, in euros: one entry for each idempotency key.
        exports: the keys of the objects in the bucket.
    """

    sent: list[str] = field(default_factory=list)
    charged: list[int] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)


def send(message: str) -> None:
    """Send a message: a mail, a parcel label, a word to the warehouse."""
    sqs.send_message(QueueUrl=OUTBOX, MessageBody=message)


def charge(euros: int, key: str) -> int:
    """Have the bank take money; with the same key again it is the same charge.

    Returns:
        What was taken.
    """
    item = {"idempotency_key": {"S": key}, "euros": {"N": str(euros)}}
    dynamodb.put_item(TableName=CHARGES, Item=item)
    return euros


def export(key: str, text: str) -> str:
    """Keep a text in the bucket.

    Returns:
        Its key.
    """
    s3.put_object(Bucket=EXPORTS, Key=key, Body=text.encode())
    return key


@contextmanager
def world() -> Iterator[Shop]:
    """A shop in which nothing has happened yet."""
    shop = Shop()
    with mock_aws():
        _sqs.create_queue(
            QueueName=OUTBOX.rpartition("/")[2],
            Attributes={"MessageRetentionPeriod": str(KEPT.to_seconds())},
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
            _look(shop)


def _look(shop: Shop) -> None:
    while found := _sqs.receive_message(QueueUrl=OUTBOX, MaxNumberOfMessages=10).get("Messages"):
        for message in found:
            shop.sent.append(message["Body"])
            _sqs.delete_message(QueueUrl=OUTBOX, ReceiptHandle=message["ReceiptHandle"])
    items = _dynamodb.scan(TableName=CHARGES)["Items"]
    shop.charged.extend(int(item["euros"]["N"]) for item in items)
    objects = _s3.list_objects_v2(Bucket=EXPORTS).get("Contents", [])
    shop.exports.extend(kept["Key"] for kept in objects)
