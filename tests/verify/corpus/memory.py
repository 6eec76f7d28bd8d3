"""State in a process that a later invocation relies on; and what to do instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import count
from typing import Any, ClassVar

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution

from dacapo import Scenario
from tests.verify.corpus.aws import queue_url, queues
from tests.verify.corpus.case import DAY, HOUR, MINUTE, PROCESS, bad, correct

RATES = {"USD": 125, "CHF": 95}
"""Hundredths per euro."""

sqs = boto3.client("sqs")


# -- a dictionary that one step writes and a later one reads ---------------------------------------

_quotes: dict[str, int] = {}


@durable_execution
def quote_and_bill(event: dict[str, Any], context: DurableContext) -> str:
    """Quote a price, let the customer think for a day, and bill what was quoted."""
    order = event["order"]

    def quote(_: StepContext) -> str:
        _quotes[order] = event["pieces"] * 12  # <- cause of quote_and_bill
        return f"quoted {order}"

    def bill(_: StepContext) -> str:
        euros = _quotes.get(order, 0)  # <- cause of quote_and_bill
        return f"bill {order}: {euros} euros"

    context.step(quote, name="quote")
    context.wait(DAY, name="let them think")
    return context.step(bill, name="bill")


# -- a list that the body reads --------------------------------------------------------------------

_alerts: list[str] = []


def check_meter(meter: str, reading: int, _: StepContext) -> int:
    if reading > 900:
        _alerts.append(meter)  # <- cause of meter_reading
    return reading


@durable_execution
def meter_reading(event: dict[str, int], context: DurableContext) -> dict[str, Any]:
    """Read meters once an hour, and call an engineer if one was too high."""
    total = 0
    for meter, reading in event.items():
        total += context.step(partial(check_meter, meter, reading), name=f"read {meter}")
        context.wait(HOUR, name=f"after {meter}")
    if _alerts:  # <- cause of meter_reading
        meter = _alerts[0]
        context.step(lambda _: meter, name="call an engineer")  # <- cause of meter_reading
    return {"total": total}


@contextmanager
def no_alerts() -> Iterator[None]:
    """Context manager that starts without alerts, as a fresh process does."""
    _alerts.clear()
    yield


def read_meter(reading: int, _: StepContext) -> int:
    return reading


@durable_execution
def meter_reading_recorded(event: dict[str, int], context: DurableContext) -> dict[str, Any]:
    """Keep the alerts in the body, and derive them from recorded readings."""
    readings = {}
    for meter, reading in event.items():
        readings[meter] = context.step(partial(read_meter, reading), name=f"read {meter}")
        context.wait(HOUR, name=f"after {meter}")
    high = [meter for meter, reading in readings.items() if reading > 900]
    if high:
        context.step(lambda _: f"check {high[0]}", name="call an engineer")
    return {"total": sum(readings.values())}


# -- an attribute of a class -----------------------------------------------------------------------


class Batch:
    """A batch of letters; the class knows the last batch."""

    last: ClassVar[Batch | None] = None

    def __init__(self, letters: list[str]) -> None:
        self.letters = letters

    @classmethod
    def collect(cls, letters: list[str], _: StepContext) -> int:
        cls.last = cls(letters)  # <- cause of mail_run
        return len(letters)

    @classmethod
    def post(cls, _: StepContext) -> list[str]:
        batch = cls.last  # <- cause of mail_run
        return sorted(batch.letters) if batch else []


class MailRun:
    """Collects letters, waits for the evening, and posts them."""

    def handle(self, event: list[str], context: DurableContext) -> dict[str, Any]:
        collected = context.step(partial(Batch.collect, event), name="collect")
        context.wait(HOUR, name="wait for the evening")
        posted = context.step(Batch.post, name="post")
        return {"collected": collected, "posted": posted}


mail_run = durable_execution(MailRun().handle)


# -- a cached object that a step fills -------------------------------------------------------------


@lru_cache(maxsize=1)
def rate_table() -> dict[str, int]:
    """Return the rates that this process knows."""
    return {}


def load_rates(_: StepContext) -> int:
    rate_table().update(RATES)  # <- cause of transfer
    return len(RATES)


@durable_execution
def transfer(event: dict[str, Any], context: DurableContext) -> str:
    """Load the rates, wait for the market to open, and transfer at the rate."""
    context.step(load_rates, name="load the rates")
    context.wait(HOUR, name="wait for the market")
    rate = rate_table().get(event["currency"], 100)  # <- cause of transfer
    cents = event["cents"] * rate // 100
    return context.step(lambda _: f"sent {cents}", name="send")  # <- cause of transfer


@durable_execution
def transfer_recorded(event: dict[str, Any], context: DurableContext) -> str:
    """Return the rates from the step."""
    rates = context.step(lambda _: RATES, name="load the rates")
    context.wait(HOUR, name="wait for the market")
    cents = event["cents"] * rates[event["currency"]] // 100
    return context.step(lambda _: f"sent {cents}", name="send")


# -- a warm cache that decides ---------------------------------------------------------------------

_tokens: dict[str, str] = {}


def token_of(partner: str, _: StepContext) -> str:
    return f"token of {partner}"


@durable_execution
def partner_sync(event: dict[str, Any], context: DurableContext) -> str:
    """Log in to a partner unless this process has a token, and fetch the changes twice."""
    partner = event["partner"]
    if partner not in _tokens:  # <- cause of partner_sync
        log_in = partial(token_of, partner)
        _tokens[partner] = context.step(log_in, name="log in")  # <- cause of partner_sync
    first = context.step(lambda _: len(_tokens[partner]), name="fetch the changes")
    context.wait(MINUTE, name="wait for more")
    second = context.step(lambda _: len(partner), name="fetch the rest")
    return f"{first} and {second} changes"


@contextmanager
def cold_start() -> Iterator[None]:
    """Context manager that starts without tokens."""
    _tokens.clear()
    yield


@durable_execution
def partner_sync_recorded(event: dict[str, Any], context: DurableContext) -> str:
    """Use the cache within the step, which runs in any process."""
    partner = event["partner"]

    def log_in(_: StepContext) -> str:
        return _tokens.setdefault(partner, f"token of {partner}")

    token = context.step(log_in, name="log in")
    first = context.step(lambda _: len(token), name="fetch the changes")
    context.wait(MINUTE, name="wait for more")
    second = context.step(lambda _: len(partner), name="fetch the rest")
    return f"{first} and {second} changes"


# -- a counter that is used as a key ---------------------------------------------------------------

_numbers = count(1)


def send_invoice(customer: str, key: str, _: StepContext) -> str:
    sqs.send_message(
        QueueUrl=queue_url("invoices.fifo"),
        MessageBody=customer,
        MessageGroupId="all",
        MessageDeduplicationId=key,
    )
    return key


def send_numbered(customer: str, step: StepContext) -> str:
    return send_invoice(customer, f"invoice-{next(_numbers)}", step)  # <- cause of invoice_run


@durable_execution
def invoice_run(event: list[str], context: DurableContext) -> list[str]:
    """Send an invoice to each customer, one a day."""
    keys = []
    for customer in event:
        keys.append(context.step(partial(send_numbered, customer), name=f"invoice {customer}"))
        context.wait(DAY, name=f"after {customer}")
    return keys


@durable_execution
def invoice_run_keyed(event: list[str], context: DurableContext) -> list[str]:
    """Derive each key from the execution and the position."""
    arn = context.execution_context.durable_execution_arn.rpartition("/")[2]
    keys = []
    for number, customer in enumerate(event):
        send = partial(send_invoice, customer, f"{arn}-{number}")
        keys.append(context.step(send, name=f"invoice {customer}"))
        context.wait(DAY, name=f"after {customer}")
    return keys


_INVOICES = partial(queues, "invoices.fifo")
_MONEY = {"currency": "USD", "cents": 5000}
_MAIL = ["Zoe", "Ada"]
_METERS = {"north": 400, "south": 950}

CASES = (
    bad(
        Scenario(handler=quote_and_bill, event={"order": "17", "pieces": 3}),
        "module memory",
        *PROCESS,
    ),
    bad(
        Scenario(handler=meter_reading, event=_METERS, world=no_alerts),
        "module memory",
        *PROCESS,
        "never-reached",
        "ended-early",
    ),
    bad(Scenario(handler=mail_run, event=_MAIL, name="mail_run"), "module memory", *PROCESS),
    bad(Scenario(handler=transfer, event=_MONEY), "module memory", *PROCESS),
    bad(
        Scenario(handler=partner_sync, event={"partner": "acme"}, world=cold_start),
        "warm cache",
        *PROCESS,
    ),
    bad(
        Scenario(handler=invoice_run, event=_MAIL, world=_INVOICES),
        "process counter",
        *PROCESS,
        "effect-repeated",
    ),
    correct(Scenario(handler=meter_reading_recorded, event=_METERS), "recorded results"),
    correct(Scenario(handler=transfer_recorded, event=_MONEY), "recorded results"),
    correct(
        Scenario(handler=partner_sync_recorded, event={"partner": "acme"}),
        "cache that only saves time",
    ),
    correct(Scenario(handler=invoice_run_keyed, event=_MAIL, world=_INVOICES), "recorded results"),
)
"""Cases of state in a process."""
