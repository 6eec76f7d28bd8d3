"""Read the clock in a step: a date that the body computes changes on every replay.

The SDK doesn't compare the inputs of a step, so nothing detects that the body computed a new date:
the execution succeeds, and the reminder names a later date than the invoice. In a quick test, both
are sent on the same day. Compute the date in a step, and use its result.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "the reminder gives a due date a week later than the one in the invoice"
SHOWS_AT = 'name="remind them"'

A_WEEK = Duration.from_days(7)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Send an invoice, and a reminder a week later."""
    pay_by = _in_two_weeks()  # a week later on replay
    context.step(lambda _: shop.send(f"{event['who']}, pay by {pay_by}"), name="send the invoice")
    context.wait(A_WEEK, name="wait for the money")
    context.step(lambda _: shop.send(f"remember, {event['who']}: {pay_by}"), name="remind them")
    return pay_by


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Compute the date once, in a step."""
    pay_by = context.step(lambda _: _in_two_weeks(), name="note the deadline")
    context.step(lambda _: shop.send(f"{event['who']}, pay by {pay_by}"), name="send the invoice")
    context.wait(A_WEEK, name="wait for the money")
    context.step(lambda _: shop.send(f"remember, {event['who']}: {pay_by}"), name="remind them")
    return pay_by


def _in_two_weeks() -> str:
    return f"{datetime.now(UTC) + timedelta(days=14):%d %B}"


breaks = Scenario(handler=broken, event={"who": "Ada"}, world=shop.world)
holds = Scenario(handler=fixed, event={"who": "Ada"}, world=shop.world)
