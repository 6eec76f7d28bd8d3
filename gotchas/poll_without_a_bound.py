"""Bound every poll, and say what happens when the bound is reached.

A wait strategy of one's own that only looks at the state asks for ever when the state never comes:
each poll is charged, until the execution times out or has used up its operations, and then no code
of the handler runs any more. Nobody notices in a quick test, because in it the parcel arrives; in
one in which it doesn't, AWS's local runner polls on and on. What `create_wait_strategy` makes has a
bound, and raises `WaitForConditionError` when it is reached.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python import (
    DurableContext,
    WaitForConditionError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, JitterStrategy
from aws_durable_execution_sdk_python.types import WaitForConditionCheckContext
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitForConditionDecision,
    WaitStrategyConfig,
    create_wait_strategy,
)

from dacapo import Scenario
from gotchas import shop

SHOWS = "the execution polls until it is ended as TIMED_OUT, and nobody is told"

AN_HOUR = Duration.from_hours(1)


def for_ever(state: str, _: int) -> WaitForConditionDecision:
    """Look again in an hour, however often that was."""
    if state == "done":
        return WaitForConditionDecision.stop_polling()
    return WaitForConditionDecision.continue_waiting(AN_HOUR)


for_some_hours = create_wait_strategy(
    WaitStrategyConfig[str](
        should_continue_polling=lambda state: state != "done",
        max_attempts=6,
        initial_delay=AN_HOUR,
        backoff_rate=1,
        max_delay=AN_HOUR,
        jitter_strategy=JitterStrategy.NONE,
    )
)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Wait until a parcel has arrived, and tell the shop."""
    config = WaitForConditionConfig(for_ever, initial_state="")  # if it ever arrives
    try:
        state = context.wait_for_condition(_look, config, name="wait for the parcel")
    except WaitForConditionError:
        state = "lost"
    context.step(lambda _: shop.send(f"parcel {event['parcel']} is {state}"), name="tell the shop")
    return state


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, some times."""
    config = WaitForConditionConfig(for_some_hours, initial_state="")
    try:
        state = context.wait_for_condition(_look, config, name="wait for the parcel")
    except WaitForConditionError:
        state = "lost"
    context.step(lambda _: shop.send(f"parcel {event['parcel']} is {state}"), name="tell the shop")
    return state


def _look(_: str, __: WaitForConditionCheckContext) -> str:
    return "under way"


_HALF_A_DAY = timedelta(hours=12)

breaks = Scenario(
    handler=broken, event={"parcel": 17}, world=shop.world, execution_timeout=_HALF_A_DAY
)
holds = Scenario(
    handler=fixed, event={"parcel": 17}, world=shop.world, execution_timeout=_HALF_A_DAY
)
