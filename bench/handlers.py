"""Handlers to measure, each of which runs only the operation in question."""

from __future__ import annotations

import time
from typing import Any

from aws_durable_execution_sdk_python import (
    BatchResult,
    DurableContext,
    StepContext,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, MapConfig

ONE_HOUR = Duration.from_hours(1)
FIVE = 5


@durable_execution
def waits(number: int, context: DurableContext) -> int:
    """Run `number` waits, one after the other."""
    for n in range(number):
        context.wait(ONE_HOUR, name=f"wait {n}")
    return number


@durable_execution
def steps(number: int, context: DurableContext) -> int:
    """Run `number` steps, one after the other."""
    for n in range(number):
        context.step(_nothing, name=f"step {n}")
    return number


@durable_execution
def mapped(number: int, context: DurableContext) -> int:
    """Run a map over `number` items, one step per item."""
    done: BatchResult[int] = context.map(
        list(range(number)), _item, name="map", config=MapConfig(max_concurrency=10)
    )
    return len(done.get_results())


@durable_execution
def overlapping(number: int, context: DurableContext) -> int:
    """Run a map over `number` items at once, one step per item that sleeps a minute."""
    done: BatchResult[int] = context.map(list(range(number)), _sleeping_item, name="map")
    return len(done.get_results())


def _sleeping_item(context: DurableContext, item: int, index: int, items: Any) -> int:  # noqa: ARG001
    context.step(lambda _: time.sleep(60), name="sleep")
    return item


def _nothing(_: StepContext) -> None:
    return None


def _item(context: DurableContext, item: int, index: int, items: Any) -> int:  # noqa: ARG001
    context.step(_nothing, name="step")
    return item
