"""Name every operation: without names, a replay can't tell two steps apart.

The SDK compares an operation's type and name with what the history has at its position, and steps
without a name all look alike. If a condition changes between invocations and two of them swap
places, each silently gets the other's result. Neither a quick test nor production notices, because
nothing fails. With names, the execution would at least fail. To be correct, it has to evaluate the
condition in a step as well.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "after the wait, 'paid' holds the parcel number, and 'parcel' holds the amount"
SHOWS_AT = 'return {"paid": paid'

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Charge an order and pack it; pack first if it is placed before the cut-off."""
    early = datetime.now(UTC) < datetime.fromisoformat(event["cut_off"])  # not on replay
    if early:
        parcel = context.step(lambda _: "parcel 4711")
        paid = context.step(lambda _: shop.charge(12, key=event["order"]))
    else:
        paid = context.step(lambda _: shop.charge(12, key=event["order"]))
        parcel = context.step(lambda _: "parcel 4711")
    context.wait(A_DAY, name="let it arrive")
    return {"paid": paid, "parcel": parcel}


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Name the steps, and evaluate the condition once, in a step."""
    cut_off = datetime.fromisoformat(event["cut_off"])
    early = context.step(lambda _: datetime.now(UTC) < cut_off, name="see whether it is early")
    if early:
        parcel = context.step(lambda _: "parcel 4711", name="pack")
        paid = context.step(lambda _: shop.charge(12, key=event["order"]), name="charge")
    else:
        paid = context.step(lambda _: shop.charge(12, key=event["order"]), name="charge")
        parcel = context.step(lambda _: "parcel 4711", name="pack")
    context.wait(A_DAY, name="let it arrive")
    return {"paid": paid, "parcel": parcel}


_EVENT = {"order": "A-17", "cut_off": "2026-01-01T12:00:00+00:00"}

breaks = Scenario(handler=broken, event=_EVENT, world=shop.world)
holds = Scenario(handler=fixed, event=_EVENT, world=shop.world)
