"""Baseline for `batch_import`: a function that works until its time runs out, then invokes itself.

After each batch, the function checks its remaining time. If that may be too short for another
batch, the function asynchronously invokes itself with its position and returns. It caches the
object in a module-level variable: on a warm start, a conditional GET (`If-None-Match`) confirms
that the object is unchanged without transferring it again. The cache only saves time and may be
lost at any moment.

Inherent weaknesses:

- The position isn't saved between adding a batch and invoking the next function. After a crash in
  that gap, Lambda retries with the position that the invocation started with, and the batches since
  then are added twice.
- Lambda delivers asynchronous events at least once: if the same event arrives twice, the object is
  imported twice into one row.
- The function holds the whole object in memory, and each new environment downloads it again.
- Progress is invisible, and only a dead-letter queue reveals a broken chain.

Unlike widely published versions, this one stops if the object is replaced while it runs (they
continue with the new content), invokes the version it was started with instead of the latest code
(`invoked_function_arn` keeps it), bounds the length of the chain, and refuses to run if its timeout
is too short for one batch (otherwise it would invoke itself forever without progress).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypedDict

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from patterns.batch_import import blocks, logic, records, totals
from patterns.batch_import.blocks import ObjectReplaced
from patterns.batch_import.logic import Batch
from patterns.batch_import.records import Sums

RESERVE_MILLIS = 90_000
"""Remaining time that another batch requires: 64 MiB take 64 seconds at 1 MiB per second."""
MAX_DEPTH = 15
"""Maximum times that the function invokes itself. Lambda's recursive loop detection stops a chain
after about 16 invocations; this guard stops it earlier and reports why. An object that fits into
memory needs fewer."""

lambda_client = boto3.client("lambda")
logger = Logger(service="import-baseline")

cached_objects: dict[tuple[str, str], tuple[str, bytes]] = {}
"""ETag and content of the most recent object. Only one is cached because objects are large."""


class Position(TypedDict):
    """The input of one invocation: the object to import and the progress so far.

    `done` is the number of batches added, `depth` the number of times that the function has invoked
    itself.
    """

    bucket: str
    key: str
    etag: str | None
    batch_bytes: int
    done: int
    depth: int


class RunawayLoop(Exception):  # noqa: N818 - says what it is
    """The function would invoke itself too often, or without making progress."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Import an object, or resume an import.

    Parameters:
        event: an S3 "Object Created" event from EventBridge, `{"bucket": …, "key": …}`, or a
            `Position`.

    Returns:
        `{"done": …}`: the number of batches added by this invocation and those before it.

    Raises:
        InvalidImport, TooLarge, ObjectMissing, ObjectReplaced, MalformedRecord: as the durable
            function does.
        RunawayLoop: the import stopped. Batches already added remain in a row that isn't marked as
            finished.
    """
    position = _position_of(event)
    _check(position, context)
    etag, content = _object(position)
    batch_bytes = position["batch_bytes"]
    batches = logic.batches_of(len(content), batch_bytes)
    name = totals.import_id(position["bucket"], position["key"], etag)
    for batch in batches[position["done"] :]:
        _add(name, _sum(content, batch, batch_bytes))
        is_last = batch.number == len(batches)
        if not is_last and context.get_remaining_time_in_millis() < RESERVE_MILLIS:
            _hand_over(position, etag, batch.number, context)
            return {"done": batch.number}
    _finish(name)
    return {"done": len(batches)}


def _position_of(event: Mapping[str, Any]) -> Position:
    if "detail" in event:
        created = event["detail"]
        event = {"bucket": created["bucket"]["name"], **created["object"]}
    wanted = logic.parse_import(event)
    return Position(**wanted, done=event.get("done", 0), depth=event.get("depth", 0))


def _check(position: Position, context: LambdaContext) -> None:
    if position["depth"] > MAX_DEPTH:
        raise RunawayLoop(
            f"stopped after {position['depth']} invocations with {position['done']} batches added"
        )
    if context.get_remaining_time_in_millis() < RESERVE_MILLIS:
        raise RunawayLoop("the function's timeout is too short for a batch")


def _object(position: Position) -> tuple[str, bytes]:
    bucket, key = position["bucket"], position["key"]
    etag, content = _revalidated(bucket, key)
    if position["etag"] not in (None, etag):
        raise ObjectReplaced(f"object {key!r} in bucket {bucket} was replaced")
    return etag, content


def _revalidated(bucket: str, key: str) -> tuple[str, bytes]:
    cached = cached_objects.get((bucket, key))
    condition = {"IfNoneMatch": blocks.quoted(cached[0])} if cached else {}
    try:
        with blocks.translated_errors(bucket, key):
            answer = blocks.s3.get_object(Bucket=bucket, Key=key, **condition)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if cached and status == HTTPStatus.NOT_MODIFIED:
            return cached
        raise
    cached_objects.clear()
    cached = None  # release it before reading the next one: two don't fit into memory
    fetched = answer["ETag"].strip('"'), answer["Body"].read()
    cached_objects[bucket, key] = fetched
    return fetched


def _sum(content: bytes, batch: Batch, batch_bytes: int) -> Sums:
    ranges = logic.ranges_from(batch.start, len(content), batch_bytes)
    return records.sum_batch(batch, (content[start:end] for start, end in ranges))


def _add(name: str, sums: Sums) -> None:
    totals.dynamodb.update_item(
        TableName=os.environ[totals.TABLE_VARIABLE],
        Key={totals.KEY: {"S": name}},
        UpdateExpression="ADD records :records, cents :cents",
        ExpressionAttributeValues={
            ":records": {"N": str(sums["records"])},
            ":cents": {"N": str(sums["cents"])},
        },
    )


def _finish(name: str) -> None:
    totals.dynamodb.update_item(
        TableName=os.environ[totals.TABLE_VARIABLE],
        Key={totals.KEY: {"S": name}},
        UpdateExpression="SET is_finished = :yes",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
    )


def _hand_over(position: Position, etag: str, done: int, context: LambdaContext) -> None:
    following = {**position, "etag": etag, "done": done, "depth": position["depth"] + 1}
    lambda_client.invoke(
        FunctionName=context.invoked_function_arn,
        InvocationType="Event",
        Payload=json.dumps(following).encode(),
    )
    logger.info("handed over to the next invocation", done=done, depth=following["depth"])
