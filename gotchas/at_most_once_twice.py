"""Take the retries away from a step that must run at most once.

AT_MOST_ONCE_PER_RETRY means what it says: at most once for each try. A step has six tries unless
told otherwise, so after an error, and after a crash in the middle of it, it runs again. Nobody
notices in a quick test, in which the bank answers. With `RetryPresets.none()` it comes back as a
`StepError` instead, and somebody has to find out whether the money was taken.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import (
    DurableContext,
    StepContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import StepConfig, StepSemantics
from aws_durable_execution_sdk_python.retries import RetryPresets

from dacapo import Scenario
from gotchas import shop

SHOWS = "the payment is sent twice when the bank's first answer gets lost"

AT_MOST_ONCE = StepSemantics.AT_MOST_ONCE_PER_RETRY


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Pay a supplier through a bank that knows no idempotency keys."""
    config = StepConfig(step_semantics=AT_MOST_ONCE)  # and the default retries
    try:
        return context.step(partial(_pay, event["euros"]), name="pay", config=config)
    except StepError:
        context.step(lambda _: shop.send("did they pay?"), name="ask the accountant")
        return "unclear"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, without retries."""
    config = StepConfig(step_semantics=AT_MOST_ONCE, retry_strategy=RetryPresets.none())
    try:
        return context.step(partial(_pay, event["euros"]), name="pay", config=config)
    except StepError:
        context.step(lambda _: shop.send("did they pay?"), name="ask the accountant")
        return "unclear"


def _pay(euros: int, step: StepContext) -> str:
    shop.send(f"pay {euros} euros")
    if step.attempt == 1:
        raise ConnectionError("the bank's answer got lost")
    return "paid"


breaks = Scenario(handler=broken, event={"euros": 12}, world=shop.world)
holds = Scenario(handler=fixed, event={"euros": 12}, world=shop.world)
