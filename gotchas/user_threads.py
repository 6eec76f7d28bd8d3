"""Run operations concurrently with `map` or `parallel`, never in threads of your own.

Operation IDs come from a counter, in the order in which operations start. Threads start them in any
order; on replay, completed steps take no time, so the order changes and operations get each other's
IDs. A quick test misses this unless it suspends after the threads finish. `map` gives each item a
context of its own, with its own counter.
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

SHOWS = "after the wait, the handler starts 'label tea' where the history has 'pack milk'"
SHOWS_AT = 'name=f"label {item}"'

A_DAY = Duration.from_days(1)


@durable_execution
def broken(event: list[str], context: DurableContext) -> list[str]:
    """Pack and label several items concurrently, and ask for a review later."""
    with ThreadPoolExecutor() as threads:
        labels = list(threads.map(partial(_ship, context), event))  # one context, many threads
    context.wait(A_DAY, name="let them arrive")
    context.step(lambda _: shop.send("how was it?"), name="ask for a review")
    return labels


@durable_execution
def fixed(event: list[str], context: DurableContext) -> list[str]:
    """Give each item a context of its own."""
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


breaks = Scenario(
    handler=broken,
    event=["tea", "milk", "bread"],
    world=shop.world,
    expects="NonDeterministicExecutionError",
)
holds = Scenario(handler=fixed, event=["tea", "milk", "bread"], world=shop.world)
