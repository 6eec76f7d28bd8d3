"""Do things at the same time with `map` or `parallel`, never with threads of your own.

Operations get their ids by counting, in the order in which they are asked for. Threads ask in
whichever order they run; on replay finished steps take no time, so the order is another one, and
operations land on each other's ids. Nobody notices in a quick test that is not interrupted after
the threads. `map` gives each item a context of its own, in which only its own operations count.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aws_durable_execution_sdk_python import (
    BatchResult,
    DurableContext,
    StepContext,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop

SHOWS = "after the wait, the handler asks for 'label tea' where the log has 'pack milk'"

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: list[str], context: DurableContext) -> list[str]:
    """Pack and label some things at the same time, and ask for a review later."""
    with ThreadPoolExecutor() as threads:
        labels = list(threads.map(partial(_ship, context), event))  # one context, many threads
    context.wait(A_DAY, name="let them arrive")
    context.step(lambda _: shop.send("how was it?"), name="ask for a review")
    return labels


@durable_execution
def fixed(event: list[str], context: DurableContext) -> list[str]:
    """The same, with a context for each of them."""
    labels: BatchResult[str] = context.map(
        event, lambda child, item, *_: _ship(child, item), name="ship them"
    )
    context.wait(A_DAY, name="let them arrive")
    context.step(lambda _: shop.send("how was it?"), name="ask for a review")
    return labels.get_results()


def _ship(context: DurableContext, item: str) -> str:
    context.step(_pack, name=f"pack {item}")
    return context.step(lambda _: f"label for {item}", name=f"label {item}")


def _pack(_: StepContext) -> None:
    time.sleep(0.02)


breaks = Scenario(handler=broken, event=["tea", "milk", "bread"], world=shop.world)
holds = Scenario(handler=fixed, event=["tea", "milk", "bread"], world=shop.world)
