"""Clean up after a wait in the normal flow, never in a `finally` around it.

The SDK suspends a handler by raising, so a `finally` runs at every suspension: not when the wait is
over, but when it begins. Even with the cleaning up in a step, as here, it is done too early, once,
and read back later, when it would have been due. Nobody notices in a quick test: everything is done
as often as it should be, and no error is seen. Catch what can go wrong, then clean up below.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python import CallbackError, DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.types import WaitForCallbackContext

from dacapo import Scenario, succeed
from gotchas import shop

SHOWS = "'release the seat' starts before the payment that it is held for has ended"

A_DAY = WaitForCallbackConfig(timeout=Duration.from_days(1))


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Hold a seat until it is paid for, or until it is clear that nobody will."""
    context.step(lambda _: shop.send(f"hold {event['seat']}"), name="hold the seat")
    state = "unpaid"
    try:
        state = str(context.wait_for_callback(_ask, name="payment", config=A_DAY))
    except CallbackError:
        context.logger.info("not paid in time")
    finally:  # at every suspension as well
        context.step(lambda _: shop.send(f"release {event['seat']}"), name="release the seat")
    return state


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, without `finally`."""
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
