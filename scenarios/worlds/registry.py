"""The callback registry's table, and the KMS key that references are derived with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest.mock import patch

import boto3
from moto.kms import models, utils
from moto.moto_api._internal import mock_random

from dacapo import Recording
from patterns.callbacks import overdue, reference, table

TABLE = "callbacks"
OVERDUE = "overdue"
"""Name of the function that delivers what senders have given up."""

# Worlds call AWS with their own clients, so that tests count only the handlers' calls.
dynamodb, kms = boto3.client("dynamodb"), boto3.client("kms")
lambda_client = boto3.client("lambda")
_one_key = cache(utils.generate_private_key)


@contextmanager
def registry() -> Iterator[None]:
    """Context manager that sets up an empty registry. Requires moto."""
    mock_random.seed(0)
    create_table(TABLE, table.KEY)
    with patch.dict(os.environ, {table.TABLE_VARIABLE: TABLE, overdue.STACK_VARIABLE: "sample"}):
        yield


def stored_row(reference: str) -> table.Row | None:
    """Return the registry's row with this reference; None if there is none."""
    item = dynamodb.get_item(
        TableName=TABLE, Key={table.KEY: {"S": reference}}, ConsistentRead=True
    ).get("Item")
    return table.parse_row(item) if item else None


def sweep() -> None:
    """Run the function that delivers what senders have given up, as its schedule does."""
    lambda_client.invoke(FunctionName=OVERDUE, InvocationType="Event", Payload=b"{}")


@contextmanager
def reference_key() -> Iterator[None]:
    """Context manager that creates the KMS key for references. Requires moto.

    moto generates an RSA key for every KMS key. That is slower than everything else here, and an
    HMAC key doesn't need it, so all worlds share one.
    """
    with patch.object(models, "generate_private_key", _one_key):
        key = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")
    with patch.dict(os.environ, {reference.KEY_VARIABLE: key["KeyMetadata"]["KeyId"]}):
        yield


def assert_answered_once(recording: Recording, row: table.Row | None) -> None:
    """Assert that no callback was answered twice, and that the registry knows of every answer."""
    answers = [d for d in recording.deliveries if d.refused is None and d.kind != "heartbeat"]
    assert len({d.operation_id for d in answers}) == len(answers), "a callback has two answers"
    # An answer in transit, whose sender is asked to redeliver, has not arrived.
    assert not answers or row is None or row.state is not table.State.INTENT


def create_table(name: str, key: str, sort_key: str = "") -> None:
    """Create a table with string keys, and no sort key unless `sort_key` names one."""
    keys = [(key, "HASH"), *([(sort_key, "RANGE")] if sort_key else [])]
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],  # type: ignore[typeddict-item]
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
