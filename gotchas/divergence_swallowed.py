"""Catch an operation's errors by their own classes, never with `except Exception`.

When a replay doesn't match the history, the SDK raises `NonDeterministicExecutionError`, which is
an `Exception`. A handler that catches every `Exception` mistakes it for a failed charge and
continues down the wrong path, where everything may match again: the execution succeeds, and nobody
notices. With `except StepError`, the nondeterminism (here, a random name) fails the execution, so
you can fix it.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from aws_durable_execution_sdk_python import DurableContext, StepError, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "the card is charged, but the customer is notified a day later that it could not be"
SHOWS_AT = 'name="tell the customer"'

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Charge an order, and notify the customer when it should have arrived."""
    try:
        context.step(lambda _: shop.charge(12, key=event["order"]), name=f"charge {uuid4()}")
        state = "paid"
    except Exception:  # noqa: BLE001 - on purpose: catches NonDeterministicExecutionError
        state = "could not be paid"
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send(f"your order: {state}"), name="tell the customer")
    return state


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Catch the expected error only, and use a constant name."""
    try:
        context.step(lambda _: shop.charge(12, key=event["order"]), name="charge")
        state = "paid"
    except StepError:
        state = "could not be paid"
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send(f"your order: {state}"), name="tell the customer")
    return state


breaks = Scenario(handler=broken, event={"order": "A-17"}, world=shop.world)
holds = Scenario(handler=fixed, event={"order": "A-17"}, world=shop.world)
