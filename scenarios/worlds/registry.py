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

from patterns.callbacks import reference, table

TABLE = "callbacks"

# Worlds call AWS with their own clients, so that tests count only the handlers' calls.
dynamodb, kms = boto3.client("dynamodb"), boto3.client("kms")
_one_key = cache(utils.generate_private_key)


@contextmanager
def registry() -> Iterator[None]:
    """Context manager that sets up an empty registry. Requires moto."""
    mock_random.seed(0)
    create_table(TABLE, table.KEY)
    with patch.dict(os.environ, {table.TABLE_VARIABLE: TABLE}):
        yield


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


def create_table(name: str, key: str, sort_key: str = "") -> None:
    """Create a table with string keys, and no sort key unless `sort_key` names one."""
    keys = [(key, "HASH"), *([(sort_key, "RANGE")] if sort_key else [])]
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],  # type: ignore[typeddict-item]
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
