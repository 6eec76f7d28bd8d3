"""A bucket with a ledger in it, the table of totals, and a /tmp of their own."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws

from patterns.batch_import import before, begin, blocks, cache, totals
from scenarios.worlds import beyond_moto
from scenarios.worlds.registry import create_table, dynamodb

s3 = boto3.client("s3")

BUCKET, KEY = "ledgers", "2026/january.jsonl"
TOTALS = "totals"
IMPORTER = "batch_import"
BEGIN = "begin"
BATCH_BYTES = 1_024
"""Small, so that a small ledger has many batches."""
RECORDS = 60
WANTED = {"bucket": BUCKET, "key": KEY, "batch_bytes": BATCH_BYTES}
THROTTLED = 1


def ledger(records: int = RECORDS) -> bytes:
    """A ledger of so many records, of different lengths: some 100 bytes each."""
    return b"".join(
        json.dumps(
            {"account": f"DE-{n % 7}", "cents": cents_of(n), "text": "x" * (40 + n % 37)}
        ).encode()
        + b"\n"
        for n in range(records)
    )


def cents_of(number: int) -> int:
    """What a record of `ledger` is about; some are negative."""
    return 1_000 + number if number % 5 else -number


@dataclass
class Ledgers:
    """What a story can do to the object, and what it can look at afterwards.

    Parameters:
        refusals: lets S3 and the table refuse calls.
        rows: the table when the run was over: each import's row, by name.
    """

    refusals: beyond_moto.Refusals = field(default_factory=beyond_moto.Refusals)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def row(self) -> dict[str, Any] | None:
        """The one row that there is; None if there is none."""
        if not self.rows:
            return None
        (row,) = self.rows.values()
        return row

    def put(self, content: bytes) -> str:
        """Put an object where the ledger is; gives its ETag."""
        etag: str = s3.put_object(Bucket=BUCKET, Key=KEY, Body=content)["ETag"]
        return etag.strip('"')

    def replace(self) -> None:
        """Somebody puts another ledger under the same key."""
        self.put(ledger(RECORDS + 1))

    def delete(self) -> None:
        """Somebody deletes the ledger."""
        s3.delete_object(Bucket=BUCKET, Key=KEY)

    def lose_cache(self) -> None:
        """The environment is gone, and with it memory and /tmp."""
        before.kept.clear()
        shutil.rmtree(cache.folder(), ignore_errors=True)

    def throttle_s3(self, times: int = THROTTLED) -> None:
        """S3 refuses the next reads."""
        self.refusals.add("GetObject", 503, "SlowDown", times)

    def throttle_table(self, times: int = THROTTLED) -> None:
        """DynamoDB refuses the next writes of totals."""
        self.refusals.add("UpdateItem", 400, "ThrottlingException", times)

    def look(self) -> None:
        """Look at the table."""
        for item in dynamodb.scan(TableName=TOTALS)["Items"]:
            name = item.pop(totals.KEY)["S"]
            self.rows[name] = {field: _value(value) for field, value in item.items()}


@contextmanager
def ledger_world(
    *, content: bytes | None = None, begun_in: int | None = None, has_tmp: bool = True
) -> Iterator[Ledgers]:
    """A bucket, a table, and an environment that nothing has warmed.

    Parameters:
        content: the object; None for a ledger of 60 records.
        begun_in: the size of batches in which an earlier execution has begun to import it.
        has_tmp: whether anything can be written to /tmp.
    """
    world = Ledgers()
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        stack.enter_context(own_tmp(is_writable=has_tmp))
        variables = {totals.TABLE_VARIABLE: TOTALS, begin.FUNCTION_VARIABLE: f"{IMPORTER}:live"}
        stack.enter_context(patch.dict(os.environ, variables))
        stack.enter_context(world.refusals.of(blocks.s3, totals.dynamodb))
        before.kept.clear()
        create_table(TOTALS, totals.KEY)
        s3.create_bucket(Bucket=BUCKET)
        etag = world.put(ledger() if content is None else content)
        if begun_in:
            totals.begin(totals.import_id(BUCKET, KEY, etag), begun_in)
        try:
            yield world
        finally:
            world.look()


@contextmanager
def own_tmp(*, is_writable: bool = True) -> Iterator[Path]:
    """A /tmp that nobody else has, while this lasts."""
    with tempfile.TemporaryDirectory() as made, patch.object(tempfile, "tempdir", made):
        if not is_writable:
            cache.folder().write_text("a file where the folder should be")
        yield Path(made)


def created(etag: str) -> dict[str, Any]:
    """The "Object Created" event of the ledger, as EventBridge has it (S3 user guide)."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": beyond_moto.ACCOUNT,
        "time": "2026-01-01T00:00:00Z",
        "region": beyond_moto.REGION,
        "resources": [f"arn:aws:s3:::{BUCKET}"],
        "detail": {
            "version": "0",
            "bucket": {"name": BUCKET},
            "object": {"key": KEY, "size": 1, "etag": etag, "sequencer": "617f08299329d189"},
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": beyond_moto.ACCOUNT,
            "source-ip-address": "127.0.0.1",
            "reason": "PutObject",
        },
    }


def _value(value: Any) -> Any:
    return int(value["N"]) if "N" in value else next(iter(value.values()))
