"""Compute the remaining time in a step, even if the deadline itself comes from one.

The duration of a wait is recorded when the wait starts. On replay, the SDK ignores the new value
but still validates it. When the wait is over, no time is left, and the SDK rejects a wait shorter
than a second: the execution fails just when it should continue. A quick test that skips time misses
this, because its clock stands still and the full wait always remains.
"""

from __future__ import annotations

import time
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "after the wait, the handler asks for a wait of 0 s where the history has one day"
SHOWS_AT = "Duration.from_seconds(left)"

A_DAY = 24 * 60 * 60


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Charge an order a day after it was placed, no matter how long the letter took."""
    due = context.step(lambda _: time.time() + A_DAY, name="note when it is due")
    context.step(lambda _: shop.send("we charge you tomorrow"), name="announce it")
    left = due - time.time()  # nothing is left on replay
    context.wait(Duration.from_seconds(left), name="wait until it is due")
    context.step(lambda _: shop.charge(12, key=event["order"]), name="charge the card")
    return "charged"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Compute the remaining time once, in a step."""
    due = context.step(lambda _: time.time() + A_DAY, name="note when it is due")
    context.step(lambda _: shop.send("we charge you tomorrow"), name="announce it")
    left = context.step(lambda _: max(1, due - time.time()), name="see how long is left")
    context.wait(Duration.from_seconds(left), name="wait until it is due")
    context.step(lambda _: shop.charge(12, key=event["order"]), name="charge the card")
    return "charged"


breaks = Scenario(
    handler=broken, event={"order": "A-17"}, world=shop.world, expects="ValidationError"
)
holds = Scenario(handler=fixed, event={"order": "A-17"}, world=shop.world)
