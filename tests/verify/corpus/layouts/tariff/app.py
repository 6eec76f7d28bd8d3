"""A function as SAM lays it out, whose neighbor draws a random discount."""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from discounts import Offer, offer_for  # type: ignore[import-not-found]


@durable_execution
def tariff(event: dict[str, Any], context: DurableContext) -> str:
    """Offer a tariff, and confirm it the next day."""
    offer: Offer = offer_for(event["usage"])
    context.step(lambda _: offer.text, name=f"offer {offer.percent} percent")
    context.wait(Duration.from_days(1), name="wait for the customer")
    return context.step(lambda _: f"{offer.text}, confirmed", name="confirm")


@durable_execution
def tariff_recorded(event: dict[str, Any], context: DurableContext) -> str:
    """Draw the discount in a step."""
    text, percent = context.step(lambda _: offer_for(event["usage"]).as_list(), name="draw")
    context.step(lambda _: text, name=f"offer {percent} percent")
    context.wait(Duration.from_days(1), name="wait for the customer")
    return context.step(lambda _: f"{text}, confirmed", name="confirm")
