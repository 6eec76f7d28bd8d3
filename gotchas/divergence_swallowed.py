"""Catch the errors of an operation by their own classes, never with `except Exception`.

When a replay does not fit the log, the SDK raises `NonDeterministicExecutionError`, which is an
`Exception`. Whoever catches all of those takes the SDK's last warning for a failed charge, and goes
on along the wrong path, on which everything may fit again. Nobody notices: the execution succeeds.
With `except StepError` the divergence, here a random name, fails the execution and can be mended.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from aws_durable_execution_sdk_python import DurableContext, StepError, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "the card is charged, and a day later the customer is told that it could not be"

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Charge an order, and tell the customer when it should have arrived."""
    try:
        context.step(lambda _: shop.charge(12, key=event["order"]), name=f"charge {uuid4()}")
        state = "paid"
    except Exception:  # noqa: BLE001 - on purpose: catches the divergence
        state = "could not be paid"
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send(f"your order: {state}"), name="tell the customer")
    return state


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, with the one error that is meant, and without the divergence."""
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
