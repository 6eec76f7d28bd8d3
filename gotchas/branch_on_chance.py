"""Draw lots in a step, never in the handler's body.

On replay the body runs from the top and draws again. If the lot falls the other way, the handler
asks for one operation where the log has another: the execution fails half-way, with the first
effect already out in the world. (Without names, or with the same one, it goes on with the other
operation's result.) Nobody notices in a quick test: the lot has to fall differently within one
execution. The same goes for every branch on the clock. Draw in a step: its result is read back.
"""

from __future__ import annotations

import random
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "after the wait, the handler asks for 'send a voucher' where the log has 'send a note'"

A_WEEK = Duration.from_days(7)
LOTS = (True, False)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Thank a customer, every other one with a voucher; ask for a review a week later."""
    lucky = random.choice(LOTS)  # noqa: S311 - on purpose: drawn again on replay
    if lucky:
        context.step(lambda _: shop.send("a voucher"), name="send a voucher")
    else:
        context.step(lambda _: shop.send("a note"), name="send a note")
    context.wait(A_WEEK, name="leave it a week")
    context.step(lambda _: shop.send(f"how was the {event['bought']}?"), name="ask for a review")
    return "done"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, but the lot is drawn once."""
    lucky = context.step(lambda _: random.choice(LOTS), name="draw lots")  # noqa: S311 - no secret
    if lucky:
        context.step(lambda _: shop.send("a voucher"), name="send a voucher")
    else:
        context.step(lambda _: shop.send("a note"), name="send a note")
    context.wait(A_WEEK, name="leave it a week")
    context.step(lambda _: shop.send(f"how was the {event['bought']}?"), name="ask for a review")
    return "done"


breaks = Scenario(handler=broken, event={"bought": "tea"}, world=shop.world)
holds = Scenario(handler=fixed, event={"bought": "tea"}, world=shop.world)
