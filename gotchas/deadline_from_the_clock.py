"""Read the clock in a step: what is worked out from it in the body moves on with every replay.

The SDK does not compare what goes into a step, so a date that the body works out anew is noticed by
nobody: the execution succeeds, and the second letter simply names a later date than the first. In a
quick test all letters are written on the same day. Note the date in a step, and use that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "the reminder names a date that is a week later than the one in the invoice"

A_WEEK = Duration.from_days(7)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Send an invoice, and a week later a reminder."""
    pay_by = _in_two_weeks()  # a week later on replay
    context.step(lambda _: shop.send(f"{event['who']}, pay by {pay_by}"), name="send the invoice")
    context.wait(A_WEEK, name="wait for the money")
    context.step(lambda _: shop.send(f"remember, {event['who']}: {pay_by}"), name="remind them")
    return pay_by


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, with a date that is worked out once."""
    pay_by = context.step(lambda _: _in_two_weeks(), name="note the deadline")
    context.step(lambda _: shop.send(f"{event['who']}, pay by {pay_by}"), name="send the invoice")
    context.wait(A_WEEK, name="wait for the money")
    context.step(lambda _: shop.send(f"remember, {event['who']}: {pay_by}"), name="remind them")
    return pay_by


def _in_two_weeks() -> str:
    return f"{datetime.now(UTC) + timedelta(days=14):%d %B}"


breaks = Scenario(handler=broken, event={"who": "Ada"}, world=shop.world)
holds = Scenario(handler=fixed, event={"who": "Ada"}, world=shop.world)
