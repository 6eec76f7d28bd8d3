"""Ask a cache inside the step, never whether to make the step.

A module-level variable lives as long as the process: Lambda may resume an execution in the process
that began it, in one that another execution has warmed, or in a fresh one. If an operation is made
or left out according to what is cached, the handler takes another path than the log has as soon as
that changes. A quick test notices only if it is the first in its process; with a cache that is warm
already the step is left out from the start, and all is well.
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

SHOWS = "in a warm process the handler asks for the wait where the log has 'look the rate up'"

A_DAY = Duration.from_days(1)

_rates: dict[str, float] = {}


@durable_execution
def broken(event: dict[str, Any], context: DurableContext) -> float:
    """Note the rate on the day of the order, and send the bill when it has arrived."""
    to = event["currency"]
    rate = _rates.get(to) or context.step(lambda _: _look_up(to), name="look the rate up")
    _rates[to] = rate  # from now on, in this process, there is no step
    context.wait(A_DAY, name="let it arrive")
    context.step(lambda _: shop.send(f"12 euros at {rate}"), name="send the bill")
    return rate


@durable_execution
def fixed(event: dict[str, Any], context: DurableContext) -> float:
    """The same, with a step that is always made, and may be quick."""
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
    """The shop, with nothing in the cache."""
    _rates.clear()
    with shop.world() as it:
        yield it


breaks = Scenario(handler=broken, event={"currency": "USD"}, world=cold_world)
holds = Scenario(handler=fixed, event={"currency": "USD"}, world=cold_world)
