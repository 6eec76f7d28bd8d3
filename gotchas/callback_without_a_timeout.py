"""Set a timeout on every callback.

Without one, the execution waits for an answer until it times out itself, which may take a year, and
then no handler code runs. A quick test misses this because it answers the callback. Nor does it
show in production: a waiting execution looks healthy. `dacapo run` doesn't wait forever; it ends
the run with an error that names the callback.
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

SHOWS = "only an answer to 'kitchen' would let the execution continue"
SHOWS_AT = 'name="kitchen"'

PATIENCE = WaitForCallbackConfig(timeout=Duration.from_days(1))


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Ask the kitchen whether it can prepare an order, and notify the customer."""
    try:
        answer = str(context.wait_for_callback(_ask, name="kitchen"))  # how long?
    except CallbackTimeoutError:
        answer = "nobody answered"
    context.step(lambda _: shop.send(f"{event['customer']}: {answer}"), name="notify the customer")
    return answer


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Wait for a day at most."""
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
    handler=broken, expects="RUNNING", event={"customer": "Ada"}, answers=_ANSWERS, world=shop.world
)
holds = Scenario(handler=fixed, event={"customer": "Ada"}, answers=_ANSWERS, world=shop.world)
