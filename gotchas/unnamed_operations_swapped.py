"""Give every operation a name: it is the only thing by which a replay can tell two steps apart.

The SDK compares type and name of an operation with what the log has in its place; steps without a
name are all alike. If a condition comes out differently on replay and two of them change places,
each silently gets the other's result. Nobody notices in a quick test, where the condition does not
change meanwhile; and not in production either, for nothing fails. With names it would fail, loudly.
To be right, take the condition from a step as well.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "after the wait, 'paid' is the number of the parcel, and 'parcel' the amount"

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Charge an order and pack it; what is ordered early is packed first."""
    early = datetime.now(UTC) < datetime.fromisoformat(event["cut_off"])  # not for ever
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
    """The same, with names, and with a condition that is looked at once."""
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
