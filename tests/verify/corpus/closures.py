"""Bodies whose state a step changes, and that use it in a later step; and their corrections."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)

from dacapo import Handler, Scenario
from tests.verify.corpus.aws import queue_url, queues
from tests.verify.corpus.case import DIFFERS, HOUR, MINUTE, bad, correct

PRICES = {"tea": 4, "milk": 2, "honey": 9}

sqs = boto3.client("sqs")


def charge_card(customer: str, cents: int) -> dict[str, Any]:
    """Put a payment on the queue; the queue drops a duplicate."""
    sqs.send_message(
        QueueUrl=queue_url("payments.fifo"),
        MessageBody=f"{customer}: {cents}",
        MessageGroupId=customer,
        MessageDeduplicationId=customer,
    )
    return {"customer": customer, "cents": cents}


# -- an order whose total is in a dictionary -------------------------------------------------------


@durable_execution
def checkout(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Price an order, let the customer cool down for an hour, and charge the card."""
    totals = {"net": 0, "shipping": 0}

    def price(_: StepContext) -> str:
        for item in event["items"]:
            totals["net"] += PRICES[item] * 100  # <- cause of checkout
        if totals["net"] < 1000:
            totals["shipping"] = 490
        return "priced"

    def charge(_: StepContext) -> dict[str, Any]:
        cents = totals["net"] + totals["shipping"]  # <- cause of checkout
        return charge_card(event["customer"], cents)

    context.step(price, name="price the items")
    context.wait(HOUR, name="cool down")
    payment = context.step(charge, name="charge the card")
    return {"status": "paid", **payment}


