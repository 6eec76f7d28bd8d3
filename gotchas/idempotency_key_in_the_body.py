"""Generate an idempotency key in its own step, or derive it from the execution and a fixed name.

A retry runs in another invocation, in which the body generates another key. Generating it inside
the step that uses it doesn't help (`broken_inside`). The bank takes the second attempt for a second
charge. A quick test misses this because no response gets lost: the key matters only if the first
attempt succeeded without the handler knowing. The result of a step that only generates the key is
read back on every retry; a key derived from the execution's ARN and a name needs no step.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution

from dacapo import Scenario
from gotchas import shop

SHOWS = "the bank receives two keys for one order, and charges it twice"
SHOWS_AT = "paid = shop.charge("


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> int:
    """Charge an order."""
    key = str(uuid4())  # a different one on every retry
    return context.step(partial(_charge, event["euros"], key), name="charge the card")


@durable_execution
def broken_inside(event: dict[str, Any], context: DurableContext) -> int:
    """Generate the key too late instead of too early."""
    # A different one on every retry.
    return context.step(
        lambda step: _charge(event["euros"], str(uuid4()), step), name="charge the card"
    )


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> int:
    """Generate the key once, in its own step."""
    key = context.step(lambda _: str(uuid4()), name="draw an idempotency key")
    return context.step(partial(_charge, event["euros"], key), name="charge the card")


def _charge(euros: int, key: str, step: StepContext) -> int:
    paid = shop.charge(euros, key)
    if step.attempt == 1:
        raise ConnectionError("the bank's response was lost")
    return paid


breaks = Scenario(handler=broken, event={"euros": 12}, world=shop.world)
breaks_inside = Scenario(handler=broken_inside, event={"euros": 12}, world=shop.world)
holds = Scenario(handler=fixed, event={"euros": 12}, world=shop.world)
