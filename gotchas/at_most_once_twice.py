"""Disable retries for a step that must run at most once.

AT_MOST_ONCE_PER_RETRY means what it says: at most once for each attempt. By default, a step gets
six attempts, so it runs again after an error, and after a crash in its body. A quick test misses
this because its bank always responds. With `RetryPresets.none()`, the failure arrives as a
`StepError`, and a person has to find out whether the money was transferred.
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

SHOWS = "the payment is sent twice when the bank's first response is lost"
SHOWS_AT = 'shop.send(f"pay {euros}'

AT_MOST_ONCE = StepSemantics.AT_MOST_ONCE_PER_RETRY


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Pay a supplier through a bank that doesn't support idempotency keys."""
    config = StepConfig(step_semantics=AT_MOST_ONCE)  # with the default retries
    try:
        return context.step(partial(_pay, event["euros"]), name="pay", config=config)
    except StepError:
        context.step(lambda _: shop.send("did they pay?"), name="ask the accountant")
        return "unclear"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Disable retries."""
    config = StepConfig(step_semantics=AT_MOST_ONCE, retry_strategy=RetryPresets.none())
    try:
        return context.step(partial(_pay, event["euros"]), name="pay", config=config)
    except StepError:
        context.step(lambda _: shop.send("did they pay?"), name="ask the accountant")
        return "unclear"


def _pay(euros: int, step: StepContext) -> str:
    shop.send(f"pay {euros} euros")
    if step.attempt == 1:
        raise ConnectionError("the bank's response was lost")
    return "paid"


breaks = Scenario(handler=broken, event={"euros": 12}, world=shop.world)
holds = Scenario(handler=fixed, event={"euros": 12}, world=shop.world)
