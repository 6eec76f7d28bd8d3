"""Never catch everything around a wait, or `return` from a `finally`: the handler won't wait.

The SDK suspends a handler by raising a `BaseException`. A bare `except:`, `except BaseException`,
or a `return` in `finally` swallows it, and the handler continues immediately, as if the wait had
failed. A quick test misses this: the execution succeeds, and a test that expects "nobody answered"
passes. Catch the errors you expect; even `except Exception` lets a suspension through.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python import CallbackError, DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.types import WaitForCallbackContext

from dacapo import Scenario, succeed
from gotchas import shop

SHOWS = "the execution succeeds while the callback that it waits for is still open"
SHOWS_AT = 'name="notify the customer"'

A_DAY = WaitForCallbackConfig(timeout=Duration.from_days(1))


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Ask the kitchen whether it can prepare an order, and notify the customer."""
    try:
        answer = str(context.wait_for_callback(_ask, name="kitchen", config=A_DAY))
    except:  # noqa: E722 - on purpose: catches the suspension
        answer = "nobody answered"
    context.step(lambda _: shop.send(f"{event['customer']}: {answer}"), name="notify the customer")
    return answer


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Catch the expected error only."""
    try:
        answer = str(context.wait_for_callback(_ask, name="kitchen", config=A_DAY))
    except CallbackError:
        answer = "nobody answered"
    context.step(lambda _: shop.send(f"{event['customer']}: {answer}"), name="notify the customer")
    return answer


def _ask(callback_id: str, _: WaitForCallbackContext) -> None:
    shop.send(f"can you prepare it? answer to {callback_id}")


_ANSWERS = {"kitchen": succeed(raw=b"it is being prepared", after=timedelta(hours=1))}

breaks = Scenario(handler=broken, event={"customer": "Ada"}, answers=_ANSWERS, world=shop.world)
holds = Scenario(handler=fixed, event={"customer": "Ada"}, answers=_ANSWERS, world=shop.world)
