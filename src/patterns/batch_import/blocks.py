"""Read an S3 object in ranges, pinned to one ETag and never held in memory as a whole.

Every read sends `If-Match`, so S3 itself rejects it if the object has been replaced. Cached blocks
were read under the same ETag, so they belong to the same object.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TypedDict

import boto3
from botocore.exceptions import ClientError, IncompleteReadError

from patterns.batch_import import cache, logic
from patterns.batch_import.logic import Batch, Import
from patterns.transient import STEP_CLIENT, TransientError

s3 = boto3.client("s3", config=STEP_CLIENT)


class Pin(TypedDict):
    """One version of an object. Different content under the same key has a different ETag.

    `size` is in bytes.
    """

    bucket: str
    key: str
    etag: str
    size: int


class ObjectMissing(Exception):  # noqa: N818 - says what it is
    """The object doesn't exist, or no longer exists."""


class ObjectReplaced(Exception):  # noqa: N818
    """The key holds different content than when the import was requested."""


def pin(wanted: Import) -> Pin:
    """Pin the object to its current content.

    Raises:
        ObjectMissing: there is no such object.
        ObjectReplaced: the object doesn't have the requested ETag.
    """
    condition = {"IfMatch": quoted(wanted["etag"])} if wanted["etag"] else {}
    bucket, key = wanted["bucket"], wanted["key"]
    with translated_errors(bucket, key):
        head = s3.head_object(Bucket=bucket, Key=key, **condition)
    etag = head["ETag"].strip('"')
    return Pin(bucket=bucket, key=key, etag=etag, size=head["ContentLength"])


def read(pinned: Pin, batch: Batch, batch_bytes: int) -> Iterator[bytes]:
    """Yield the object block by block from the start of a batch, reading each block on demand.

    Raises:
        ObjectMissing, ObjectReplaced: see `pin`.
        TransientError: the connection broke.
    """
    for start, end in logic.ranges_from(batch.start, pinned["size"], batch_bytes):
        name = f"{pinned['bucket']}/{pinned['key']} {pinned['etag']} {start}-{end}"
        block = cache.load(name)
        if block is None:
            block = _fetch(pinned, start, end)
            cache.save(name, block)
        yield block


def quoted(etag: str) -> str:
    """Quote an ETag as HTTP requires; S3 events carry it without quotes."""
    return f'"{etag}"'


@contextmanager
def translated_errors(bucket: str, key: str) -> Iterator[None]:
    """Context manager that raises S3's 404 and 412 responses as errors of our own.

    A caller without permission to list the bucket receives 403 instead of 404. That error is raised
    as it is.

    Raises:
        ObjectMissing: S3 responded 404.
        ObjectReplaced: S3 responded 412.
    """
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == HTTPStatus.NOT_FOUND:
            raise ObjectMissing(f"object {key!r} in bucket {bucket} does not exist") from error
        if status == HTTPStatus.PRECONDITION_FAILED:
            raise ObjectReplaced(f"object {key!r} in bucket {bucket} was replaced") from error
        raise


def _fetch(pinned: Pin, start: int, end: int) -> bytes:
    bucket, key = pinned["bucket"], pinned["key"]
    with translated_errors(bucket, key):
        answer = s3.get_object(
            Bucket=bucket, Key=key, IfMatch=quoted(pinned["etag"]), Range=f"bytes={start}-{end - 1}"
        )
    try:
        block: bytes = answer["Body"].read()
    except IncompleteReadError as error:
        raise TransientError(str(error)) from error
    return block
