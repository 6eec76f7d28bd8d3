"""Do everything that can be seen from outside in a step.

The handler's body runs again from the top after every wait, so what it does outside a step it does
once per invocation. Nobody notices in a quick test: the result is right, the execution succeeds,
and a fake that answers every call does not count them. In a step it is done, and then read back.
"""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "the thanks are sent twice: once more when the handler runs again after the wait"

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Thank for an order, and ask for a review a day later."""
    shop.send(f"thanks for order {event['order']}")  # sent again by every replay
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send("how was it?"), name="ask for a review")
    return "done"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, with the thanks in a step."""
    context.step(lambda _: shop.send(f"thanks for order {event['order']}"), name="say thanks")
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send("how was it?"), name="ask for a review")
    return "done"


breaks = Scenario(handler=broken, event={"order": 17}, world=shop.world)
holds = Scenario(handler=fixed, event={"order": 17}, world=shop.world)
