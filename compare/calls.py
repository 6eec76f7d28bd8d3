"""Counts what functions send to DynamoDB; what a world does around them is not counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dacapo import boto, observing

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_READS = frozenset({"GetItem", "Scan", "Query"})


@dataclass
class TableCalls:
    """Reads and writes of DynamoDB, and the bytes that the writes sent."""

    writes: int = 0
    reads: int = 0
    bytes_sent: int = 0


@contextmanager
def counted() -> Iterator[TableCalls]:
    """Count while this lasts."""
    calls = TableCalls()

    def observe(service: str, operation: str, request: Mapping[str, Any]) -> None:
        if service != "dynamodb" or not boto.active().actor():
            return
        calls.reads += operation in _READS
        if operation in _WRITES:
            calls.writes += 1
            calls.bytes_sent += len(request["body"])

    with observing.observed_by(observe):
        yield calls
