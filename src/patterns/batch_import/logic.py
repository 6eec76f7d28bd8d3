"""How an object is cut: into chunks of batches, and a batch into the ranges that are read.

Everything follows from the object's size and the size of a batch, so that a replay, a step that
comes again and a second execution all cut an object alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypedDict

KIB = 1024
MIB = KIB * KIB

BLOCK_BYTES = 8 * MIB
"""The most that is read from S3 at once, and so held in memory."""
BATCH_BYTES = 64 * MIB
"""What one step takes, unless the event wants smaller steps; it may not want larger ones."""
SMALLEST_BATCH_BYTES = KIB
BATCHES_IN_A_CHUNK = 4
"""What one invocation takes: 256 MiB, so that even at 1 MiB a second it ends after five minutes.

An invocation may take 15. `make bench` does 40 MiB a second with a whole core; a function of 512 MB
has a quarter of one.
"""
MOST_BATCHES = 1_024
"""Of 64 MiB: 64 GiB. They and their 256 chunks and waits are 1,539 operations of 3,000 that an
execution may have; what remains is for retries."""


class Import(TypedDict):
    """What is asked for: an object, and in which steps to import it.

    `etag` is that of the object which is meant; None for the one that is there.
    """

    bucket: str
    key: str
    etag: str | None
    batch_bytes: int


class Batch(NamedTuple):
    """A part of an object: from `start` to before `end`, in bytes; numbers count from 1."""

    number: int
    start: int
    end: int


class NoImport(Exception):  # noqa: N818 - the execution's ErrorType should read as a fact
    """The event asks for no import; the message names the field."""


class TooLarge(Exception):  # noqa: N818
    """The object would take more batches than an execution can hold."""


def import_of(event: Any) -> Import:
    """The import that an event asks for.

    Raises:
        NoImport: a field is missing, or is not what it should be.
    """
    if not isinstance(event, Mapping):
        raise NoImport("the event: give an object")
    for field in ("bucket", "key"):
        if not isinstance(event.get(field), str) or not event[field]:
            raise NoImport(f"{field}: give some text")
    etag = event.get("etag")
    if not (etag is None or isinstance(etag, str)):
        raise NoImport("etag: give some text, or leave it out")
    return Import(
        bucket=event["bucket"],
        key=event["key"],
        etag=etag,
        batch_bytes=_batch_bytes(event.get("batch_bytes", BATCH_BYTES)),
    )


def batches_of(size: int, batch_bytes: int) -> list[Batch]:
    """The batches of an object of `size` bytes; none if it is empty.

    Raises:
        TooLarge: there would be more than 1,024.
    """
    most = MOST_BATCHES * batch_bytes
    if size > most:
        raise TooLarge(f"{size:,} bytes: in batches of {batch_bytes:,}, {most:,} are the most")
    starts = range(0, size, batch_bytes)
    return [Batch(n, start, min(start + batch_bytes, size)) for n, start in enumerate(starts, 1)]


def chunks_of(batches: list[Batch]) -> list[list[Batch]]:
    """Batches by the invocation that takes them."""
    starts = range(0, len(batches), BATCHES_IN_A_CHUNK)
    return [batches[start : start + BATCHES_IN_A_CHUNK] for start in starts]


def ranges_from(start: int, size: int, batch_bytes: int) -> Iterator[tuple[int, int]]:
    """The ranges in which an object is read from a batch's start on, to the object's end.

    None reaches over a batch's border: what one batch reads past its end, the next begins with, and
    it is the same range for both.
    """
    while start < size:
        border = (start // batch_bytes + 1) * batch_bytes
        end = min(start + BLOCK_BYTES, border, size)
        yield start, end
        start = end


def _batch_bytes(given: Any) -> int:
    if type(given) is not int or not SMALLEST_BATCH_BYTES <= given <= BATCH_BYTES:
        raise NoImport(f"batch_bytes: give {SMALLEST_BATCH_BYTES:,} to {BATCH_BYTES:,}")
    return given
