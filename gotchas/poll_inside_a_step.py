"""Poll with `wait_for_condition`: a step that an invocation's timeout cuts off uses no retry.

A step that sleeps until something has happened keeps its invocation running, and Lambda ends that
at the function's timeout, after 15 minutes at most. The step records no failure then: its retry
strategy isn't asked, its attempts aren't counted, and no `except` runs. The next invocation runs
the same attempt from its beginning, and you pay for the time it sleeps, until the execution fails
or times out. A quick test misses this because its parcel arrives. `wait_for_condition` suspends
between two checks, and raises `WaitForConditionError` when its attempts run out. A loop in a step
needs a limit that is shorter than the function's timeout.
"""

from __future__ import annotations

import time
from typing import Any

from aws_durable_execution_sdk_python import (
    DurableContext,
    StepContext,
    StepError,
    WaitForConditionError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, JitterStrategy, StepConfig
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.types import WaitForConditionCheckContext
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)

from dacapo import Scenario
from gotchas import shop

SHOWS = "five invocations sleep in the step's first attempt, and nobody is notified"
SHOWS_AT = "time.sleep("

FIVE_MINUTES = Duration.from_minutes(5)
TWICE = StepConfig(retry_strategy=create_retry_strategy(RetryStrategyConfig(max_attempts=2)))

poll_six_times = create_wait_strategy(
    WaitStrategyConfig[str](
        should_continue_polling=lambda state: state != "done",
        max_attempts=6,
        initial_delay=FIVE_MINUTES,
        backoff_rate=1,
        max_delay=FIVE_MINUTES,
        jitter_strategy=JitterStrategy.NONE,
    )
)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Wait until a parcel has arrived, and notify the shop."""

    def poll(_: StepContext) -> str:
        while (state := _state_of(event["parcel"])) != "done":
            time.sleep(FIVE_MINUTES.to_seconds())  # the timeout ends it, and isn't a failure
        return state

    try:
        state = context.step(poll, name="wait for the parcel", config=TWICE)
    except StepError:
        state = "lost"
    context.step(lambda _: shop.send(f"parcel {event['parcel']} is {state}"), name="tell the shop")
    return state


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Suspend between two checks, and check six times at most."""

    def check(_: str, __: WaitForConditionCheckContext) -> str:
        return _state_of(event["parcel"])

    config = WaitForConditionConfig(poll_six_times, initial_state="")
    try:
        state = context.wait_for_condition(check, config, name="wait for the parcel")
    except WaitForConditionError:
        state = "lost"
    context.step(lambda _: shop.send(f"parcel {event['parcel']} is {state}"), name="tell the shop")
    return state


def _state_of(_: int) -> str:
    return "under way"


breaks = Scenario(
    handler=broken, event={"parcel": 17}, world=shop.world, expects="Sandbox.Timedout"
)
holds = Scenario(handler=fixed, event={"parcel": 17}, world=shop.world)
