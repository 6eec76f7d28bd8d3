"""Parse the records of a ledger, one line of JSON each: `{"account": "DE-17", "cents": 1250}`.

A line belongs to the batch that contains the newline before it; the first line belongs to the first
batch. So a batch runs from the first newline at or after its start to the first newline at or after
its end. Every line, even one that crosses a border, is in exactly one batch, and no batch needs to
know about another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TypedDict

from patterns.batch_import.logic import KIB, Batch

MAX_LINE_BYTES = 256 * KIB
"""A file without a newline for longer isn't a ledger, and would fill the memory."""
MAX_CENTS = 10**15
"""Maximum per record. The sum over 64 GiB still fits the 38 digits of a DynamoDB number."""


class Sums(TypedDict):
    """The number of records and their sum in cents."""

    records: int
    cents: int


ZERO: Sums = {"records": 0, "cents": 0}


class MalformedRecord(Exception):  # noqa: N818 - says what it is
    """A line isn't a valid record. The message gives its position, never its content."""


def add(one: Sums, other: Sums) -> Sums:
    """Add two sums."""
    return {
        "records": one["records"] + other["records"],
        "cents": one["cents"] + other["cents"],
    }


def sum_batch(batch: Batch, blocks: Iterable[bytes]) -> Sums:
    """Sum up the records of a batch.

    Parameters:
        blocks: the object from the start of the batch; consumed only as far as needed.

    Raises:
        MalformedRecord: a line isn't a valid record, so the whole batch fails.
    """
    records = cents = 0
    for offset, line in lines_of(batch, blocks):
        if not line.strip():
            continue
        try:
            cents += _cents_of(line)
        except (ValueError, RecursionError):
            # Not chained: the JSON error holds the line, and a log may print it.
            raise _malformed(batch, offset) from None
        records += 1
    return {"records": records, "cents": cents}


def lines_of(batch: Batch, blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each line of a batch, without its newline, and the byte offset where it starts.

    Raises:
        MalformedRecord: a line is too long.
    """
    offset, rest, is_ours = batch.start, b"", batch.start == 0
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            if is_ours:
                yield offset, line
            is_ours = True
            offset += len(line) + 1
            if offset > batch.end:
                return
        if len(rest) > MAX_LINE_BYTES:
            raise _malformed(batch, offset)
    if rest and is_ours:
        yield offset, rest


def _cents_of(line: bytes) -> int:
    record = json.loads(line.decode())
    if not isinstance(record, dict):
        raise ValueError("not an object")
    account, cents = record.get("account"), record.get("cents")
    if not isinstance(account, str) or not account:
        raise ValueError("invalid account")
    if type(cents) is not int or abs(cents) > MAX_CENTS:
        raise ValueError("invalid cents")
    return cents


def _malformed(batch: Batch, offset: int) -> MalformedRecord:
    return MalformedRecord(f"batch {batch.number}: invalid record at byte {offset:,}")
