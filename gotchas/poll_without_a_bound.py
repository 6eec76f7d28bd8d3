"""Limit the attempts of every poll, and handle the error when they run out.

A custom wait strategy that checks only the state polls forever if the state it expects never comes.
You pay for every poll until the execution times out or reaches its quota of operations, and then no
handler code runs. A quick test misses this because its parcel arrives; if it doesn't, AWS's local
runner never stops polling. A strategy from `create_wait_strategy` has a limit, and raises
`WaitForConditionError` when it is reached.
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

SHOWS = "the execution polls until it ends as TIMED_OUT, and nobody is notified"
SHOWS_AT = "_check, config"

AN_HOUR = Duration.from_hours(1)


def poll_forever(state: str, _: int) -> WaitForConditionDecision:
    """Check again in an hour, regardless of the number of attempts."""
    if state == "done":
        return WaitForConditionDecision.stop_polling()
    return WaitForConditionDecision.continue_waiting(AN_HOUR)


poll_six_times = create_wait_strategy(
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
    """Wait until a parcel has arrived, and notify the shop."""
    config = WaitForConditionConfig(poll_forever, initial_state="")  # no limit
    try:
        state = context.wait_for_condition(_check, config, name="wait for the parcel")
    except WaitForConditionError:
        state = "lost"
    context.step(lambda _: shop.send(f"parcel {event['parcel']} is {state}"), name="tell the shop")
    return state


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Poll six times at most."""
    config = WaitForConditionConfig(poll_six_times, initial_state="")
    try:
        state = context.wait_for_condition(_check, config, name="wait for the parcel")
    except WaitForConditionError:
        state = "lost"
    context.step(lambda _: shop.send(f"parcel {event['parcel']} is {state}"), name="tell the shop")
    return state


def _check(_: str, __: WaitForConditionCheckContext) -> str:
    return "under way"


_HALF_A_DAY = timedelta(hours=12)

breaks = Scenario(
    handler=broken,
    event={"parcel": 17},
    world=shop.world,
    execution_timeout=_HALF_A_DAY,
    expects="TIMED_OUT",
)
holds = Scenario(
    handler=fixed, event={"parcel": 17}, world=shop.world, execution_timeout=_HALF_A_DAY
)
