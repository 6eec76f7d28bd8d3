"""Put every side effect in a step.

The handler body runs again from the top after every wait, so code outside a step runs once for each
invocation. A quick test misses this: the result is right, the execution succeeds, and a mock that
accepts every call doesn't count them. In a step, the side effect is checkpointed, and replay reads
its result back.
"""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "the thank-you is sent twice: again when the handler resumes after the wait"
SHOWS_AT = 'shop.send(f"thanks'

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Thank a customer for an order, and ask for a review a day later."""
    shop.send(f"thanks for order {event['order']}")  # sent again on every replay
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send("how was it?"), name="ask for a review")
    return "done"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Send the thank-you in a step."""
    context.step(lambda _: shop.send(f"thanks for order {event['order']}"), name="say thanks")
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send("how was it?"), name="ask for a review")
    return "done"


breaks = Scenario(handler=broken, event={"order": 17}, world=shop.world)
holds = Scenario(handler=fixed, event={"order": 17}, world=shop.world)
