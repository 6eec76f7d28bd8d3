"""Give every callback a timeout.

Without one the execution waits for an answer until it is ended itself, which may be a year, and
then no code of the handler runs. Nobody notices in a quick test, because in it somebody answers;
and in production nobody notices either, for an execution that waits does nothing. `dacapo run`
does not wait for ever: it ends the run with an error that names the callback.
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

SHOWS = "the run comes to a point from which nothing leads on but an answer to 'kitchen'"

PATIENCE = WaitForCallbackConfig(timeout=Duration.from_days(1))


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Ask the kitchen whether it can prepare an order, and tell the guest."""
    try:
        answer = str(context.wait_for_callback(_ask, name="kitchen"))  # for how long?
    except CallbackTimeoutError:
        answer = "nobody answered"
    context.step(lambda _: shop.send(f"{event['guest']}: {answer}"), name="tell the guest")
    return answer


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, for a day at most."""
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
