"""Catch `CallbackTimeoutError` around a callback, never `TimeoutError`.

When a callback times out, the SDK raises its own error, which isn't a subclass of the builtin one.
`except TimeoutError` never matches, and the execution fails in exactly the case that the clause is
for. A quick test misses this because it always answers the callback. Test the timeout, too.
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

SHOWS = "when the callback times out, the execution fails with CallbackTimeoutError"
SHOWS_AT = "except TimeoutError"

PATIENCE = WaitForCallbackConfig(timeout=Duration.from_days(1))


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Ask the kitchen whether it can prepare an order, and notify the customer."""
    try:
        answer = str(context.wait_for_callback(_ask, name="kitchen", config=PATIENCE))
    except TimeoutError:  # never matches
        answer = "nobody answered"
    context.step(lambda _: shop.send(f"{event['customer']}: {answer}"), name="notify the customer")
    return answer


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Catch the SDK's error."""
    try:
        answer = str(context.wait_for_callback(_ask, name="kitchen", config=PATIENCE))
    except CallbackTimeoutError:
        answer = "nobody answered"
    context.step(lambda _: shop.send(f"{event['customer']}: {answer}"), name="notify the customer")
    return answer


def _ask(callback_id: str, _: WaitForCallbackContext) -> None:
    shop.send(f"can you prepare it? answer to {callback_id}")


_ANSWERS = {"kitchen": never()}

breaks = Scenario(
    handler=broken,
    event={"customer": "Ada"},
    answers=_ANSWERS,
    world=shop.world,
    expects="CallbackTimeoutError",
)
holds = Scenario(handler=fixed, event={"customer": "Ada"}, answers=_ANSWERS, world=shop.world)
