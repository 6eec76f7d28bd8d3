"""Build operation names from constants, the event, and step results only.

The SDK finds an operation by its position and then compares its type and name. A name built from
the clock, a random number, or a counter in the process is different on replay, so the execution
fails although it does the same work. A quick test misses this because it takes seconds, not weeks.
A name may vary between executions, but not between replays: a week from the event is fine.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "after the wait, the handler starts the report of week 02 where the history has week 01"
SHOWS_AT = 'name=f"send the report'

A_WEEK = Duration.from_days(7)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Send the weekly report, and ask for remarks a week later."""
    week = f"{datetime.now(UTC):week %V}"  # a different week on replay
    context.step(
        lambda _: shop.send(f"{event['to']}: the report"), name=f"send the report of {week}"
    )
    context.wait(A_WEEK, name="leave it a week")
    context.step(lambda _: shop.send("any remarks?"), name="ask for remarks")
    return "done"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Build the name from the event."""
    week = event["week"]
    context.step(
        lambda _: shop.send(f"{event['to']}: the report"), name=f"send the report of {week}"
    )
    context.wait(A_WEEK, name="leave it a week")
    context.step(lambda _: shop.send("any remarks?"), name="ask for remarks")
    return "done"


breaks = Scenario(
    handler=broken,
    event={"to": "Ada", "week": "week 01"},
    world=shop.world,
    expects="NonDeterministicExecutionError",
)
holds = Scenario(handler=fixed, event={"to": "Ada", "week": "week 01"}, world=shop.world)
