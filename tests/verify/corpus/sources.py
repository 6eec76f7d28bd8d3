"""Bodies that read what differs between invocations: clocks, sandboxes, files, threads and AWS."""

from __future__ import annotations

import asyncio
import glob
import os
import random
import time
import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from pydantic import BaseModel, Field

from dacapo import Scenario
from tests.verify.corpus.aws import queue_url, queues
from tests.verify.corpus.case import DAY, DIFFERS, HOUR, MINUTE, bad, correct

CLOCK, RANDOM, CONTEXT = "clock-outside-step", "randomness-outside-step", "context-outside-step"
LISTING = "order-outside-step"

sqs = boto3.client("sqs")


def echo(value: Any, _: StepContext) -> Any:
    return value


# -- Lambda's context and environment --------------------------------------------------------------


@durable_execution
def bulk_delete(event: list[str], context: DurableContext) -> Any:
    """Delete as long as the invocation has five minutes left; the rest is done tomorrow."""
    lambda_context: Any = context.lambda_context
    done = 0
    for number, key in enumerate(event):
        left = lambda_context.get_remaining_time_in_millis()  # <- cause of bulk_delete
        if left < 5 * 60_000:
            context.wait(DAY, name=f"continue tomorrow at {number}")
        context.step(partial(slow_delete, key), name=f"delete {key}")
        done += 1
    context.wait(MINUTE, name="wait for the index")
    context.step(partial(echo, done), name="count")
    return done


def slow_delete(key: str, _: StepContext) -> str:
    time.sleep(240)
    return key


@durable_execution
def bulk_delete_logged(event: list[str], context: DurableContext) -> Any:
    """Read the remaining time only to log it."""
    for key in event:
        left = getattr(context.lambda_context, "get_remaining_time_in_millis", int)()
        context.logger.info("%s ms left before %s", left, key)
        context.step(partial(slow_delete, key), name=f"delete {key}")
    context.wait(MINUTE, name="wait for the index")
    return context.step(partial(echo, len(event)), name="count")


@durable_execution
def charge_by_request(event: dict[str, Any], context: DurableContext) -> Any:
    """Use the ID of the request, which each invocation has another of, as the payment's key."""
    lambda_context: Any = context.lambda_context
    request_id = lambda_context.aws_request_id  # <- cause of charge_by_request
    order = f"{event['order']}-{request_id[:8]}"
    context.wait(HOUR, name="wait for the warehouse")
    return context.step(partial(echo, order), name=f"charge {order}")


@durable_execution
def charge_with_arn(event: dict[str, Any], context: DurableContext) -> Any:
    """Use the ARN of the execution, which stays; log the ID of the request."""
    request_id = getattr(context.lambda_context, "aws_request_id", "")
    context.logger.info("request %s", request_id)
    order = f"{event['order']}-{context.execution_context.durable_execution_arn[-8:]}"
    context.wait(HOUR, name="wait for the warehouse")
    return context.step(partial(echo, order), name=f"charge {order}")


@durable_execution
def shard_by_stream(event: dict[str, Any], context: DurableContext) -> Any:
    """Choose a shard by the log stream, which each sandbox has another of."""
    lambda_context: Any = context.lambda_context
    stream = str(lambda_context.log_stream_name)  # <- cause of shard_by_stream
    shard = sum(stream.encode()) % 4
    context.wait(HOUR, name="wait for the queue")
    return context.step(partial(echo, shard), name=f"write to shard {shard}")


# -- files -----------------------------------------------------------------------------------------

INBOX = Path(__file__).parent / "inbox"
"""Files that are deployed with the code."""


@durable_execution
def read_inbox(event: None, context: DurableContext) -> Any:
    """Import each file of a folder, in the order of the file system."""
    names = os.listdir(INBOX)  # noqa: PTH208  # <- cause of read_inbox
    for name in names:
        context.step(partial(echo, name), name=f"import {name}")
        context.wait(MINUTE, name=f"after {name}")
    return len(names)


