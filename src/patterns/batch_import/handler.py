"""Import a large S3 object: sum up a ledger in batches, and add each batch to a total exactly once.

This pattern shows:

- Pinning the object: a step records the ETag, and S3 rejects every later read if the content has
  changed.
- Nesting operations: each batch is a step, and a few batches form a child context. Once that chunk
  completes, a replay reads back one result instead of one per step.
- Staying within the function's timeout: Lambda doesn't suspend a durable function whose timeout
  expires, it kills the invocation. The handler can't check the remaining time either, because that
  differs on replay. So each chunk is small enough to finish in time, and a short wait starts the
  next chunk in a fresh invocation.
- Idempotent writes: the table itself rejects a batch that has already been added.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypedDict

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig

from patterns.batch_import import blocks, logic, records, totals
from patterns.batch_import.blocks import Pin
from patterns.batch_import.logic import Batch
from patterns.batch_import.records import ZERO, Sums
from patterns.transient import retry_transient

PAUSE = Duration.from_seconds(1)
"""The shortest possible wait. It serves to end the invocation; its length doesn't matter."""

_STEP = StepConfig(retry_strategy=retry_transient)


class Finished(TypedDict):
    """The result of an import: its totals and the number of batches read."""

    records: int
    cents: int
    batches: int


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> Finished:
    """Import an object.

    Parameters:
        event: `{"bucket": …, "key": …}`; optionally `"etag"`, to import only that content, and
            `"batch_bytes"` (1,024 to 67,108,864; default 64 MiB), to make steps smaller for records
            that take longer to process.

    Returns:
        The number of records, their sum in cents, and the number of batches.

    Raises:
        InvalidImport: the event isn't a valid import request.
        TooLarge: the object has more than 1,024 batches, which is 64 GiB at the largest size.
        StepError: the object was missing or replaced before anything was read.
        ChildContextError: a batch failed; the message says why. Batches already added remain in a
            row that is never marked as finished.
    """
    wanted = logic.parse_import(event)
    pinned: Pin = context.step(lambda _: blocks.pin(wanted), name="pin the object", config=_STEP)
    batches = logic.batches_of(pinned["size"], wanted["batch_bytes"])
    name = totals.import_id(pinned["bucket"], pinned["key"], pinned["etag"])
    context.step(
        lambda _: totals.begin(name, wanted["batch_bytes"]), name="begin the total", config=_STEP
    )
    total = ZERO
    for number, chunk in enumerate(logic.chunks_of(batches), 1):
        if number > 1:
            context.wait(PAUSE, name=f"begin chunk {number} in a fresh invocation")
        import_chunk = partial(_import_chunk, pinned, wanted["batch_bytes"], chunk)
        sums = context.run_in_child_context(import_chunk, name=f"import chunk {number}")
        total = records.add(total, sums)
    context.step(lambda _: totals.finish(name, len(batches)), name="finish the total", config=_STEP)
    return {"records": total["records"], "cents": total["cents"], "batches": len(batches)}


def _import_chunk(
    pinned: Pin, batch_bytes: int, chunk: list[Batch], context: DurableContext
) -> Sums:
    total = ZERO
    for batch in chunk:
        import_batch = partial(_import_batch, pinned, batch_bytes, batch)
        sums = context.step(import_batch, name=f"import batch {batch.number}", config=_STEP)
        total = records.add(total, sums)
    return total


def _import_batch(pinned: Pin, batch_bytes: int, batch: Batch, _: StepContext) -> Sums:
    sums = records.sum_batch(batch, blocks.read(pinned, batch, batch_bytes))
    name = totals.import_id(pinned["bucket"], pinned["key"], pinned["etag"])
    totals.add(name, batch.number, sums)
    return sums
