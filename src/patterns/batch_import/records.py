"""The records of a ledger, one a line of JSON: `{"account": "DE-17", "cents": 1250}`.

A line belongs to the batch in which the newline before it stands, the first one to the first. So a
batch is what lies between the first newline at or after its start and the first at or after its
end: every line is in one, also if it crosses a border, and no batch has to know another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TypedDict

from patterns.batch_import.logic import KIB, Batch

LONGEST_LINE = 256 * KIB
"""Bytes; what has no newline for longer is no ledger, and would be collected in memory."""
MOST_CENTS = 10**15
"""Of one record; all records of 64 GiB together still fit the 38 digits of a number in DynamoDB."""


class Sums(TypedDict):
    """How many records there are, and what they come to."""

    records: int
    cents: int


NOTHING: Sums = {"records": 0, "cents": 0}


class MalformedRecord(Exception):  # noqa: N818 - says what it is
    """A line is no record. The message says where it is, and not what it holds."""


def plus(one: Sums, other: Sums) -> Sums:
    """Both together."""
    return {
        "records": one["records"] + other["records"],
        "cents": one["cents"] + other["cents"],
    }


def sum_of(batch: Batch, blocks: Iterable[bytes]) -> Sums:
    """What a batch comes to.

    Parameters:
        blocks: the object from the batch's start on; taken as far as needed.

    Raises:
        MalformedRecord: a line is no record; nothing of the batch counts.
    """
    records = cents = 0
    for offset, line in lines_of(batch, blocks):
        if not line.strip():
            continue
        try:
            cents += _cents_of(line)
        except (ValueError, RecursionError):
            # Not as its cause: the JSON error keeps the line, and a log may show it.
            raise _malformed(batch, offset) from None
        records += 1
    return {"records": records, "cents": cents}


def lines_of(batch: Batch, blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines of a batch, without their newlines, each with the byte at which it begins.

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
        if len(rest) > LONGEST_LINE:
            raise _malformed(batch, offset)
    if rest and is_ours:
        yield offset, rest


def _cents_of(line: bytes) -> int:
    record = json.loads(line.decode())
    if not isinstance(record, dict):
        raise ValueError("no object")
    account, cents = record.get("account"), record.get("cents")
    if not isinstance(account, str) or not account:
        raise ValueError("no account")
    if type(cents) is not int or abs(cents) > MOST_CENTS:
        raise ValueError("no cents")
    return cents


def _malformed(batch: Batch, offset: int) -> MalformedRecord:
    return MalformedRecord(f"batch {batch.number}: the line at byte {offset:,} is no record")
