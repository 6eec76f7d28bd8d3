"""Give the execution more time than all of its waits take together.

The function's ExecutionTimeout, here two days, limits the whole execution. When it expires, the
execution ends as TIMED_OUT, and no handler code runs: no `except`, no cleanup. A callback with a
timeout of a week never gets to time out. A quick test misses this because the limit is in the
template, not in the code, and because the test answers the callback. AWS's local runner measures
the limit in real time, even if it skips waits.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python import (
    CallbackTimeoutError,
    DurableContext,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.types import WaitForCallbackContext

from dacapo import Scenario, never
from gotchas import shop

SHOWS = "the execution ends as TIMED_OUT while the callback is open, and the seat stays held"
SHOWS_AT = "config=A_WEEK"

A_WEEK = WaitForCallbackConfig(timeout=Duration.from_days(7))
A_DAY = WaitForCallbackConfig(timeout=Duration.from_days(1))


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Hold a seat until it is paid for, and release it if nobody pays."""
    context.step(lambda _: shop.send(f"hold {event['seat']}"), name="hold the seat")
    try:
        return str(context.wait_for_callback(_ask, name="payment", config=A_WEEK))  # too long
    except CallbackTimeoutError:
        context.step(lambda _: shop.send(f"release {event['seat']}"), name="release the seat")
        return "unpaid"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Let the callback time out before the execution does."""
    context.step(lambda _: shop.send(f"hold {event['seat']}"), name="hold the seat")
    try:
        return str(context.wait_for_callback(_ask, name="payment", config=A_DAY))
    except CallbackTimeoutError:
        context.step(lambda _: shop.send(f"release {event['seat']}"), name="release the seat")
        return "unpaid"


def _ask(callback_id: str, _: WaitForCallbackContext) -> None:
    shop.send(f"please pay; confirm to {callback_id}")


_ANSWERS = {"payment": never()}
_TWO_DAYS = timedelta(days=2)

breaks = Scenario(
    handler=broken,
    event={"seat": "12A"},
    answers=_ANSWERS,
    world=shop.world,
    execution_timeout=_TWO_DAYS,
    expects="TIMED_OUT",
)
holds = Scenario(
    handler=fixed,
    event={"seat": "12A"},
    answers=_ANSWERS,
    world=shop.world,
    execution_timeout=_TWO_DAYS,
)
