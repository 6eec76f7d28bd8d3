"""A world with a ledger in a bucket, the table of totals, and a private /tmp."""

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

from baselines import batch_import as baseline
from patterns.batch_import import blocks, cache, start, totals
from scenarios.worlds import beyond_moto
from scenarios.worlds.registry import create_table, dynamodb

s3 = boto3.client("s3")

BUCKET, KEY = "ledgers", "2026/january.jsonl"
TOTALS = "totals"
IMPORTER = "batch_import"
BEGIN = "begin"
BATCH_BYTES = 1_024
"""Small, so that even a small ledger has many batches."""
RECORDS = 60
WANTED = {"bucket": BUCKET, "key": KEY, "batch_bytes": BATCH_BYTES}
THROTTLED = 1


def ledger(records: int = RECORDS) -> bytes:
    """Build a ledger with this many records of various lengths, about 100 bytes each."""
    return b"".join(
        json.dumps(
            {"account": f"DE-{n % 7}", "cents": cents_of(n), "text": "x" * (40 + n % 37)}
        ).encode()
        + b"\n"
        for n in range(records)
    )


def cents_of(number: int) -> int:
    """Return the amount in a record of `ledger`; some amounts are negative."""
    return 1_000 + number if number % 5 else -number


@dataclass
class Ledgers:
    """A world: the actions of a scenario on the ledger, and the rows to inspect afterward.

    Parameters:
        refusals: makes S3 and the table reject calls.
        rows: the table at the end of the run: the row of each import, by ID.
        contents: the content of each ledger that was put, by the ID of its import.
    """

    refusals: beyond_moto.Refusals = field(default_factory=beyond_moto.Refusals)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)

    @property
    def row(self) -> dict[str, Any] | None:
        """Only row of the table; None if the table is empty."""
        if not self.rows:
            return None
        (row,) = self.rows.values()
        return row

    def put(self, content: bytes) -> str:
        """Put an object under the ledger's key and return its ETag."""
        etag: str = s3.put_object(Bucket=BUCKET, Key=KEY, Body=content)["ETag"]
        etag = etag.strip('"')
        self.contents[totals.import_id(BUCKET, KEY, etag)] = content
        return etag

    def replace(self) -> None:
        """Put another ledger under the same key."""
        self.put(ledger(RECORDS + 1))

    def delete(self) -> None:
        """Delete the ledger."""
        s3.delete_object(Bucket=BUCKET, Key=KEY)

    def lose_cache(self) -> None:
        """Lose the execution environment, including its memory and /tmp."""
        baseline.cached_objects.clear()
        shutil.rmtree(cache.folder(), ignore_errors=True)

    def throttle_s3(self, times: int = THROTTLED) -> None:
        """Make S3 reject the next reads."""
        self.refusals.add("GetObject", 503, "SlowDown", times)

    def throttle_table(self, times: int = THROTTLED) -> None:
        """Make DynamoDB reject the next writes of totals."""
        self.refusals.add("UpdateItem", 400, "ThrottlingException", times)

    def refresh(self) -> None:
        """Read the rows of the table."""
        for item in dynamodb.scan(TableName=TOTALS)["Items"]:
            name = item.pop(totals.KEY)["S"]
            self.rows[name] = {field: _value(value) for field, value in item.items()}


@contextmanager
def ledger_world(
    *, content: bytes | None = None, started_with: int | None = None, has_tmp: bool = True
) -> Iterator[Ledgers]:
    """Context manager that sets up a bucket, a table, and a cold environment.

    Parameters:
        content: the content of the object; None for a ledger of 60 records.
        started_with: the batch size with which an earlier execution started to import the object;
            None if there was none.
        has_tmp: False if /tmp isn't writable.
    """
    world = Ledgers()
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        stack.enter_context(private_tmp(is_writable=has_tmp))
        variables = {totals.TABLE_VARIABLE: TOTALS, start.FUNCTION_VARIABLE: f"{IMPORTER}:live"}
        stack.enter_context(patch.dict(os.environ, variables))
        stack.enter_context(world.refusals.of(blocks.s3, totals.dynamodb))
        baseline.cached_objects.clear()
        create_table(TOTALS, totals.KEY)
        s3.create_bucket(Bucket=BUCKET)
        etag = world.put(ledger() if content is None else content)
        if started_with:
            totals.begin(totals.import_id(BUCKET, KEY, etag), started_with)
        try:
            yield world
        finally:
            world.refresh()


@contextmanager
def private_tmp(*, is_writable: bool = True) -> Iterator[Path]:
    """Context manager that replaces /tmp with a private, empty folder."""
    with tempfile.TemporaryDirectory() as folder, patch.object(tempfile, "tempdir", folder):
        if not is_writable:
            cache.folder().write_text("a file where the folder should be")
        yield Path(folder)


def created(etag: str) -> dict[str, Any]:
    """Build the ledger's "Object Created" event, as EventBridge delivers it (S3 user guide)."""
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
