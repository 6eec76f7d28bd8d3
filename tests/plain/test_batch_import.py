"""Importing a large object, with nothing but AWS's own runner, moto, and botocore's stubs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.stub import Stubber

from patterns.batch_import import blocks, totals
from patterns.batch_import.handler import handler

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")

BUCKET, KEY = "ledgers", "january.jsonl"
# Batches of 1 KiB, four per invocation: this ledger has seven batches, so two chunks.
EVENT = json.dumps({"bucket": BUCKET, "key": KEY, "batch_bytes": 1024})
RECORD = json.dumps({"account": "DE-17", "cents": 5, "text": "x" * 58}).encode() + b"\n"
RECORDS = 60


@pytest.fixture
def runner(
    runner_of: Callable[[Any], DurableFunctionTestRunner],
    create_table: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> DurableFunctionTestRunner:
    monkeypatch.setenv(totals.TABLE_VARIABLE, "totals")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where the handler caches blocks
    create_table("totals", totals.KEY)
    s3.create_bucket(Bucket=BUCKET)
    put(RECORD * RECORDS)
    return runner_of(handler)


def put(content: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=content)


def row() -> dict[str, Any]:
    (item,) = dynamodb.scan(TableName="totals")["Items"]
    return {name: next(iter(value.values())) for name, value in item.items()}


def test_every_record_is_added_to_the_total_once(
    runner: DurableFunctionTestRunner, bodies: list[int]
) -> None:
    result = runner.run(EVENT)
    assert json.loads(str(result.result)) == {"records": 60, "cents": 300, "batches": 7}
    assert (row()["records"], row()["cents"], row()["is_finished"]) == ("60", "300", True)
    assert len(bodies) == 2, "the handler was not replayed"


def test_an_object_that_is_replaced_meanwhile_fails_the_execution(
    runner: DurableFunctionTestRunner,
    bodies: list[int],
    before: dict[int, Callable[[], object]],
) -> None:
    before[2] = lambda: put(RECORD)
    result = runner.run(EVENT)
    assert result.error is not None
    assert "was replaced" in str(result.error.message)
    assert row()["last_batch"] == "4", "the first chunk was not imported"
    assert "is_finished" not in row(), "a partial sum looks like a total"
    assert len(bodies) == 2, "the handler was not replayed"


def test_a_batch_that_s3_throttles_is_retried_and_added_once(
    runner: DurableFunctionTestRunner,
    bodies: list[int],
    before: dict[int, Callable[[], object]],
) -> None:
    # A stub answers every call of its client, so it stands in for S3 in one invocation only.
    stub = Stubber(blocks.s3)
    stub.add_client_error("head_object", "SlowDown", http_status_code=503)
    stub.activate()
    before[2] = stub.deactivate
    result = runner.run(EVENT)
    assert json.loads(str(result.result))["cents"] == 300
    assert row()["cents"] == "300"
    assert len(bodies) == 3, "the step was not retried"


def test_a_missing_object_fails_the_execution(
    runner: DurableFunctionTestRunner, bodies: list[int]
) -> None:
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    result = runner.run(EVENT)
    assert result.error is not None
    assert "does not exist" in str(result.error.message)
    assert len(bodies) == 1, "a permanent error was retried"
