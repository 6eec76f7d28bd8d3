"""Worlds with AWS services, built by moto for each run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto import mock_aws

ACCOUNT = "123456789012"


def queue_url(name: str) -> str:
    """Return the URL of a queue."""
    return f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{name}"


@contextmanager
def queues(*names: str) -> Iterator[Any]:
    """Context manager that creates queues; yields a client."""
    with mock_aws():
        sqs = boto3.client("sqs")
        for name in names:
            fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
            sqs.create_queue(QueueName=name, Attributes=fifo)
        yield sqs


@contextmanager
def tables(*names: str, **items: dict[str, Any]) -> Iterator[Any]:
    """Context manager that creates tables with the key `id`; yields the resource.

    Parameters:
        items: one item to put into a table, by the name of the table.
    """
    with mock_aws():
        dynamodb = boto3.resource("dynamodb")
        for name in {**dict.fromkeys(names), **dict.fromkeys(items)}:
            dynamodb.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        for name, item in items.items():
            dynamodb.Table(name).put_item(Item=item)
        yield dynamodb


@contextmanager
def bucket(name: str, **objects: str) -> Iterator[Any]:
    """Context manager that creates a bucket with objects; yields a client."""
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=name)
        for key, body in objects.items():
            s3.put_object(Bucket=name, Key=key, Body=body.encode())
        yield s3


@contextmanager
def parameters(**values: str) -> Iterator[Any]:
    """Context manager that creates parameters in Parameter Store; yields a client."""
    with mock_aws():
        ssm = boto3.client("ssm")
        for name, value in values.items():
            ssm.put_parameter(Name=name, Value=value, Type="String")
        yield ssm
