"""Draw an idempotency key in a step of its own, or derive it from the execution and a fixed name.

A retry comes in another invocation, and the body draws another key for it; a key that is drawn
inside the step that uses it is no better (`broken_inside`). The bank takes the second try for a
second charge. Nobody notices in a quick test, in which no answer gets lost: the key only matters
when the first try worked and nobody heard of it. A step that only draws is read back on every
retry; an ARN and a name need not be drawn at all.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution

from dacapo import Scenario
from gotchas import shop

SHOWS = "the bank is given two keys for one order, and takes the money twice"


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> int:
    """Charge an order."""
    key = str(uuid4())  # another one for every retry
    return context.step(partial(_charge, event["euros"], key), name="charge the card")


@durable_execution
def broken_inside(event: dict[str, Any], context: DurableContext) -> int:
    """The same, with the key drawn too late instead of too early."""
    # Another one for every retry.
    return context.step(
        lambda step: _charge(event["euros"], str(uuid4()), step), name="charge the card"
    )


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> int:
    """The same, with a key that is drawn once."""
    key = context.step(lambda _: str(uuid4()), name="draw an idempotency key")
    return context.step(partial(_charge, event["euros"], key), name="charge the card")


def _charge(euros: int, key: str, step: StepContext) -> int:
    paid = shop.charge(euros, key)
    if step.attempt == 1:
        raise ConnectionError("the bank's answer got lost")
    return paid


breaks = Scenario(handler=broken, event={"euros": 12}, world=shop.world)
breaks_inside = Scenario(handler=broken_inside, event={"euros": 12}, world=shop.world)
holds = Scenario(handler=fixed, event={"euros": 12}, world=shop.world)
