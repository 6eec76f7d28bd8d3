"""Name an operation by what stays the same in every replay: fixed text, the event, stored results.

The SDK finds an operation by its position and checks type and name. A name that is made from the
clock, a random number or a counter of the process is another one on replay, and the execution fails
although it does the same thing. Nobody notices in a quick test: it lasts seconds, not weeks. A week
that the event brings may well be in a name.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "after the wait, the handler asks for the report of week 02 where the log has week 01"

A_WEEK = Duration.from_days(7)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Send the report of a week, and ask for remarks a week later."""
    week = f"{datetime.now(UTC):week %V}"  # another week on replay
    context.step(
        lambda _: shop.send(f"{event['to']}: the report"), name=f"send the report of {week}"
    )
    context.wait(A_WEEK, name="leave it a week")
    context.step(lambda _: shop.send("any remarks?"), name="ask for remarks")
    return "done"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, with a name from the event."""
    week = event["week"]
    context.step(
        lambda _: shop.send(f"{event['to']}: the report"), name=f"send the report of {week}"
    )
    context.wait(A_WEEK, name="leave it a week")
    context.step(lambda _: shop.send("any remarks?"), name="ask for remarks")
    return "done"


breaks = Scenario(handler=broken, event={"to": "Ada", "week": "week 01"}, world=shop.world)
holds = Scenario(handler=fixed, event={"to": "Ada", "week": "week 01"}, world=shop.world)
