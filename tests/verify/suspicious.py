"""Correct handlers that look suspicious: clocks, randomness, process state and broad excepts.

Each one survives replay, although a rule of thumb ("no clock in the body", "no set", "no cache") or
a careless comparison of two runs would flag it.
"""

from __future__ import annotations

import logging
import os
import random
import time
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python import (
    DurableContext,
    StepContext,
    durable_execution,
    with_retry,
)
from aws_durable_execution_sdk_python.config import Duration, StepConfig
from aws_durable_execution_sdk_python.retries import (
    RetryPresets,
    RetryStrategyConfig,
    WithRetryConfig,
    create_retry_strategy,
)
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)

from dacapo import Scenario
from tests.lab.handlers import fails_until

logger = logging.getLogger(__name__)

MINUTE = Duration.from_minutes(1)
DAY = Duration.from_days(1)
TABLE = os.environ.get("ORDERS_TABLE", "orders")
"""Read once, on import: constant for the lifetime of the process."""

JITTERED = create_retry_strategy(RetryStrategyConfig(max_attempts=3, initial_delay=MINUTE))
"""Full jitter, which is the default."""


def echo(value: Any, _: StepContext) -> Any:
    return value


# -- random delays ---------------------------------------------------------------------------------


@durable_execution
def jittered_retry(_: Any, context: DurableContext) -> int:
    """Retry after random delays, but no delay is part of what the handler does."""
    config = StepConfig(retry_strategy=JITTERED)
    return int(context.step(fails_until(3), name="try", config=config))


@durable_execution
def jittered_poll(event: int, context: DurableContext) -> int:
    """Poll with a delay that a replay draws again, but the SDK uses the recorded one."""
    strategy = create_wait_strategy(
        WaitStrategyConfig[int](should_continue_polling=lambda n: n < event, max_attempts=5)
    )
    config = WaitForConditionConfig(strategy, initial_state=0)
    return context.wait_for_condition(lambda n, _: n + 1, config, name="poll")


@durable_execution
def jittered_block(_: Any, context: DurableContext) -> int:
    """Retry after waits whose durations a replay draws again, but the recorded ones count."""

    def block(inner: Any, attempt: int) -> int:
        body = fails_until(1 if attempt > 2 else 9)
        config = StepConfig(RetryPresets.none())
        return int(inner.step(body, name=f"attempt {attempt}", config=config))

    return int(with_retry(context, block, WithRetryConfig(JITTERED), name="block"))


# -- clocks and randomness -------------------------------------------------------------------------


@durable_execution
def draws_in_steps(_: Any, context: DurableContext) -> list[Any]:
    """Let clock and randomness decide what to wait for and how long, but read both in steps."""
    values: list[Any] = [
        context.step(lambda _: str(uuid.uuid4()), name="draw an id"),
        context.step(lambda _: random.randrange(1, 9), name="draw a number"),
        context.step(lambda _: time.time(), name="look at the clock"),
    ]
    context.wait(Duration.from_minutes(values[1]), name=f"wait for {values[0]}")
    return values


@durable_execution
def deadline_of_a_step(_: Any, context: DurableContext) -> float:
    """Compute a wait from two clock readings, but record each of them in a step."""
    until = context.step(lambda _: datetime.now(UTC) + timedelta(days=1), name="set a deadline")
    context.wait(MINUTE, name="do something else")
    now = context.step(lambda _: datetime.now(UTC), name="look at the clock")
    left = Duration.from_seconds(int((until - now).total_seconds()))
    context.wait(left, name="wait for the deadline")
    return float((until - now).total_seconds())


@durable_execution
def logs_the_time(_: Any, context: DurableContext) -> str:
    """Read the clock in the body, but only to log it."""
    logger.info("invoked at %s", datetime.now(UTC))
    context.wait(DAY, name="a day")
    return str(context.step(partial(echo, "done"), name="finish"))


@durable_execution
def prints_how_long_it_took(_: Any, context: DurableContext) -> str:
    """Time a wait, which shows nothing after a replay, but only print the reading."""
    start = time.monotonic()
    context.wait(DAY, name="a day")
    print(f"took {time.monotonic() - start:.1f} s")  # noqa: T201 - the point of this handler
    return "done"


@durable_execution
def seeded_generator(event: int, context: DurableContext) -> list[int]:
    """Draw random numbers in the body, but from a private generator that the event seeds."""
    generator = random.Random(event)
    order = generator.sample(range(9), 2)
    context.wait(Duration.from_minutes(generator.randrange(1, 60)), name="keep them waiting")
    return [context.step(partial(echo, n), name=f"ask number {n}") for n in order]


@durable_execution
def ids_from_names(event: str, context: DurableContext) -> str:
    """Name a step after a UUID, but a uuid5, which is a function of its input."""
    key = uuid.uuid5(uuid.NAMESPACE_URL, event)
    context.wait(DAY, name="a day")
    return str(context.step(partial(echo, str(key)), name=f"order {key}"))


# -- process state: sets, caches, generators -------------------------------------------------------


@durable_execution
def sorted_set(event: list[str], context: DurableContext) -> list[str]:
    """Loop over a set, whose order differs by process, but sort it first."""
    context.wait(MINUTE, name="a minute")
    return [
        context.step(partial(echo, person), name=f"ask {person}") for person in sorted(set(event))
    ]


