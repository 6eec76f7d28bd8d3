"""Return a reference from a step if the data can grow, never the data itself.

The service rejects a step result above 256 KB, and the execution fails after the work is done. A
quick test with a few rows misses this. AWS's local runner misses it even with many, because it
doesn't enforce the limit. A child context doesn't help: a result that large is recomputed on replay
(see `big_child_result`). Store the data elsewhere, and return its key (a claim check).
"""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "the service rejects the result of 'export the orders', which is above 256 KB"
SHOWS_AT = 'name="export the orders"'

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Export the orders at night, and send them in the morning."""

    def export(_: StepContext) -> str:
        return _orders(event["orders"])  # grows with the number of orders

    rows = context.step(export, name="export the orders")
    context.wait(A_DAY, name="wait until the morning")
    context.step(lambda _: shop.send(f"the orders: {rows[:30]} …"), name="send the export")
    return "sent"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Store the export in a bucket, and return its key."""

    def export(_: StepContext) -> str:
        return shop.export("orders.csv", _orders(event["orders"]))

    key = context.step(export, name="export the orders")
    context.wait(A_DAY, name="wait until the morning")
    context.step(lambda _: shop.send(f"the orders: see {key}"), name="send the export")
    return "sent"


def _orders(number: int) -> str:
    return "".join(f"order {n:09},12 euros,paid\n" for n in range(number))


breaks = Scenario(
    handler=broken, event={"orders": 10_000}, world=shop.world, expects="CheckpointError"
)
holds = Scenario(handler=fixed, event={"orders": 10_000}, world=shop.world)
