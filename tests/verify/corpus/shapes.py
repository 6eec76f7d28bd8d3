"""Correct handlers that are long, deep, wide, wrapped or that end in an error as they should."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import (
    DurableContext,
    StepContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import MapConfig
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitForConditionDecision,
)

from dacapo import Handler, Scenario, fail, succeed
from tests.verify.corpus import fakes
from tests.verify.corpus.case import DAY, HOUR, MINUTE, ONCE, correct


def echo(value: Any, _: StepContext) -> Any:
    return value


# -- long, deep and wide ---------------------------------------------------------------------------


@durable_execution
def long_import(event: int, context: DurableContext) -> Any:
    """Import in hundreds of steps."""
    total = 0
    for number in range(event):
        total += context.step(partial(echo, number), name=f"row {number}")
    context.wait(HOUR, name="wait for the index")
    return context.step(partial(echo, total), name="sum up")


def nest(context: DurableContext, depth: int) -> int:
    """Run child contexts within each other, with a wait in the innermost."""
    if depth == 0:
        context.wait(MINUTE, name="at the bottom")
        return int(context.step(partial(echo, 1), name="bottom"))
    below = context.run_in_child_context(lambda child: nest(child, depth - 1), name=f"at {depth}")
    return below + 1


@durable_execution
def org_chart(event: int, context: DurableContext) -> Any:
    """Descend through forty levels of child contexts."""
    depth = nest(context, event)
    return context.step(partial(echo, depth), name=f"{depth} levels")


@durable_execution
def slow_render(event: list[str], context: DurableContext) -> Any:
    """Spend minutes in each step, and hash for a while in the body."""

    def render(page: str, _: StepContext) -> str:
        time.sleep(300)
        return f"{page}.png"

    pages = [context.step(partial(render, page), name=f"render {page}") for page in event]
    digest = 0
    for number in range(200_000):
        digest = (31 * digest + number) % 65_521
    context.wait(DAY, name="wait for the printer")
    return context.step(partial(echo, pages), name=f"print {digest}")


@dataclass(frozen=True)
class Limits:
    """Read by all branches, changed by none."""

    by_region: Mapping[str, int]
    default: int = 10


LIMITS = Limits({"north": 3, "south": 5})


@durable_execution
def regional_quotas(event: list[str], context: DurableContext) -> Any:
    """Share a read-only configuration between the branches of a map."""

    def branch(child: DurableContext, region: str, index: int, _: Any) -> dict[str, Any]:
        limit = LIMITS.by_region.get(region, LIMITS.default)
        used = child.step(partial(echo, len(region)), name="count")
        child.wait(MINUTE, name="be polite")
        if used > limit:
            child.step(partial(echo, region), name="warn")
        return {"region": region, "free": limit - used, "index": index}

    config: MapConfig[str] = MapConfig(max_concurrency=2)
    quotas: Any = context.map(event, branch, name="count all", config=config)
    return quotas.get_results()


MOST_CHECKS = 60


@durable_execution
def build_status(event: int, context: DurableContext) -> Any:
    """Poll a build, with the number of checks in the poll's own state."""

    def check(state: dict[str, Any], _: Any) -> dict[str, Any]:
        checks = state["checks"] + 1
        return {"checks": checks, "status": "done" if checks >= event else "running"}

    def decide(state: dict[str, Any], attempts: int) -> WaitForConditionDecision:
        if state["status"] == "done" or attempts >= MOST_CHECKS:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(MINUTE)

    config = WaitForConditionConfig(decide, initial_state={"checks": 0, "status": "running"})
    built = context.wait_for_condition(check, config, name="wait for the build")
    return context.step(partial(echo, built["checks"]), name=f"{built['checks']} checks")


# -- a saga, wrapped by decorators -----------------------------------------------------------------


def with_correlation(handler: Handler) -> Handler:
    """Add a correlation ID to the log of each invocation."""

    @functools.wraps(handler)
    def outer(event: Any, context: Any) -> Any:
        event["DurableExecutionArn"].rpartition("/")
        return handler(event, context)

    return outer


def with_timing(limit: float) -> Callable[[Handler], Handler]:
    """Warn if an invocation took longer than this many seconds."""

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def timed(event: Any, context: Any) -> Any:
            started = time.monotonic()
            try:
                return handler(event, context)
            finally:
                is_slow = time.monotonic() - started > limit
                context.log(f"slow: {is_slow}")

        return timed

    return decorate


def reserve(item: str, _: StepContext) -> str:
    if item == "crane":
        raise LookupError("no crane is free")
    return item


