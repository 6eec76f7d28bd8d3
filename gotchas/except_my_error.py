"""Catch `StepError` around a step: the exception that its body raised never reaches the handler.

A step's error is stored like a result and reaches the handler as a `StepError`, with the class name
in `error_type`, on the first run as well as on replay. `except CardDeclined` never matches, and the
execution fails in exactly the case that the clause is for. A quick test misses this unless a card
is declined. If a failure is an expected outcome, return it from the step instead of raising.
"""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import (
    DurableContext,
    StepContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import StepConfig
from aws_durable_execution_sdk_python.retries import RetryPresets

from dacapo import Scenario
from gotchas import shop

SHOWS = "when the card is declined, the execution fails, and the customer isn't notified"
SHOWS_AT = "except CardDeclined"

ONCE = StepConfig(retry_strategy=RetryPresets.none())


class CardDeclined(Exception):  # noqa: N818 - the bank's term
    """The bank declines the charge."""


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Charge an order, and notify the customer of the outcome."""
    try:
        state = context.step(_charge, name="charge the card", config=ONCE)
    except CardDeclined:  # arrives as StepError
        state = "declined"
    context.step(lambda _: shop.send(f"{event['who']}: {state}"), name="tell the customer")
    return state


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Catch the SDK's error, and check its type."""
    try:
        state = context.step(_charge, name="charge the card", config=ONCE)
    except StepError as error:
        if not error.error_type.endswith(CardDeclined.__name__):
            raise
        state = "declined"
    context.step(lambda _: shop.send(f"{event['who']}: {state}"), name="tell the customer")
    return state


def _charge(_: StepContext) -> str:
    raise CardDeclined("not enough money")


breaks = Scenario(handler=broken, event={"who": "Ada"}, world=shop.world, expects="StepError")
holds = Scenario(handler=fixed, event={"who": "Ada"}, world=shop.world)