@durable_execution
def set_without_order(event: list[str], context: DurableContext) -> int:
    """Let a set decide which steps run, but only by membership and size, never by order."""
    seen: set[str] = set()
    for person in event:
        if person not in seen:
            seen.add(person)
            context.step(partial(echo, person), name=f"greet {person}")
    context.wait(MINUTE, name="a minute")
    return sum(len(person) for person in seen)


@cache
def tariff(zone: int) -> int:
    return 3 + 2 * zone


@durable_execution
def warm_cache(event: int, context: DurableContext) -> int:
    """Use a value that only a warm process has cached, but that a cold one computes alike."""
    hours = tariff(event)
    context.wait(Duration.from_hours(hours), name=f"wait for {hours} hours")
    return int(context.step(partial(echo, hours), name="bill"))


@durable_execution
def environment_at_import(event: str, context: DurableContext) -> str:
    """Put an environment variable into a step's name, but read it on import."""
    context.wait(MINUTE, name="a minute")
    return str(context.step(partial(echo, TABLE), name=f"put {event} into {TABLE}"))


@durable_execution
def reads_a_file(_: Any, context: DurableContext) -> str:
    """Open a file on every replay, but only to read one that is deployed with the code."""
    title = Path(__file__).read_text().splitlines()[0].strip('"')
    context.wait(MINUTE, name="a minute")
    return str(context.step(partial(echo, title), name=title[:20]))


@durable_execution
def names_from_the_event(event: list[str], context: DurableContext) -> int:
    """Give no step a literal name, but derive the same names from the event each time."""
    number = count(1)
    for item in event:
        context.step(partial(echo, item), name=f"{next(number)}: {item}")
    context.wait(MINUTE, name=f"after {item}")
    return next(number)


@durable_execution
def sum_of_steps(event: list[int], context: DurableContext) -> int:
    """Let a running total decide the control flow, but sum results that are read back."""
    total = 0
    for n in event:
        total += context.step(partial(echo, n), name=f"count box {n}")
        if total > 4:
            context.wait(MINUTE, name=f"at {total}")
            break
    return total


@durable_execution
def polls_in_a_loop(event: int, context: DurableContext) -> int:
    """Poll until a clock says stop, but read the clock in steps, and bound the loop."""
    start = context.step(lambda _: time.time(), name="begin")
    for n in range(9):
        if context.step(lambda _: time.time() - start > event, name=f"look {n}"):
            return n
        context.wait(MINUTE, name=f"wait {n}")
    return -1


@durable_execution
def types_that_survive_serdes(_: Any, context: DurableContext) -> list[str]:
    """Depend on the types of results that are not JSON, but that the serializer restores."""
    due = context.step(lambda _: datetime(2026, 3, 1, tzinfo=UTC), name="due")
    price = context.step(lambda _: Decimal("9.99"), name="price")
    pair = context.step(lambda _: (1, (2, b"3")), name="pair")
    context.wait(MINUTE, name="a minute")
    types = [type(value).__name__ for value in (due, price, pair, pair[1])]
    return list(context.step(partial(echo, types), name=", ".join(types)))


@durable_execution
def slow_steps(_: Any, context: DurableContext) -> float:
    """Take random time in steps, and more if one runs again, but let nothing depend on it."""

    def work(_: StepContext) -> float:
        time.sleep(random.uniform(30, 90))
        return time.time()

    first = context.step(work, name="slow")
    context.wait(MINUTE, name="a minute")
    return float(context.step(work, name="slow again") - first)


# -- except and finally ----------------------------------------------------------------------------


@durable_execution
def catches_everything(event: list[str], context: DurableContext) -> int:
    """Catch every exception, but only around code without durable operations."""
    numbers = []
    for text in event:
        try:
            numbers.append(int(text))
        except Exception:  # noqa: BLE001 - the point of this handler
            numbers.append(0)
    context.wait(Duration.from_minutes(sum(numbers)), name="wait")
    return int(context.step(partial(echo, sum(numbers)), name="sum"))


@durable_execution
def finally_that_tidies(event: int, context: DurableContext) -> str:
    """Run a finally on suspension, but one that only sets a local variable."""
    state = "waiting"
    try:
        context.wait(Duration.from_minutes(event), name="wait")
        seen = state
    finally:
        state = "over"
    return str(context.step(partial(echo, f"{seen}, then {state}"), name="say so"))


SCENARIOS = (
    Scenario(handler=jittered_retry),
    Scenario(handler=jittered_poll, event=3),
    Scenario(handler=jittered_block),
    Scenario(handler=draws_in_steps),
    Scenario(handler=deadline_of_a_step),
    Scenario(handler=logs_the_time),
    Scenario(handler=prints_how_long_it_took),
    Scenario(handler=seeded_generator, event=7),
    Scenario(handler=ids_from_names, event="https://example.com/orders/17"),
    Scenario(handler=sorted_set, event=["Mia", "Ada", "Mia", "Zoe"]),
    Scenario(handler=set_without_order, event=["Mia", "Ada", "Mia"]),
    Scenario(handler=warm_cache, event=2),
    Scenario(handler=environment_at_import, event="17"),
    Scenario(handler=reads_a_file),
    Scenario(handler=names_from_the_event, event=["soup", "bread"]),
    Scenario(handler=sum_of_steps, event=[3, 2, 8]),
    Scenario(handler=polls_in_a_loop, event=30),
    Scenario(handler=types_that_survive_serdes),
    Scenario(handler=slow_steps),
    Scenario(handler=catches_everything, event=["1", "two", "3"]),
    Scenario(handler=finally_that_tidies, event=5),
)
