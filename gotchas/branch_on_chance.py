"""Draw random numbers in a step, never in the handler body.

On replay, the body runs from the top and draws again. If the draw comes out differently, the
handler starts one operation where the history has another, and the execution fails halfway, after
its first side effect. (If the two operations share a name, or have none, the handler silently
continues with the other operation's result.) A quick test rarely catches this, because the draw has
to change within one execution. The same applies to branches on the clock. Draw in a step instead:
on replay, its result is read back.
"""

from __future__ import annotations

import random
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "after the wait, the handler starts 'send a voucher' where the history has 'send a note'"
SHOWS_AT = 'shop.send("a note")'

A_WEEK = Duration.from_days(7)
OUTCOMES = (True, False)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Thank a customer, every second one with a voucher; ask for a review a week later."""
    lucky = random.choice(OUTCOMES)  # noqa: S311 - on purpose: drawn again on replay
    if lucky:
        context.step(lambda _: shop.send("a voucher"), name="send a voucher")
    else:
        context.step(lambda _: shop.send("a note"), name="send a note")
    context.wait(A_WEEK, name="leave it a week")
    context.step(lambda _: shop.send(f"how was the {event['bought']}?"), name="ask for a review")
    return "done"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Draw once, in a step."""
    lucky = context.step(lambda _: random.choice(OUTCOMES), name="draw lots")  # noqa: S311 - not a secret
    if lucky:
        context.step(lambda _: shop.send("a voucher"), name="send a voucher")
    else:
        context.step(lambda _: shop.send("a note"), name="send a note")
    context.wait(A_WEEK, name="leave it a week")
    context.step(lambda _: shop.send(f"how was the {event['bought']}?"), name="ask for a review")
    return "done"


breaks = Scenario(
    handler=broken,
    event={"bought": "tea"},
    world=shop.world,
    expects="NonDeterministicExecutionError",
)
holds = Scenario(handler=fixed, event={"bought": "tea"}, world=shop.world)
