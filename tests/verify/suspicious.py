"""Correct handlers that look suspicious: by time, chance, their process, or what they keep.

Each of them survives replay, though a rule of thumb ("no clock in the body", "no set", "no cache")
or a careless comparison of two runs would say that it does not.
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
"""Read once, when the module is imported: the same as long as the process lives."""

JITTERED = create_retry_strategy(RetryStrategyConfig(max_attempts=3, initial_delay=MINUTE))
"""Full jitter, as always when nothing else is asked for."""


def give(value: Any, _: StepContext) -> Any:
    return value


# -- pauses that chance makes ----------------------------------------------------------------------


@durable_execution
def jittered_retry(_: Any, context: DurableContext) -> int:
    """Its pauses have another length each time; but no pause is part of what it does."""
    config = StepConfig(retry_strategy=JITTERED)
    return int(context.step(fails_until(3), name="try", config=config))


@durable_execution
def jittered_poll(event: int, context: DurableContext) -> int:
    """A poll's pause, drawn again on replay, may be another; but the SDK takes the recorded one."""
    strategy = create_wait_strategy(
        WaitStrategyConfig[int](should_continue_polling=lambda n: n < event, max_attempts=5)
    )
    config = WaitForConditionConfig(strategy, initial_state=0)
    return context.wait_for_condition(lambda n, _: n + 1, config, name="poll")


@durable_execution
def jittered_block(_: Any, context: DurableContext) -> int:
    """The SDK draws the length of these waits anew on each replay; but the recorded one counts."""

    def block(inner: Any, attempt: int) -> int:
        body = fails_until(1 if attempt > 2 else 9)
        config = StepConfig(RetryPresets.none())
        return int(inner.step(body, name=f"attempt {attempt}", config=config))

    return int(with_retry(context, block, WithRetryConfig(JITTERED), name="block"))


# -- clocks and chance -----------------------------------------------------------------------------


@durable_execution
def draws_in_steps(_: Any, context: DurableContext) -> list[Any]:
    """Clock and chance decide how long it waits, and for what; but they are read in steps."""
    drawn: list[Any] = [
        context.step(lambda _: str(uuid.uuid4()), name="draw an id"),
        context.step(lambda _: random.randrange(1, 9), name="draw a number"),
        context.step(lambda _: time.time(), name="look at the clock"),
    ]
    context.wait(Duration.from_minutes(drawn[1]), name=f"wait for {drawn[0]}")
    return drawn


@durable_execution
def deadline_of_a_step(_: Any, context: DurableContext) -> float:
    """It works a wait out from two clock readings; but each was made in a step, and stays."""
    until = context.step(lambda _: datetime.now(UTC) + timedelta(days=1), name="set a deadline")
    context.wait(MINUTE, name="do something else")
    now = context.step(lambda _: datetime.now(UTC), name="look at the clock")
    left = Duration.from_seconds(int((until - now).total_seconds()))
    context.wait(left, name="wait for the deadline")
    return float((until - now).total_seconds())


@durable_execution
def logs_the_time(_: Any, context: DurableContext) -> str:
    """The body reads the clock; but what it shows goes to the log and nowhere else."""
    logger.info("invoked at %s", datetime.now(UTC))
    context.wait(DAY, name="a day")
    return str(context.step(partial(give, "done"), name="finish"))


@durable_execution
def prints_how_long_it_took(_: Any, context: DurableContext) -> str:
    """A stopwatch around a wait, which shows nothing after a replay; but only a print has it."""
    began = time.monotonic()
    context.wait(DAY, name="a day")
    print(f"took {time.monotonic() - began:.1f} s")  # noqa: T201 - what this is about
    return "done"


@durable_execution
def seeded_generator(event: int, context: DurableContext) -> list[int]:
    """The body draws lots; but from a generator of its own, which the event seeds."""
    lots = random.Random(event)
    order = lots.sample(range(9), 2)
    context.wait(Duration.from_minutes(lots.randrange(1, 60)), name="keep them waiting")
    return [context.step(partial(give, n), name=f"ask number {n}") for n in order]


@durable_execution
def ids_from_names(event: str, context: DurableContext) -> str:
    """The body makes a UUID and names a step by it; but a uuid5 follows from its name."""
    key = uuid.uuid5(uuid.NAMESPACE_URL, event)
    context.wait(DAY, name="a day")
    return str(context.step(partial(give, str(key)), name=f"order {key}"))


# -- sets, caches, generators: what a process keeps ------------------------------------------------


@durable_execution
def sorted_set(event: list[str], context: DurableContext) -> list[str]:
    """A loop of steps over a set, whose order is the process's own; but it is sorted first."""
    context.wait(MINUTE, name="a minute")
    return [context.step(partial(give, who), name=f"ask {who}") for who in sorted(set(event))]