@durable_execution
def merge_parts(event: str, context: DurableContext) -> Any:
    """Merge the parts of a file, as a pattern finds them."""
    names = []
    for path in glob.glob(f"{INBOX}/{event}"):  # noqa: PTH207  # <- cause of merge_parts
        name = Path(path).name
        context.step(partial(echo, name), name=f"merge {name}")
        names.append(name)
    context.wait(MINUTE, name="let it settle")
    return sorted(names)


@durable_execution
def read_inbox_sorted(event: None, context: DurableContext) -> Any:
    """List the folder in a step, or sort the list."""
    names = sorted(path.name for path in INBOX.iterdir())
    for name in names:
        context.step(partial(echo, name), name=f"import {name}")
        context.wait(MINUTE, name=f"after {name}")
    return len(names)


# -- clocks and chance behind defaults -------------------------------------------------------------


@dataclass
class Shipment:
    parcel: str
    created: datetime = field(default_factory=lambda: datetime.now(UTC))  # <- cause of shipment

    @property
    def due(self) -> datetime:
        return self.created + timedelta(days=3)


@durable_execution
def shipment(event: dict[str, Any], context: DurableContext) -> Any:
    """Compute when a parcel is due from the default of a dataclass."""
    parcel = Shipment(event["parcel"])  # <- cause of shipment
    context.step(partial(echo, parcel.parcel), name="hand it over")
    context.wait(HOUR, name="wait for the scan")
    return context.step(partial(echo, f"due {parcel.due:%H:%M}"), name=f"due {parcel.due:%H:%M:%S}")


class Booking(BaseModel):
    seat: str
    reference: str = Field(default_factory=lambda: uuid.uuid4().hex[:8])  # <- cause of seat_booking
    made_at: float = Field(default_factory=time.time)


@durable_execution
def seat_booking(event: dict[str, Any], context: DurableContext) -> Any:
    """Take the reference of a booking from the default of a pydantic model."""
    booking = Booking.model_validate(event)  # <- cause of seat_booking
    context.step(partial(echo, booking.seat), name=f"hold {booking.reference}")
    context.wait(HOUR, name="wait for the payment")
    return context.step(partial(echo, booking.reference), name="confirm")


@durable_execution
def seat_booking_recorded(event: dict[str, Any], context: DurableContext) -> Any:
    """Make the model in a step."""
    stored = context.step(lambda _: Booking.model_validate(event).model_dump(), name="book")
    booking = Booking.model_validate(stored)
    context.step(partial(echo, booking.seat), name=f"hold {booking.reference}")
    context.wait(HOUR, name="wait for the payment")
    return context.step(partial(echo, booking.reference), name="confirm")


@durable_execution
def nightly_report(event: str, context: DurableContext) -> Any:
    """Name a step after the time at which it starts."""
    started = f"{time.strftime('%H:%M:%S')}"  # <- cause of nightly_report
    context.step(partial(echo, event), name=f"report of {started}")  # <- cause of nightly_report
    context.wait(HOUR, name="wait for the reviewer")
    return context.step(partial(echo, event), name="send")


def send_payment(order: str, key: str, _: StepContext) -> str:
    sqs.send_message(
        QueueUrl=queue_url("payments.fifo"),
        MessageBody=order,
        MessageGroupId="all",
        MessageDeduplicationId=key,
    )
    return order


@durable_execution
def pay_supplier(event: str, context: DurableContext) -> Any:
    """Draw an idempotency key in the body: a crash draws another one."""
    key = str(uuid.uuid4())  # <- cause of pay_supplier
    context.step(partial(send_payment, event, key), name="pay")
    context.wait(DAY, name="wait for the receipt")
    return context.step(partial(echo, "filed"), name="file the receipt")


@durable_execution
def pay_supplier_once(event: str, context: DurableContext) -> Any:
    """Draw the key in a step of its own."""
    key = context.step(lambda _: str(uuid.uuid4()), name="draw a key")
    context.step(partial(send_payment, event, key), name="pay")
    context.wait(DAY, name="wait for the receipt")
    return context.step(partial(echo, "filed"), name="file the receipt")


