"""Effects of threads, pools, logging handlers and increments; and how to make them safe."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution

from dacapo import Scenario
from tests.verify.corpus.aws import queue_url, queues, tables
from tests.verify.corpus.case import DAY, DIFFERS, HOUR, MINUTE, bad, correct

sqs = boto3.client("sqs")
dynamodb = boto3.resource("dynamodb")
client = boto3.client("dynamodb")

REPEATED = ("effect-repeated", "different-effects", "ran-twice")


def publish(text: str) -> None:
    """Send a message to a queue that does not drop duplicates."""
    sqs.send_message(QueueUrl=queue_url("events"), MessageBody=text)


# -- threads and pools of the body -----------------------------------------------------------------


@durable_execution
def price_feed(event: dict[str, int], context: DurableContext) -> str:
    """Publish prices from a pool in the body, to be quick."""
    factor = context.step(lambda _: 2, name="load the factor")
    with ThreadPoolExecutor(max_workers=3) as pool:
        texts = [f"{item}: {price * factor}" for item, price in event.items()]
        list(pool.map(publish, texts))  # <- cause of price_feed
    context.wait(HOUR, name="wait for the shops")
    return context.step(lambda _: "confirmed", name="confirm")


@durable_execution
def price_feed_in_step(event: dict[str, int], context: DurableContext) -> str:
    """Write prices from a pool in a step, each under its own key."""

    def write_all(_: StepContext) -> int:
        table = dynamodb.Table("prices")
        with ThreadPoolExecutor(max_workers=3) as pool:
            jobs = [
                pool.submit(table.put_item, Item={"id": item, "cents": price})
                for item, price in event.items()
            ]
        return len([job.result() for job in jobs])

    context.step(write_all, name="write the prices")
    context.wait(HOUR, name="wait for the shops")
    return context.step(lambda _: "confirmed", name="confirm")


class Notifier:
    """Notifies in the background, so that the caller need not wait."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def notify(self, text: str) -> None:
        thread = threading.Thread(target=publish, args=(text,))  # <- cause of support_ticket
        self.threads.append(thread)
        thread.start()  # <- cause of support_ticket

    def finish(self) -> None:
        for thread in self.threads:
            thread.join()


@durable_execution
def support_ticket(event: dict[str, str], context: DurableContext) -> str:
    """Notify the team from the body, in the background."""
    notifier = Notifier()
    ticket = context.step(lambda _: f"T-{len(event['text'])}", name="open the ticket")
    notifier.notify(f"{ticket} is open")  # <- cause of support_ticket
    notifier.finish()
    context.wait(DAY, name="wait for an answer")
    return context.step(lambda _: f"{ticket} is closed", name="close the ticket")


async def broadcast(texts: list[str]) -> None:
    jobs = [asyncio.to_thread(publish, text) for text in texts]
    await asyncio.gather(*jobs)  # <- cause of fleet_update


@durable_execution
def fleet_update(event: list[str], context: DurableContext) -> int:
    """Broadcast to a fleet with asyncio in the body."""
    version = context.step(lambda _: "v2", name="choose the version")
    asyncio.run(broadcast([f"{car} to {version}" for car in event]))  # <- cause of fleet_update
    context.wait(DAY, name="let them update")
    context.step(lambda _: "checked", name="check the fleet")
    return len(event)


@durable_execution
def fleet_update_in_step(event: list[str], context: DurableContext) -> int:
    """Compute with asyncio in the body, and send nothing from there."""

    async def plan() -> list[str]:
        return list(await asyncio.gather(*(rename(car) for car in event)))

    names = asyncio.run(plan())
    for name in names:
        context.step(partial(put_car, name), name=f"update {name}")
    context.wait(DAY, name="let them update")
    return len(names)


async def rename(car: str) -> str:
    await asyncio.sleep(0)
    return car.upper()


def put_car(name: str, _: StepContext) -> None:
    dynamodb.Table("prices").put_item(Item={"id": name, "version": "v2"})


# -- a logging handler that sends ------------------------------------------------------------------


class QueueHandler(logging.Handler):
    """Sends each record to a queue."""

    def emit(self, record: logging.LogRecord) -> None:
        publish(self.format(record))  # <- cause of refund


_audit = logging.getLogger("corpus.audit")
_audit.setLevel(logging.INFO)


