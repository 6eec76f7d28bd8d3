"""Record a compensation in the handler body after the step, never in the step's body.

On replay, a completed step's body doesn't run, so a list that it fills is empty when it is needed:
after the wait there is nothing to compensate, the execution succeeds, and the bookings remain. A
quick test misses this because the list is full in a single invocation. The handler body does run on
replay, so what it appends after each step is there again.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "neither booking is canceled; in a single invocation, both are"
SHOWS_AT = "for what in reversed(booked)"

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> list[str]:
    """Book a journey, and cancel it if it isn't paid for within a day."""
    booked: list[str] = []

    def book(what: str, _: StepContext) -> None:
        shop.send(f"book a {what}")
        booked.append(what)  # does not run on replay

    for what in event["journey"]:
        context.step(partial(book, what), name=f"book a {what}")
    context.wait(A_DAY, name="wait for the money")
    for what in reversed(booked):
        context.step(partial(_cancel, what), name=f"cancel the {what}")
    return booked


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> list[str]:
    """Fill the list in the handler body."""
    booked: list[str] = []

    def book(what: str, _: StepContext) -> None:
        shop.send(f"book a {what}")

    for what in event["journey"]:
        context.step(partial(book, what), name=f"book a {what}")
        booked.append(what)
    context.wait(A_DAY, name="wait for the money")
    for what in reversed(booked):
        context.step(partial(_cancel, what), name=f"cancel the {what}")
    return booked


def _cancel(what: str, _: StepContext) -> None:
    shop.send(f"cancel the {what}")


breaks = Scenario(handler=broken, event={"journey": ["flight", "hotel"]}, world=shop.world)
holds = Scenario(handler=fixed, event={"journey": ["flight", "hotel"]}, world=shop.world)
