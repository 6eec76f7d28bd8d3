"""Never start a durable operation inside a step; group operations in a child context.

Operation IDs come from a counter. A completed step's body doesn't run on replay, so the operations
that it started aren't counted, and every later operation gets an ID that belongs to another. A
quick test misses this unless it suspends after the step has completed. The SDK doesn't reject it.
"""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "on replay, the handler starts the wait where the history has 'charge the card'"
SHOWS_AT = 'name="let it arrive"'

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> int:
    """Charge an order and pack it, and ask for a review when it has arrived."""

    def check_out(_: StepContext) -> int:
        key = event["order"]
        return context.step(lambda _: shop.charge(12, key), name="charge the card")

    paid = context.step(check_out, name="check out")
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send("how was it?"), name="ask for a review")
    return paid


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> int:
    """Group the operations in a child context."""

    def check_out(child: DurableContext) -> int:
        key = event["order"]
        return child.step(lambda _: shop.charge(12, key), name="charge the card")

    paid = context.run_in_child_context(check_out, name="check out")
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send("how was it?"), name="ask for a review")
    return paid


breaks = Scenario(
    handler=broken,
    event={"order": "A-17"},
    world=shop.world,
    expects="NonDeterministicExecutionError",
)
holds = Scenario(handler=fixed, event={"order": "A-17"}, world=shop.world)
