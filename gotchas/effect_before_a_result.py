"""Send a callback ID in a step, or use `wait_for_callback`, which runs its submitter as one.

Code between `create_callback` and `result()` runs at least twice: before the wait, and again when
the answer has arrived. Outside a step, its side effects are repeated. A quick test misses this: the
ID is the same both times, and the answer is right. The code looks as if it runs only once, because
it's `result()` that waits.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration

from dacapo import Scenario, succeed
from gotchas import shop

SHOWS = "the kitchen is asked twice, the second time after it has answered"
SHOWS_AT = "shop.send(f\"{event['dish']}"

A_DAY = CallbackConfig(timeout=Duration.from_days(1))


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str | None:
    """Ask the kitchen whether it can prepare a dish."""
    callback = context.create_callback(name="kitchen", config=A_DAY)
    shop.send(f"{event['dish']}? {callback.callback_id}")  # sent again after the answer
    answer: str | None = callback.result()
    return answer


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str | None:
    """Ask in a step."""
    callback = context.create_callback(name="kitchen", config=A_DAY)
    context.step(
        lambda _: shop.send(f"{event['dish']}? {callback.callback_id}"), name="ask the kitchen"
    )
    answer: str | None = callback.result()
    return answer


_ANSWERS = {"kitchen": succeed(raw=b"yes", after=timedelta(hours=1))}

breaks = Scenario(handler=broken, event={"dish": "soup"}, answers=_ANSWERS, world=shop.world)
holds = Scenario(handler=fixed, event={"dish": "soup"}, answers=_ANSWERS, world=shop.world)
