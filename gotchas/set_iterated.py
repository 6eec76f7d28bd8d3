"""Sort a set before you make operations from it.

A set of strings comes in an order that depends on the process (PYTHONHASHSEED), so an execution
that is resumed in another Lambda environment asks for its operations in another order than the log
has, and fails. Nobody notices in a test that runs in one process, however often it replays: there
the order stays the same. The same goes for a list or a dict that was made from a set.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "in another process, after the wait, the handler asks for the reservations in another order"

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Reserve everything that was ordered, each thing once; pack it when it is paid."""
    for item in set(event["items"]):  # in another order in another process
        context.step(partial(_reserve, item), name=f"reserve {item}")
    context.wait(A_DAY, name="wait for the money")
    context.step(lambda _: shop.send("pack it all"), name="have it packed")
    return "packed"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """The same, in alphabetical order."""
    for item in sorted(set(event["items"])):
        context.step(partial(_reserve, item), name=f"reserve {item}")
    context.wait(A_DAY, name="wait for the money")
    context.step(lambda _: shop.send("pack it all"), name="have it packed")
    return "packed"


def _reserve(item: str, _: StepContext) -> None:
    shop.send(f"reserve {item}")


_EVENT = {"items": ["tea", "milk", "bread", "tea", "honey", "jam", "salt"]}

breaks = Scenario(handler=broken, event=_EVENT, world=shop.world)
holds = Scenario(handler=fixed, event=_EVENT, world=shop.world)
