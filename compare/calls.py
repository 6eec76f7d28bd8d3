"""Counts the calls of functions to DynamoDB; calls of the simulated world are excluded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dacapo.process import effect_listeners
from dacapo.simulation import boto

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_READS = frozenset({"GetItem", "Scan", "Query"})


@dataclass
class TableCalls:
    """DynamoDB reads and writes, and the bytes that the writes sent."""

    writes: int = 0
    reads: int = 0
    bytes_sent: int = 0


@contextmanager
def counted() -> Iterator[TableCalls]:
    """Context manager that counts the DynamoDB calls of functions."""
    calls = TableCalls()

    def observe(service: str, operation: str, request: Mapping[str, Any]) -> None:
        if service != "dynamodb" or not boto.active().caller():
            return
        calls.reads += operation in _READS
        if operation in _WRITES:
            calls.writes += 1
            calls.bytes_sent += len(request["body"])

    with effect_listeners.listening(observe):
        yield calls
