"""Hand a callback's id out in a step, or use `wait_for_callback`, which has one for it.

Between `create_callback` and `result()` the body runs at least twice: when it begins to wait, and
when the answer is there. What stands between them outside a step is done again, with the answer
already given. Nobody notices in a quick test: the id is the same both times, and the answer is
right. It looks like a place that is passed once, because `result()` is where the waiting happens.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration

from dacapo import Scenario, succeed
from gotchas import shop

SHOWS = "the kitchen is asked twice, the second time after it has answered"

A_DAY = CallbackConfig(timeout=Duration.from_days(1))


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str | None:
    """Ask the kitchen whether it can prepare a dish."""
    callback = context.create_callback(name="kitchen", config=A_DAY)
    shop.send(f"{event['dish']}? {callback.callback_id}")  # sent again once it is answered
    answer: str | None = callback.result()
    return answer


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str | None:
    """The same, with the question in a step."""
    callback = context.create_callback(name="kitchen", config=A_DAY)
    context.step(
        lambda _: shop.send(f"{event['dish']}? {callback.callback_id}"), name="ask the kitchen"
    )
    answer: str | None = callback.result()
    return answer


_ANSWERS = {"kitchen": succeed(raw=b"yes", after=timedelta(hours=1))}

breaks = Scenario(handler=broken, event={"dish": "soup"}, answers=_ANSWERS, world=shop.world)
holds = Scenario(handler=fixed, event={"dish": "soup"}, answers=_ANSWERS, world=shop.world)
