"""Catch `StepError` around a step: what the step raised never comes out of it.

A step's error is stored like a result, and comes back as `StepError`, with the class as text in
`error_type`: on the first run as well as on replay. `except CardDeclined` never matches, and the
execution fails in the very case that it provides for. Nobody notices in a quick test in which no
card is declined. What is no mishap but an outcome is better returned by the step than raised.
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

SHOWS = "when the card is declined the execution fails, and the customer hears nothing"

ONCE = StepConfig(retry_strategy=RetryPresets.none())


class CardDeclined(Exception):  # noqa: N818 - says what it is
    """The bank does not pay."""


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Charge an order, and tell the customer how that went."""
    try:
        state = context.step(_charge, name="charge the card", config=ONCE)
    except CardDeclined:  # comes as StepError
        state = "declined"
    context.step(lambda _: shop.send(f"{event['who']}: {state}"), name="tell the customer")
    return state


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, with the class that comes."""
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


breaks = Scenario(handler=broken, event={"who": "Ada"}, world=shop.world)
holds = Scenario(handler=fixed, event={"who": "Ada"}, world=shop.world)
