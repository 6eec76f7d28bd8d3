"""Read a cache inside a step; never let it decide whether to start the step.

A module-level variable lives as long as its process, and Lambda may resume an execution in the
process that started it, in one that another execution has warmed, or in a fresh one. If the cache
decides whether to start an operation, the handler departs from its history as soon as the cache
changes. A quick test notices only if it runs first in its process. If the cache is already warm,
every invocation skips the step, and the test passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from gotchas import shop
from gotchas.shop import Shop

SHOWS = "in a warm process, the handler starts the wait where the history has 'look the rate up'"
SHOWS_AT = 'name="let it arrive"'

A_DAY = Duration.from_days(1)

_rates: dict[str, float] = {}


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> float:
    """Record the rate on the day of the order, and send the bill when it has arrived."""
    to = event["currency"]
    rate = _rates.get(to) or context.step(lambda _: _look_up(to), name="look the rate up")
    _rates[to] = rate  # from now on, this process skips the step
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send(f"12 euros at {rate}"), name="send the bill")
    return rate


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> float:
    """Run the step every time; with a warm cache, it is quick."""
    to = event["currency"]
    rate = context.step(lambda _: _rates.get(to) or _look_up(to), name="look the rate up")
    _rates[to] = rate
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send(f"12 euros at {rate}"), name="send the bill")
    return rate


def _look_up(currency: str) -> float:
    return {"USD": 1.25, "CHF": 0.75}[currency]


@contextmanager
def cold_world() -> Iterator[Shop]:
    """Context manager that yields the shop with an empty cache."""
    _rates.clear()
    with shop.world() as shop_world:
        yield shop_world


breaks = Scenario(
    handler=broken,
    event={"currency": "USD"},
    world=cold_world,
    expects="NonDeterministicExecutionError",
)
holds = Scenario(handler=fixed, event={"currency": "USD"}, world=cold_world)
