"""Sort a set before you start operations from it.

The iteration order of a set of strings depends on the process (PYTHONHASHSEED). An execution that
resumes in another Lambda execution environment starts its operations in a different order from the
one in its history, and fails. A test that runs in one process misses this, however often it
replays: the order is stable there. The same applies to a list or a dict built from a set.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "in another process, the handler starts the reservations in a different order"
SHOWS_AT = "partial(_reserve, item)"

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> str:
    """Reserve each item of an order once, and pack them when they are paid for."""
    for item in set(event["items"]):  # a different order in another process
        context.step(partial(_reserve, item), name=f"reserve {item}")
    context.wait(A_DAY, name="wait for the money")
    context.step(lambda _: shop.send("pack it all"), name="have it packed")
    return "packed"


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> str:
    """Reserve the items in alphabetical order."""
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
