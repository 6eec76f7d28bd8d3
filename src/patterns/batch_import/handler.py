"""Import a big S3 object: sum a ledger up in batches, and add each of them to a total once.

Look at four things:

- The object is pinned: its ETag is noted in a step, and S3 refuses every later read if there is
  other content by then.
- A batch is a step, a few batches are a child context: when a chunk is done, a replay reads back
  its one result and none of its steps.
- A durable function is not suspended when the time of an invocation runs out: it is killed. And it
  must not look at the time that is left, which differs on replay. So each chunk is small enough to
  fit, and a short wait lets the next one begin in an invocation of its own.
- Adding is made idempotent where it happens: a batch that was added is not added again.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypedDict

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig

from patterns.batch_import import blocks, logic, records, totals
from patterns.batch_import.blocks import Pin
from patterns.batch_import.logic import Batch
from patterns.batch_import.records import NOTHING, Sums
from patterns.transient import retry_transient

PAUSE = Duration.from_seconds(1)
"""The shortest wait that there is: it is made for its end of the invocation, not for its length."""

_STEP = StepConfig(retry_strategy=retry_transient)


class Finished(TypedDict):
    """What an import came to."""

    records: int
    cents: int
    batches: int


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> Finished:
    """Import an object.

    Parameters:
        event: `{"bucket": …, "key": …}`; with `"etag"`, only that content is imported; with
            `"batch_bytes"` in smaller steps, for records that take longer (1,024 to 64 MiB).

    Returns:
        How many records there are, what they come to, and in how many batches they were read.

    Raises:
        NoImport: the event asks for none.
        TooLarge: it would take more than 1,024 batches: more than 64 GiB, of the largest.
        StepError: the object is missing or was replaced before anything was read.
        ChildContextError: a batch could not be imported; the message says why. What was added
            stays, in a row that is never marked as finished.
    """
    wanted = logic.import_of(event)
    pinned: Pin = context.step(lambda _: blocks.pin(wanted), name="pin the object", config=_STEP)
    batches = logic.batches_of(pinned["size"], wanted["batch_bytes"])
    name = totals.import_id(pinned["bucket"], pinned["key"], pinned["etag"])
    context.step(
        lambda _: totals.begin(name, wanted["batch_bytes"]), name="begin the total", config=_STEP
    )
    total = NOTHING
    for number, chunk in enumerate(logic.chunks_of(batches), 1):
        if number > 1:
            context.wait(PAUSE, name=f"begin chunk {number} in a fresh invocation")
        import_chunk = partial(_import_chunk, pinned, wanted["batch_bytes"], chunk)
        sums = context.run_in_child_context(import_chunk, name=f"chunk {number}")
        total = records.plus(total, sums)
    context.step(lambda _: totals.finish(name, len(batches)), name="finish the total", config=_STEP)
    return {"records": total["records"], "cents": total["cents"], "batches": len(batches)}


def _import_chunk(
    pinned: Pin, batch_bytes: int, chunk: list[Batch], context: DurableContext
) -> Sums:
    total = NOTHING
    for batch in chunk:
        import_batch = partial(_import_batch, pinned, batch_bytes, batch)
        sums = context.step(import_batch, name=f"batch {batch.number}", config=_STEP)
        total = records.plus(total, sums)
    return total


def _import_batch(pinned: Pin, batch_bytes: int, batch: Batch, _: StepContext) -> Sums:
    sums = records.sum_of(batch, blocks.read(pinned, batch, batch_bytes))
    name = totals.import_id(pinned["bucket"], pinned["key"], pinned["etag"])
    totals.add(name, batch.number, sums)
    return sums
