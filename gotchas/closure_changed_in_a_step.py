"""Take what a step found out from its result, never from a variable that the step has set.

On replay a step's body does not run; its result is read back. So the variable keeps the value that
it had before the step. Nobody notices in a quick test: until the first interruption the variable is
right, the execution succeeds, and only the last message says something odd.
"""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "the receipt says 0 euros, where an execution that is never interrupted says 12"

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> int:
    """Charge an order, and send the receipt when it has arrived."""
    paid = 0

    def charge(_: StepContext) -> None:
        nonlocal paid
        paid = shop.charge(event["euros"], key=event["order"])  # does not run on replay

    context.step(charge, name="charge the card")
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send(f"you paid {paid} euros"), name="send the receipt")
    return paid


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> int:
    """The same, with the step's result."""

    def charge(_: StepContext) -> int:
        return shop.charge(event["euros"], key=event["order"])

    paid = context.step(charge, name="charge the card")
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send(f"you paid {paid} euros"), name="send the receipt")
    return paid


breaks = Scenario(handler=broken, event={"order": "A-17", "euros": 12}, world=shop.world)
holds = Scenario(handler=fixed, event={"order": "A-17", "euros": 12}, world=shop.world)