@contextmanager
def audited() -> Iterator[None]:
    """Context manager that sends the audit log to a queue."""
    handler = QueueHandler()
    _audit.addHandler(handler)
    try:
        with queues("events"):
            yield
    finally:
        _audit.removeHandler(handler)


@durable_execution
def refund(event: dict[str, Any], context: DurableContext) -> str:
    """Log the refund to the audit queue, on every replay."""
    cents = context.step(lambda _: event["cents"] // 2, name="compute the refund")
    _audit.info("refund of %s for %s", cents, event["order"])  # <- cause of refund
    context.wait(HOUR, name="wait for the bank")
    return context.step(lambda _: f"refunded {cents}", name="refund")


# -- pools in a step -------------------------------------------------------------------------------


def publish_with_id(text: str) -> None:
    publish(f"{uuid.uuid4()}: {text}")  # <- cause of order_events


@durable_execution
def order_events(event: list[str], context: DurableContext) -> int:
    """Publish from a pool in a step; after a crash, each message is sent under another ID."""

    def publish_all(_: StepContext) -> int:
        with ThreadPoolExecutor(max_workers=2) as pool:
            return len(list(pool.map(publish_with_id, event)))  # <- cause of order_events

    sent = context.step(publish_all, name="publish")
    context.wait(MINUTE, name="wait for the readers")
    context.step(lambda _: sent, name="count")
    return len(event)


@durable_execution
def order_events_plain(event: list[str], context: DurableContext) -> int:
    """Publish from a step; a crash sends the same messages again."""

    def publish_all(_: StepContext) -> int:
        for text in event:
            publish(text)  # <- cause of order_events_plain
        return len(event)

    sent = context.step(publish_all, name="publish")
    context.wait(MINUTE, name="wait for the readers")
    return context.step(lambda _: sent, name="count")


def claim(order: str) -> bool:
    """Put an order unless it is there; a second one changes nothing."""
    table = dynamodb.Table("orders")
    with suppress(client.exceptions.ConditionalCheckFailedException):
        table.put_item(Item={"id": order}, ConditionExpression="attribute_not_exists(id)")
    return True


@durable_execution
def order_claims(event: list[str], context: DurableContext) -> int:
    """Write from a pool in a step, but conditionally."""

    def claim_all(_: StepContext) -> int:
        with ThreadPoolExecutor(max_workers=2) as pool:
            return sum(pool.map(claim, event))

    claimed = context.step(claim_all, name="claim")
    context.wait(MINUTE, name="wait for the readers")
    return context.step(lambda _: claimed, name="count")


_EVENTS = partial(queues, "events")
_PRICES = {"tea": 4, "milk": 2, "honey": 9}

CASES = (
    bad(
        Scenario(handler=price_feed, event=_PRICES, world=_EVENTS),
        "effect of a thread or pool",
        "effect-outside-step",
        *DIFFERS,
    ),
    bad(
        Scenario(handler=support_ticket, event={"text": "help"}, world=_EVENTS),
        "effect of a thread or pool",
        "effect-outside-step",
        *DIFFERS,
    ),
    bad(
        Scenario(handler=fleet_update, event=["a", "b"], world=_EVENTS),
        "effect of a thread or pool",
        "effect-outside-step",
        *DIFFERS,
    ),
    bad(
        Scenario(handler=refund, event={"order": "17", "cents": 900}, world=audited),
        "effect of a logging handler",
        "effect-outside-step",
        *DIFFERS,
    ),
    bad(
        Scenario(handler=order_events, event=["a", "b"], world=_EVENTS),
        "effect that a crash repeats",
        *REPEATED,
    ),
    bad(
        Scenario(handler=order_events_plain, event=["a", "b"], world=_EVENTS),
        "effect that a crash repeats",
        "effect-may-repeat",
        certainty="lint",
    ),
    correct(
        Scenario(handler=price_feed_in_step, event=_PRICES, world=partial(tables, "prices")),
        "pool in a step",
    ),
    correct(
        Scenario(handler=order_claims, event=["a", "b"], world=partial(tables, "orders")),
        "pool in a step",
    ),
    correct(
        Scenario(handler=fleet_update_in_step, event=["a", "b"], world=partial(tables, "prices")),
        "asyncio in the body",
    ),
)
"""Cases of effects."""
