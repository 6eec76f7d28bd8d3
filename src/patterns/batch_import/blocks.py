"""An S3 object, read by ranges: pinned to one ETag, and never held whole.

`If-Match` goes along with every read, so that S3 itself refuses if the object was replaced in the
meantime. What the cache holds was read under the same ETag: it is of the same object.
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
from patterns.transient import TransientError

s3 = boto3.client("s3")


class Pin(TypedDict):
    """One object, as it was: other content under the same key is another ETag."""

    bucket: str
    key: str
    etag: str
    size: int


class ObjectMissing(Exception):  # noqa: N818 - says what it is
    """There is no such object, or no longer."""


class ObjectReplaced(Exception):  # noqa: N818
    """There is other content under this key than when the import was asked for."""


def pin(wanted: Import) -> Pin:
    """Look which object is there.

    Raises:
        ObjectMissing: none is.
        ObjectReplaced: it is not the one that is meant.
    """
    condition = {"IfMatch": quoted(wanted["etag"])} if wanted["etag"] else {}
    bucket, key = wanted["bucket"], wanted["key"]
    with refusals_explained(bucket, key):
        head = s3.head_object(Bucket=bucket, Key=key, **condition)
    etag = head["ETag"].strip('"')
    return Pin(bucket=bucket, key=key, etag=etag, size=head["ContentLength"])


def read(pinned: Pin, batch: Batch, batch_bytes: int) -> Iterator[bytes]:
    """The object from a batch's start on, block by block, each read when it is asked for.

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
    """An ETag as HTTP has it; events have it without quotes."""
    return f'"{etag}"'


@contextmanager
def refusals_explained(bucket: str, key: str) -> Iterator[None]:
    """Say what S3 means when it refuses.

    Who may not list the bucket is told 403 instead of 404: that stays the error that it is.
    """
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == HTTPStatus.NOT_FOUND:
            raise ObjectMissing(f"there is no object {key!r} in {bucket}") from error
        if status == HTTPStatus.PRECONDITION_FAILED:
            raise ObjectReplaced(f"{key!r} in {bucket} was replaced") from error
        raise


def _fetch(pinned: Pin, start: int, end: int) -> bytes:
    bucket, key = pinned["bucket"], pinned["key"]
    with refusals_explained(bucket, key):
        answer = s3.get_object(
            Bucket=bucket, Key=key, IfMatch=quoted(pinned["etag"]), Range=f"bytes={start}-{end - 1}"
        )
    try:
        block: bytes = answer["Body"].read()
    except IncompleteReadError as error:
        raise TransientError(str(error)) from error
    return block
