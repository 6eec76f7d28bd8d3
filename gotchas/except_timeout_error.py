"""Catch `CallbackTimeoutError` around a callback, never `TimeoutError`.

The SDK raises an error of its own when a callback times out, and it is no kind of the builtin one:
`except TimeoutError` never matches, and the execution fails in the very case that it provides for.
Nobody notices in a quick test, because in it somebody answers. To test it somebody must not.
"""

from __future__ import annotations

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

SHOWS = "when the callback times out the execution fails with CallbackTimeoutError"

PATIENCE = WaitForCallbackConfig(timeout=Duration.from_days(1))


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Ask the kitchen whether it can prepare an order, and tell the guest."""
    try:
        answer = str(context.wait_for_callback(_ask, name="kitchen", config=PATIENCE))
    except TimeoutError:  # another class
        answer = "nobody answered"
    context.step(lambda _: shop.send(f"{event['guest']}: {answer}"), name="tell the guest")
    return answer


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, with the SDK's error."""
    try:
        answer = str(context.wait_for_callback(_ask, name="kitchen", config=PATIENCE))
    except CallbackTimeoutError:
        answer = "nobody answered"
    context.step(lambda _: shop.send(f"{event['guest']}: {answer}"), name="tell the guest")
    return answer


def _ask(callback_id: str, _: WaitForCallbackContext) -> None:
    shop.send(f"can you prepare it? answer to {callback_id}")


_ANSWERS = {"kitchen": never()}

breaks = Scenario(handler=broken, event={"guest": "Ada"}, answers=_ANSWERS, world=shop.world)
holds = Scenario(handler=fixed, event={"guest": "Ada"}, answers=_ANSWERS, world=shop.world)