@durable_execution
def set_without_order(event: list[str], context: DurableContext) -> int:
    """A set decides which steps there are; but only by what is in it, and how much that is."""
    seen: set[str] = set()
    for who in event:
        if who not in seen:
            seen.add(who)
            context.step(partial(give, who), name=f"greet {who}")
    context.wait(MINUTE, name="a minute")
    return sum(len(who) for who in seen)


@cache
def tariff(zone: int) -> int:
    return 3 + 2 * zone


@durable_execution
def warm_cache(event: int, context: DurableContext) -> int:
    """A warm process has the answer, a cold one works it out; but it is the same, with no step."""
    hours = tariff(event)
    context.wait(Duration.from_hours(hours), name=f"wait for {hours} hours")
    return int(context.step(partial(give, hours), name="bill"))


@durable_execution
def environment_at_import(event: str, context: DurableContext) -> str:
    """What the environment says is in a name; but it was read when the module was imported."""
    context.wait(MINUTE, name="a minute")
    return str(context.step(partial(give, TABLE), name=f"put {event} into {TABLE}"))


@durable_execution
def reads_a_file(_: Any, context: DurableContext) -> str:
    """The body opens a file on every replay; but one that is deployed with it, and to read."""
    title = Path(__file__).read_text().splitlines()[0].strip('"')
    context.wait(MINUTE, name="a minute")
    return str(context.step(partial(give, title), name=title[:20]))


@durable_execution
def names_from_the_event(event: list[str], context: DurableContext) -> int:
    """No name in the code is the name of a step; but the event makes the same ones each time."""
    number = count(1)
    for item in event:
        context.step(partial(give, item), name=f"{next(number)}: {item}")
    context.wait(MINUTE, name=f"after {item}")
    return next(number)


@durable_execution
def sum_of_steps(event: list[int], context: DurableContext) -> int:
    """A variable grows while it waits, and leads the way; but from results that are read back."""
    total = 0
    for n in event:
        total += context.step(partial(give, n), name=f"count box {n}")
        if total > 4:
            context.wait(MINUTE, name=f"at {total}")
            break
    return total


@durable_execution
def polls_by_hand(event: int, context: DurableContext) -> int:
    """It asks again until a clock lets it stop; but steps read the clock, and it is bounded."""
    began = context.step(lambda _: time.time(), name="begin")
    for n in range(9):
        if context.step(lambda _: time.time() - began > event, name=f"look {n}"):
            return n
        context.wait(MINUTE, name=f"wait {n}")
    return -1


@durable_execution
def types_that_last(_: Any, context: DurableContext) -> list[str]:
    """Its results are no JSON, and their types lead the way; but these come back as they were."""
    due = context.step(lambda _: datetime(2026, 3, 1, tzinfo=UTC), name="due")
    price = context.step(lambda _: Decimal("9.99"), name="price")
    pair = context.step(lambda _: (1, (2, b"3")), name="pair")
    context.wait(MINUTE, name="a minute")
    types = [type(value).__name__ for value in (due, price, pair, pair[1])]
    return list(context.step(partial(give, types), name=", ".join(types)))


@durable_execution
def slow_steps(_: Any, context: DurableContext) -> float:
    """Time passes in its steps, more of it when one runs again; but nothing is made of that."""

    def work(_: StepContext) -> float:
        time.sleep(random.uniform(30, 90))
        return time.time()

    first = context.step(work, name="slow")
    context.wait(MINUTE, name="a minute")
    return float(context.step(work, name="slow again") - first)


# -- what is caught, and what is done on the way out -----------------------------------------------


@durable_execution
def catches_everything(event: list[str], context: DurableContext) -> int:
    """It catches every exception; but around code that holds no durable operation."""
    numbers = []
    for text in event:
        try:
            numbers.append(int(text))
        except Exception:  # noqa: BLE001 - what this is about
            numbers.append(0)
    context.wait(Duration.from_minutes(sum(numbers)), name="wait")
    return int(context.step(partial(give, sum(numbers)), name="sum"))


@durable_execution
def finally_that_tidies(event: int, context: DurableContext) -> str:
    """A finally around a wait runs at the suspension; but it only sets a variable of the body."""
    state = "waiting"
    try:
        context.wait(Duration.from_minutes(event), name="wait")
        seen = state
    finally:
        state = "over"
    return str(context.step(partial(give, f"{seen}, then {state}"), name="say so"))


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
    Scenario(handler=polls_by_hand, event=30),
    Scenario(handler=types_that_last),
    Scenario(handler=slow_steps),
    Scenario(handler=catches_everything, event=["1", "two", "3"]),
    Scenario(handler=finally_that_tidies, event=5),
)