@with_timing(limit=30)
@with_correlation
@durable_execution
def construction(event: list[str], context: DurableContext) -> Any:
    """Reserve machines, and release all of them in reverse order if one is missing."""
    reserved: list[str] = []
    for item in event:
        try:
            reserved.append(
                context.step(partial(reserve, item), name=f"reserve {item}", config=ONCE)
            )
        except StepError as error:
            for done in reversed(reserved):
                context.step(partial(echo, done), name=f"release {done}")
            return {"status": "refused", "reason": str(error)}
        context.wait(MINUTE, name=f"after {item}")
    return {"status": "reserved"}


# -- a partial, and a class with collaborators -----------------------------------------------------


def ship(settings: Mapping[str, Any], event: dict[str, Any], context: DurableContext) -> Any:
    """Ship with a courier that the settings choose."""
    courier = settings["couriers"][event["country"]]
    label = context.step(partial(echo, f"{courier} label"), name="print the label")
    context.wait(HOUR, name=f"wait for {courier}")
    return context.step(partial(echo, label), name="hand it over")


shipping = durable_execution(partial(ship, {"couriers": {"DE": "dhl", "FR": "chrono"}}))


# -- endings in an error ---------------------------------------------------------------------------


@durable_execution
def strict_order(event: dict[str, Any], context: DurableContext) -> Any:
    """Refuse an order without items."""
    context.step(partial(echo, event["order"]), name="accept")
    context.wait(MINUTE, name="wait for the stock")
    if not event["items"]:
        raise ValueError("the order is empty")
    return context.step(partial(echo, "packed"), name="pack")


@durable_execution
def refused_loan(event: str, context: DurableContext) -> Any:
    """Fail if the officer refuses."""
    answer = context.wait_for_callback(lambda *_: None, name="officer", config=fakes.WITHIN_A_DAY)
    return context.step(partial(echo, f"{event}: {answer}"), name="grant")


# -- fakes of the world ----------------------------------------------------------------------------


@durable_execution
def patched_gateway(event: dict[str, Any], context: DurableContext) -> Any:
    """Call a function that the world replaces in its module."""
    quoted = context.step(lambda _: fakes.quote(event["item"]), name="quote")
    context.wait(HOUR, name="wait for the customer")
    return context.step(lambda _: f"{fakes.quote(event['item'])} of {quoted}", name="charge")


def mail(person: str, _: StepContext) -> str:
    return fakes.MAILBOX.deliver(person, "hello")


@durable_execution
def fake_mailbox(event: list[str], context: DurableContext) -> Any:
    """Write into a mailbox that is a global of its module, and that the world yields."""
    for person in event:
        context.step(partial(mail, person), name=f"mail {person}")
        context.wait(MINUTE, name=f"after {person}")
    return context.step(lambda _: fakes.MAILBOX.count(), name="count")


@durable_execution
def local_service(event: str, context: DurableContext) -> Any:
    """Call an HTTP server of the world on this machine, in steps."""
    job = context.step(lambda _: fakes.call("POST", event), name="start the job")
    context.wait(HOUR, name="wait for the job")
    return context.step(lambda _: fakes.call("GET", event), name=f"collect {job}")


@contextmanager
def empty_mailbox() -> Iterator[fakes.Mailbox]:
    """Context manager that yields the module's mailbox, empty."""
    fakes.MAILBOX.letters.clear()
    yield fakes.MAILBOX


_REFUSED = fail("too much debt", error_type="Refused", after=timedelta(hours=1))
_GRANTED = succeed(raw=b"fine", after=timedelta(hours=1))

CASES = (
    correct(
        Scenario(
            handler=refused_loan,
            event="Bob",
            answers={"officer": _REFUSED},
            expects="FAILED",
            name="loan_is_refused",
        ),
        "expected failure",
    ),
    correct(
        Scenario(
            handler=strict_order,
            event={"order": "17", "items": []},
            expects="ValueError",
            name="strict_order",
        ),
        "expected failure",
    ),
    correct(Scenario(handler=long_import, event=400), "many operations"),
    correct(Scenario(handler=org_chart, event=40), "deep nesting"),
    correct(Scenario(handler=slow_render, event=["a", "b"]), "long run"),
    correct(
        Scenario(handler=regional_quotas, event=["north", "south", "east"]), "shared configuration"
    ),
    correct(Scenario(handler=build_status, event=3), "polling"),
    correct(Scenario(handler=construction, event=["truck", "digger", "crane"]), "saga"),
    correct(
        Scenario(handler=shipping, event={"country": "FR"}, name="shipping"), "recorded results"
    ),
    correct(
        Scenario(handler=refused_loan, event="Ada", answers={"officer": _GRANTED}), "errors handled"
    ),
    correct(Scenario(handler=patched_gateway, event={"item": "tea"}, world=fakes.gateway), "fake"),
    correct(Scenario(handler=fake_mailbox, event=["Ada", "Bob"], world=empty_mailbox), "fake"),
    correct(Scenario(handler=local_service, event="17", world=fakes.service), "fake"),
)
"""Cases of shapes."""
