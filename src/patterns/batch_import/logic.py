"""Divide an object into chunks, chunks into batches, and batches into ranges to read.

Everything follows from the size of the object and of a batch, so a replay, a retried step, and a
second execution all divide an object the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypedDict

KIB = 1024
MIB = KIB * KIB

BLOCK_BYTES = 8 * MIB
"""Maximum size of one read from S3, and so of the data held in memory."""
BATCH_BYTES = 64 * MIB
"""Size of the batch that one step processes. An event may request smaller batches, not larger."""
MIN_BATCH_BYTES = KIB
BATCHES_PER_CHUNK = 4
"""Number of batches per invocation: 256 MiB, which take five minutes even at 1 MiB per second.

An invocation may take 15 minutes. `make bench` measures 40 MiB per second on a full core; a
function with 512 MB of memory has a quarter of one.
"""
MAX_BATCHES = 1_024
"""At 64 MiB each, 64 GiB. With their 256 chunks and the waits between them, they make 1,539 of the
3,000 operations that an execution may have.

That leaves 1,461 for retries. An outage costs one batch at most 53, however long it is; what could
use them up is a service that rejects the first attempt of every batch, and the second of half."""


class Import(TypedDict):
    """A request to import an object in batches of a given size.

    `etag` identifies the content to import; None stands for the current content.
    """

    bucket: str
    key: str
    etag: str | None
    batch_bytes: int


class Batch(NamedTuple):
    """A part of an object: bytes `start` (inclusive) to `end` (exclusive); numbers count from 1."""

    number: int
    start: int
    end: int


class InvalidImport(Exception):  # noqa: N818 - the execution's ErrorType should read as a fact
    """The event isn't a valid import request; the message names the field."""


class TooLarge(Exception):  # noqa: N818
    """The object needs more batches than fit into one execution."""


def parse_import(event: Any) -> Import:
    """Parse the import request in an event.

    Raises:
        InvalidImport: a field is missing or invalid.
    """
    if not isinstance(event, Mapping):
        raise InvalidImport("event: must be an object")
    for field in ("bucket", "key"):
        if not isinstance(event.get(field), str) or not event[field]:
            raise InvalidImport(f"{field}: must be a non-empty string")
    etag = event.get("etag")
    if not (etag is None or isinstance(etag, str)):
        raise InvalidImport("etag: must be a string or omitted")
    return Import(
        bucket=event["bucket"],
        key=event["key"],
        etag=etag,
        batch_bytes=_batch_bytes(event.get("batch_bytes", BATCH_BYTES)),
    )


def batches_of(size: int, batch_bytes: int) -> list[Batch]:
    """Divide an object of `size` bytes into batches; an empty object has none.

    Raises:
        TooLarge: there would be more than 1,024 batches.
    """
    maximum = MAX_BATCHES * batch_bytes
    if size > maximum:
        raise TooLarge(
            f"{size:,} bytes exceed the maximum of {maximum:,} bytes in batches of {batch_bytes:,}"
        )
    starts = range(0, size, batch_bytes)
    return [Batch(n, start, min(start + batch_bytes, size)) for n, start in enumerate(starts, 1)]


def chunks_of(batches: list[Batch]) -> list[list[Batch]]:
    """Group batches into chunks, one per invocation."""
    starts = range(0, len(batches), BATCHES_PER_CHUNK)
    return [batches[start : start + BATCHES_PER_CHUNK] for start in starts]


def ranges_from(start: int, size: int, batch_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges to read from the start of a batch to the end of the object.

    No range crosses the border between two batches. So the range that one batch reads past its end
    is exactly the range that the next batch starts with.
    """
    while start < size:
        border = (start // batch_bytes + 1) * batch_bytes
        end = min(start + BLOCK_BYTES, border, size)
        yield start, end
        start = end


def _batch_bytes(value: Any) -> int:
    if type(value) is not int or not MIN_BATCH_BYTES <= value <= BATCH_BYTES:
        raise InvalidImport(
            f"batch_bytes: must be an integer from {MIN_BATCH_BYTES:,} to {BATCH_BYTES:,}"
        )
    return value
