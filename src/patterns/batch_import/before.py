"""The hand-made way: a function that works while there is time, and then invokes itself.

After each batch it looks at the time that is left. If that may be too little for another one, it
invokes itself asynchronously with its position and ends. The object is kept in a module-level
variable: an invocation that finds the same environment asks S3 with `If-None-Match` whether it is
still the same, and is told so instead of being sent it again. Only an optimisation: it may be gone.

Where it is weak, by nature:

- Between adding a batch and handing the position on, nothing remembers where it is. Who dies there
  is invoked again with the position that it began with, and adds the batches since once more.
- Lambda delivers an event at least once: twice the same event is two imports into one row.
- The object is held whole: it has to fit into memory, and is sent again to each new environment.
- It is nowhere to be seen how far it is, and nobody is told when the chain has broken, but by a
  dead-letter queue.

Mended here, of what published versions do: the object that is replaced in mid-run (they read on in
the new one); the invocation that goes to the newest code instead of the version that began
(`invoked_function_arn` keeps it); a chain that never ends; and a function whose timeout is too
short for one batch, which would invoke itself for ever without getting anywhere.
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
"""Time that must be left for another batch: 64 MiB, at 1 MiB a second at worst."""
MOST_DEPTH = 15
"""How often it invokes itself. Lambda's own detection of loops stops such a chain after about 16
calls; this is a guard that stops earlier, and says why. What fits into memory needs less."""

lambda_client = boto3.client("lambda")
logger = Logger(service="import_by_hand")

kept: dict[tuple[str, str], tuple[str, bytes]] = {}
"""ETag and content of the object that was read last: one at a time, for they are large."""


class Position(TypedDict):
    """What an invocation is given: what to import, and how far the ones before it came.

    `done` counts batches, `depth` counts how often the function has invoked itself.
    """

    bucket: str
    key: str
    etag: str | None
    batch_bytes: int
    done: int
    depth: int


class RanAway(Exception):  # noqa: N818 - says what it is
    """It would invoke itself too often, or without getting anywhere."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Import an object, or go on with it.

    Parameters:
        event: an "Object Created" event of S3 as EventBridge has it; `{"bucket": …, "key": …}`; or
            a `Position`.

    Returns:
        `{"done": …}`: how many batches have been added, by this invocation and those before it.

    Raises:
        NoImport, TooLarge, ObjectMissing, ObjectReplaced, MalformedRecord: as the durable one.
        RanAway: it was stopped. What was added stays, in a row that is not marked as finished.
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
            _hand_on(position, etag, batch.number, context)
            return {"done": batch.number}
    _finish(name)
    return {"done": len(batches)}


def _position_of(event: Mapping[str, Any]) -> Position:
    if "detail" in event:
        created = event["detail"]
        event = {"bucket": created["bucket"]["name"], **created["object"]}
    wanted = logic.import_of(event)
    return Position(**wanted, done=event.get("done", 0), depth=event.get("depth", 0))


def _check(position: Position, context: LambdaContext) -> None:
    if position["depth"] > MOST_DEPTH:
        raise RanAway(f"after {position['depth']} calls, {position['done']} batches are done")
    if context.get_remaining_time_in_millis() < RESERVE_MILLIS:
        raise RanAway("the function's timeout leaves no time for a batch")


def _object(position: Position) -> tuple[str, bytes]:
    bucket, key = position["bucket"], position["key"]
    etag, content = _revalidated(bucket, key)
    if position["etag"] not in (None, etag):
        raise ObjectReplaced(f"{key!r} in {bucket} was replaced")
    return etag, content


def _revalidated(bucket: str, key: str) -> tuple[str, bytes]:
    here = kept.get((bucket, key))
    condition = {"IfNoneMatch": blocks.quoted(here[0])} if here else {}
    try:
        with blocks.refusals_explained(bucket, key):
            answer = blocks.s3.get_object(Bucket=bucket, Key=key, **condition)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if here and status == HTTPStatus.NOT_MODIFIED:
            return here
        raise
    kept.clear()
    here = None  # before the next one is read: two would not fit
    read = answer["ETag"].strip('"'), answer["Body"].read()
    kept[bucket, key] = read
    return read


def _sum(content: bytes, batch: Batch, batch_bytes: int) -> Sums:
    ranges = logic.ranges_from(batch.start, len(content), batch_bytes)
    return records.sum_of(batch, (content[start:end] for start, end in ranges))


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


def _hand_on(position: Position, etag: str, done: int, context: LambdaContext) -> None:
    following = {**position, "etag": etag, "done": done, "depth": position["depth"] + 1}
    lambda_client.invoke(
        FunctionName=context.invoked_function_arn,
        InvocationType="Event",
        Payload=json.dumps(following).encode(),
    )
    logger.info("handed on", done=done, depth=following["depth"])
