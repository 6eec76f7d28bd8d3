"""Return a value from a step; never assign to the handler's variables inside its body.

On replay, a completed step's body doesn't run; its result is read back. A variable that the body
assigns keeps its earlier value. A quick test misses this: the variable is right until the first
suspension, the execution succeeds either way, and only the last message is wrong.
"""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "the receipt says 0 euros; in a single invocation, it says 12"
SHOWS_AT = 'name="send the receipt"'

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> int:
    """Charge the customer, and send a receipt when the order has arrived."""
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
    """Use the step's result."""

    def charge(_: StepContext) -> int:
        return shop.charge(event["euros"], key=event["order"])

    paid = context.step(charge, name="charge the card")
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send(f"you paid {paid} euros"), name="send the receipt")
    return paid


breaks = Scenario(handler=broken, event={"order": "A-17", "euros": 12}, world=shop.world)
holds = Scenario(handler=fixed, event={"order": "A-17", "euros": 12}, world=shop.world)