# -- the timing of threads and tasks ---------------------------------------------------------------


def fetch(source: str) -> str:
    time.sleep(random.uniform(0.001, 0.03))  # <- cause of collect_sources
    return source.upper()


@durable_execution
def collect_sources(event: list[str], context: DurableContext) -> Any:
    """Store what threads fetch in the order in which they finish."""
    stored = []
    with ThreadPoolExecutor(max_workers=4) as pool:
        jobs = [pool.submit(fetch, source) for source in event]
        for job in as_completed(jobs):  # <- cause of collect_sources
            body = partial(echo, job.result())
            text = context.step(body, name=f"store {body.args[0]}")  # <- cause of collect_sources
            stored.append(text)
    context.wait(HOUR, name="wait for the editor")
    return stored


async def ask(source: str) -> str:
    await asyncio.sleep(random.uniform(0.001, 0.03))  # <- cause of race_of_tasks
    return source


async def first_of(sources: list[str]) -> str:
    tasks = [asyncio.create_task(ask(source)) for source in sources]
    first = asyncio.FIRST_COMPLETED
    done, waiting = await asyncio.wait(tasks, return_when=first)  # <- cause of race_of_tasks
    for task in waiting:
        task.cancel()
    return min(task.result() for task in done)


@durable_execution
def race_of_tasks(event: list[str], context: DurableContext) -> Any:
    """Go on with the task that is first."""
    winner = asyncio.run(first_of(event))  # <- cause of race_of_tasks
    context.step(partial(echo, winner), name=f"use {winner}")
    context.wait(HOUR, name="wait for the editor")
    return context.step(partial(echo, "published"), name="publish")


_PAYMENTS = partial(queues, "payments.fifo")
_KEYS = ["a", "b", "c", "d", "e"]

CASES = (
    bad(Scenario(handler=bulk_delete, event=_KEYS), "Lambda context", CONTEXT, CLOCK, *DIFFERS),
    bad(
        Scenario(handler=charge_by_request, event={"order": "17"}),
        "Lambda context",
        CONTEXT,
        *DIFFERS,
    ),
    bad(
        Scenario(handler=shard_by_stream, event={}),
        "Lambda context",
        CONTEXT,
        *DIFFERS,
        "process-state",
    ),
    bad(
        Scenario(handler=read_inbox),
        "directory order",
        LISTING,
    ),
    bad(
        Scenario(handler=merge_parts, event="*.csv"),
        "directory order",
        LISTING,
    ),
    bad(Scenario(handler=shipment, event={"parcel": "P-1"}), "default factory", CLOCK, *DIFFERS),
    bad(Scenario(handler=seat_booking, event={"seat": "12A"}), "default factory", RANDOM, *DIFFERS),
    bad(
        Scenario(handler=nightly_report, event="sales"),
        "clock or chance in the body",
        CLOCK,
        *DIFFERS,
    ),
    bad(
        Scenario(handler=pay_supplier, event="17", world=_PAYMENTS),
        "clock or chance in the body",
        RANDOM,
        *DIFFERS,
        "effect-repeated",
    ),
    bad(
        Scenario(handler=collect_sources, event=["x", "y", "z", "w"]),
        "timing of threads or tasks",
        LISTING,
        RANDOM,
        CLOCK,
        "different-operation",
    ),
    bad(
        Scenario(handler=race_of_tasks, event=["x", "y", "z"]),
        "timing of threads or tasks",
        LISTING,
        RANDOM,
        CLOCK,
        "different-operation",
    ),
    correct(Scenario(handler=bulk_delete_logged, event=_KEYS[:2]), "logging", CONTEXT, CLOCK),
    correct(Scenario(handler=charge_with_arn, event={"order": "17"}), "logging", CONTEXT),
    correct(Scenario(handler=read_inbox_sorted), "order that does not matter"),
    correct(Scenario(handler=seat_booking_recorded, event={"seat": "12A"}), "recorded results"),
    correct(Scenario(handler=pay_supplier_once, event="17", world=_PAYMENTS), "recorded results"),
)
"""Cases of sources of nondeterminism."""