@durable_execution
def checkout_recorded(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Return the totals from the step that computes them."""

    def price(_: StepContext) -> dict[str, int]:
        net = sum(PRICES[item] * 100 for item in event["items"])
        return {"net": net, "shipping": 490 if net < 1000 else 0}

    totals = context.step(price, name="price the items")
    context.wait(HOUR, name="cool down")
    cents = totals["net"] + totals["shipping"]
    payment = context.step(lambda _: charge_card(event["customer"], cents), name="charge the card")
    return {"status": "paid", **payment}


# -- a claim whose objections are in a list --------------------------------------------------------


def objections_to(claim: dict[str, Any]) -> list[str]:
    objections = []
    if claim["amount"] > 1000:
        objections.append("the amount needs a second signature")
    if not claim["receipts"]:
        objections.append("no receipt is attached")
    return objections


@durable_execution
def claim_review(event: dict[str, Any], context: DurableContext) -> str:
    """Review a claim, wait for the cut-off, and refuse the claim if there were objections."""
    objections: list[str] = []

    def review(_: StepContext) -> Any:
        objections.extend(objections_to(event))  # <- cause of claim_review
        return event["amount"]

    amount = context.step(review, name="review the claim")
    context.wait(HOUR, name="wait for the cut-off")
    if objections:  # <- cause of claim_review
        context.step(lambda _: "; ".join(objections), name="refuse the claim")
        return "refused"
    context.step(lambda _: amount, name="pay the claim")
    return "paid"


@durable_execution
def claim_review_recorded(event: dict[str, Any], context: DurableContext) -> str:
    """Decide on the recorded objections."""
    objections = context.step(lambda _: objections_to(event), name="review the claim")
    context.wait(HOUR, name="wait for the cut-off")
    if objections:
        context.step(lambda _: "; ".join(objections), name="refuse the claim")
        return "refused"
    context.step(lambda _: event["amount"], name="pay the claim")
    return "paid"


# -- an onboarding whose flag is a nonlocal --------------------------------------------------------


def logged(handler: Handler) -> Handler:
    """Log the end of each invocation, as a middleware above the SDK's decorator does."""

    @wraps(handler)
    def outer(event: Any, context: Any) -> Any:
        answer = handler(event, context)
        context.log(f"ended as {answer['Status']}")
        return answer

    return outer


@logged
@durable_execution
def onboarding(event: dict[str, Any], context: DurableContext) -> list[str]:
    """Check an address, wait until the account exists, and greet the customer."""
    is_verified = False
    greetings = {True: "Welcome!", False: "Please confirm your address."}

    def verify_address(_: StepContext) -> str:
        nonlocal is_verified
        is_verified = "@" in event["mail"]  # <- cause of onboarding
        return str(event["mail"]).partition("@")[2]

    domain = context.step(verify_address, name="verify the address")
    context.step(lambda _: f"account at {domain}", name="create the account")
    context.wait(MINUTE, name="wait for the directory")
    sent = context.step(lambda _: greetings[is_verified], name="greet")  # <- cause of onboarding
    return [domain, sent]


# -- a payroll whose sum is an attribute -----------------------------------------------------------


class Payroll:
    """Pays every employee of a department, and reports the sum."""

    def __init__(self) -> None:
        self.paid = 0

    def pay(self, employee: str, cents: int, _: StepContext) -> str:
        self.paid += cents  # <- cause of payroll
        return f"{employee}: {cents}"

    def report(self, _: StepContext) -> str:
        return f"paid {self.paid / 100:.2f}"  # <- cause of payroll

    def run(self, event: dict[str, int], context: DurableContext) -> str:
        self.paid = 0
        for employee, cents in event.items():
            context.step(partial(self.pay, employee, cents), name=f"pay {employee}")
        context.wait(HOUR, name="let the bank settle")
        return context.step(self.report, name="report")


class RecordedPayroll(Payroll):
    """Sums up what the steps return."""

    def pay_cents(self, cents: int, _: StepContext) -> int:
        return cents

    def run(self, event: dict[str, int], context: DurableContext) -> str:
        paid = 0
        for employee, cents in event.items():
            paid += context.step(partial(self.pay_cents, cents), name=f"pay {employee}")
        context.wait(HOUR, name="let the bank settle")
        return context.step(lambda _: f"paid {paid / 100:.2f}", name="report")


payroll = durable_execution(Payroll().run)
payroll_recorded = durable_execution(RecordedPayroll().run)


# -- an import whose progress is a dataclass -------------------------------------------------------


@dataclass
class Progress:
    rows: int = 0
    rejected: list[str] = field(default_factory=list)


def load_chunk(chunk: list[str], progress: Progress, _: StepContext) -> None:
    for row in chunk:
        if row.count(",") == 2:
            progress.rows += 1  # <- cause of chunked_import
        else:
            progress.rejected.append(row)  # <- cause of chunked_import


@durable_execution
def chunked_import(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Import a file by chunks, at most one per minute."""
    progress = Progress()
    lines = event["lines"]
    for start in range(0, len(lines), 2):
        chunk = lines[start : start + 2]
        context.step(partial(load_chunk, chunk, progress), name=f"load from {start}")
        context.wait(MINUTE, name=f"pause after {start}")
    return {"rows": progress.rows, "rejected": progress.rejected}  # <- cause of chunked_import


def count_chunk(chunk: list[str], _: StepContext) -> dict[str, Any]:
    rejected = [row for row in chunk if row.count(",") != 2]
    return {"rows": len(chunk) - len(rejected), "rejected": rejected}


@durable_execution
def chunked_import_recorded(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Update the progress in the body, from what each step returns."""
    progress = Progress()
    lines = event["lines"]
    for start in range(0, len(lines), 2):
        chunk = lines[start : start + 2]
        counted = context.step(partial(count_chunk, chunk), name=f"load from {start}")
        progress.rows += counted["rows"]
        progress.rejected += counted["rejected"]
        context.wait(MINUTE, name=f"pause after {start}")
    return {"rows": progress.rows, "rejected": progress.rejected}


# -- a factory whose handler collects compensations in its steps -----------------------------------


def cancel(service: str, _: StepContext) -> str:
    return f"{service} is cancelled"


def make_booking(*, services: tuple[str, ...], is_recorded: bool) -> Handler:
    """Return a handler that books services in order, and cancels all of them if one is full."""

    def book(service: str, undo: list[str], _: StepContext) -> bool:
        if service == "car":
            return False
        undo.append(service)  # <- cause of trip
        return True

    def trip(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
        undo: list[str] = []
        for service in services:
            in_step = [] if is_recorded else undo
            booked = context.step(partial(book, service, in_step), name=f"book {service}")
            if not booked:
                break
            if is_recorded:
                undo.append(service)
            context.wait(MINUTE, name=f"after {service}")
        for service in reversed(undo):  # <- cause of trip
            cancelling = partial(cancel, service)
            context.step(cancelling, name=f"cancel {service}")  # <- cause of trip
        return {"who": event["traveler"], "cancelled": len(undo)}

    return durable_execution(trip)


trip = make_booking(services=("flight", "hotel", "car"), is_recorded=False)
trip_recorded = make_booking(services=("flight", "hotel", "car"), is_recorded=True)


# -- branches that fill a shared list --------------------------------------------------------------


@durable_execution
def stock_count(event: list[str], context: DurableContext) -> dict[str, Any]:
    """Count the stock of every warehouse at once, and order what is missing an hour later."""
    missing: list[str] = []

    def count(child: DurableContext, warehouse: str, _: int, __: Any) -> int:
        def scan(_: StepContext) -> int:
            shelves = len(warehouse)
            if shelves % 2:
                missing.append(warehouse)  # <- cause of stock_count
            return shelves

        return child.step(scan, name="scan")

    counts: list[Any] = context.map(event, count, name="count").get_results()
    context.wait(HOUR, name="wait for the supplier")
    ordered = context.step(lambda _: sorted(missing), name="order")  # <- cause of stock_count
    return {"counts": counts, "ordered": ordered}


@durable_execution
def stock_count_recorded(event: list[str], context: DurableContext) -> dict[str, Any]:
    """Read what is missing from the results of the branches."""

    def count(child: DurableContext, warehouse: str, _: int, __: Any) -> dict[str, Any]:
        shelves = child.step(lambda _: len(warehouse), name="scan")
        return {"warehouse": warehouse, "shelves": shelves}

    counts: list[Any] = context.map(event, count, name="count").get_results()
    context.wait(HOUR, name="wait for the supplier")
    missing = [one["warehouse"] for one in counts if one["shelves"] % 2]
    ordered = context.step(lambda _: sorted(missing), name="order")
    return {"counts": [one["shelves"] for one in counts], "ordered": ordered}


# -- a poll that keeps its state outside -----------------------------------------------------------


def poll_config() -> WaitForConditionConfig[int]:
    strategy = create_wait_strategy(
        WaitStrategyConfig[int](should_continue_polling=lambda done: done < 3, max_attempts=9)
    )
    return WaitForConditionConfig(strategy, initial_state=0)


@durable_execution
def render_job(event: str, context: DurableContext) -> list[str]:
    """Poll a renderer until three pages are done, and publish them."""
    pages: list[str] = []

    def check(done: int, _: Any) -> int:
        pages.append(f"{event}, page {done + 1}")  # <- cause of render_job
        return done + 1

    context.wait_for_condition(check, poll_config(), name="wait for the pages")
    context.step(lambda _: len(pages), name=f"publish {len(pages)} pages")  # <- cause of render_job
    return pages


@durable_execution
def render_job_recorded(event: str, context: DurableContext) -> list[str]:
    """Derive the pages from the recorded state of the poll."""
    done = context.wait_for_condition(lambda n, _: n + 1, poll_config(), name="wait for the pages")
    pages = [f"{event}, page {number + 1}" for number in range(done)]
    context.step(lambda _: len(pages), name=f"publish {len(pages)} pages")
    return pages


# -- a counter of attempts that reaches a wait -----------------------------------------------------


@durable_execution
def patient_courier(event: dict[str, Any], context: DurableContext) -> str:
    """Call a courier, and wait longer the more often it took."""
    calls = [0]

    def call(step: StepContext) -> str:
        calls[0] = step.attempt  # <- cause of patient_courier
        if step.attempt < event["answers_at"]:
            raise ConnectionError("the line is busy")
        return "on the way"

    context.step(call, name="call the courier")
    delay = Duration.from_minutes(5 + 10 * calls[0])  # <- cause of patient_courier
    context.wait(delay, name="wait for the courier")  # <- cause of patient_courier
    return context.step(lambda _: "signed", name="sign")


_ORDER = {"customer": "Ada", "items": ["tea", "honey"]}
_CLAIM = {"amount": 1700, "receipts": ["r-1"]}
_LINES = {"lines": ["a,b,c", "d,e", "f,g,h", "i,j,k"]}
_PAYMENTS = partial(queues, "payments.fifo")

CASES = (
    bad(Scenario(handler=checkout, event=_ORDER, world=_PAYMENTS), "closure", *DIFFERS),
    bad(Scenario(handler=claim_review, event=_CLAIM), "closure", *DIFFERS),
    bad(Scenario(handler=onboarding, event={"mail": "ada@example.com"}), "closure", *DIFFERS),
    bad(
        Scenario(handler=payroll, event={"ada": 70, "bob": 50}, name="payroll"),
        "closure",
        *DIFFERS,
        "process-state",
    ),
    bad(Scenario(handler=chunked_import, event=_LINES), "accumulator", *DIFFERS),
    bad(Scenario(handler=trip, event={"traveler": "Mia"}, name="trip"), "accumulator", *DIFFERS),
    bad(Scenario(handler=stock_count, event=["north", "east"]), "accumulator", *DIFFERS),
    bad(Scenario(handler=render_job, event="invoice"), "accumulator", *DIFFERS),
    bad(Scenario(handler=patient_courier, event={"answers_at": 2}), "accumulator", *DIFFERS),
    correct(Scenario(handler=checkout_recorded, event=_ORDER, world=_PAYMENTS), "recorded results"),
    correct(Scenario(handler=claim_review_recorded, event=_CLAIM), "recorded results"),
    correct(
        Scenario(handler=payroll_recorded, event={"ada": 70, "bob": 50}, name="payroll_recorded"),
        "recorded results",
    ),
    correct(Scenario(handler=chunked_import_recorded, event=_LINES), "recorded results"),
    correct(
        Scenario(handler=trip_recorded, event={"traveler": "Mia"}, name="trip_recorded"), "saga"
    ),
    correct(Scenario(handler=stock_count_recorded, event=["north", "east"]), "recorded results"),
    correct(Scenario(handler=render_job_recorded, event="invoice"), "polling"),
)
"""Cases of state in a handler's body."""
