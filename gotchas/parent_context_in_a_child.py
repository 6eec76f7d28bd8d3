"""Inside a child context, use the context that it receives, never the parent's.

Each context numbers its own operations. The body of a completed child context doesn't run again, so
the operations that it started on the parent aren't counted, and every later operation gets an ID
that belongs to another. A quick test misses this unless it suspends after the child has completed.
"""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "on replay, the handler starts the wait where the history has 'pack it'"
SHOWS_AT = 'name="let it arrive"'

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Pack and label an order, and ask for a review when it has arrived."""

    def ship(child: DurableContext) -> str:
        context.step(lambda _: shop.send(f"pack {event['item']}"), name="pack it")  # on the parent
        return child.step(lambda _: "label 4711", name="print a label")

    label = context.run_in_child_context(ship, name="ship it")
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send("how was it?"), name="ask for a review")
    return label


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Start all operations of the child on the child."""

    def ship(child: DurableContext) -> str:
        child.step(lambda _: shop.send(f"pack {event['item']}"), name="pack it")
        return child.step(lambda _: "label 4711", name="print a label")

    label = context.run_in_child_context(ship, name="ship it")
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send("how was it?"), name="ask for a review")
    return label


breaks = Scenario(
    handler=broken,
    event={"item": "tea"},
    world=shop.world,
    expects="NonDeterministicExecutionError",
)
holds = Scenario(handler=fixed, event={"item": "tea"}, world=shop.world)
