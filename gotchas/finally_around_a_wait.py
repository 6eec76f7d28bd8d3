"""Never clean up in a `finally` around a wait: it runs when the wait starts.

The SDK suspends a handler by raising, so a `finally` runs at every suspension, not only when the
wait is over. Even if the cleanup is a step, as here, it runs too early; when it is due, its result
is only read back. A quick test misses this: everything runs as often as it should, and no error
appears. Catch the errors you expect, and clean up after the `try` statement.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python import CallbackError, DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.types import WaitForCallbackContext

from dacapo import Scenario, succeed
from gotchas import shop

SHOWS = "'release the seat' starts while the payment is still pending"
SHOWS_AT = 'name="release the seat"'

A_DAY = WaitForCallbackConfig(timeout=Duration.from_days(1))


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Hold a seat until it is paid for or the payment times out."""
    context.step(lambda _: shop.send(f"hold {event['seat']}"), name="hold the seat")
    state = "unpaid"
    try:
        state = str(context.wait_for_callback(_ask, name="payment", config=A_DAY))
    except CallbackError:
        context.logger.info("not paid in time")
    finally:  # runs at every suspension too
        context.step(lambda _: shop.send(f"release {event['seat']}"), name="release the seat")
    return state


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Release the seat after the `try` statement."""
    context.step(lambda _: shop.send(f"hold {event['seat']}"), name="hold the seat")
    state = "unpaid"
    try:
        state = str(context.wait_for_callback(_ask, name="payment", config=A_DAY))
    except CallbackError:
        context.logger.info("not paid in time")
    context.step(lambda _: shop.send(f"release {event['seat']}"), name="release the seat")
    return state


def _ask(callback_id: str, _: WaitForCallbackContext) -> None:
    shop.send(f"please pay; confirm to {callback_id}")


_ANSWERS = {"payment": succeed(raw=b"paid", after=timedelta(hours=1))}

breaks = Scenario(handler=broken, event={"seat": "12A"}, answers=_ANSWERS, world=shop.world)
holds = Scenario(handler=fixed, event={"seat": "12A"}, answers=_ANSWERS, world=shop.world)
