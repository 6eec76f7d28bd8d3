"""The registry's table, and the key that references are derived with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest.mock import patch

import boto3
from moto.kms import models, utils
from moto.moto_api._internal import mock_random

from patterns import callback_rows, reference

TABLE = "callbacks"

# The worlds make their calls with clients of their own, so that tests can count the handlers'.
dynamodb, kms = boto3.client("dynamodb"), boto3.client("kms")
_one_key = cache(utils.generate_private_key)


@contextmanager
def registry() -> Iterator[None]:
    """An empty registry; moto has to be on."""
    mock_random.seed(0)
    create_table(TABLE, callback_rows.KEY)
    with patch.dict(os.environ, {callback_rows.TABLE_VARIABLE: TABLE}):
        yield


@contextmanager
def reference_key() -> Iterator[None]:
    """A key that references are derived with; moto has to be on.

    moto makes an RSA key for every key, which takes it longer than all the rest and is needed for
    none of this kind: one is made, and serves them all.
    """
    with patch.object(models, "generate_private_key", _one_key):
        key = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")
    with patch.dict(os.environ, {reference.KEY_VARIABLE: key["KeyMetadata"]["KeyId"]}):
        yield


def create_table(name: str, key: str, sort_key: str = "") -> None:
    """A table whose keys are text; without a sort key unless one is named."""
    keys = [(key, "HASH"), *([(sort_key, "RANGE")] if sort_key else [])]
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],  # type: ignore[typeddict-item]
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
