"""Small durable handlers, one per feature of the SDK."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import (
    BatchResult,
    DurableContext,
    StepContext,
    StepError,
    WaitForConditionError,
    durable_execution,
    with_retry,
)
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    ChildConfig,
    CompletionConfig,
    Duration,
    JitterStrategy,
    MapConfig,
    NestingType,
    ParallelBranch,
    ParallelConfig,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.exceptions import CallbackError, InvokeError
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

MINUTE = Duration.from_minutes(1)
HOUR = Duration.from_hours(1)
DAY = Duration.from_days(1)
BIG = 300_000
"""Characters; exceeds the 256 KB that a context can store."""

THREE_ATTEMPTS = create_retry_strategy(
    RetryStrategyConfig(max_attempts=3, initial_delay=MINUTE, jitter_strategy=JitterStrategy.NONE)
)


def fails_until(attempt: int) -> Any:
    """Return a step body that fails on every attempt before this one."""

    def body(step: StepContext) -> int:
        if step.attempt < attempt:
            raise ValueError(f"attempt {step.attempt}")
        return step.attempt

    return body


def _echo(number: int, step: StepContext) -> int:
    return number


@durable_execution
def steps(event: Any, context: DurableContext) -> list[int]:
    return [context.step(partial(_echo, n), name=f"step {n}") for n in range(event)]


@durable_execution
def waits(event: int, context: DurableContext) -> int:
    for n in range(event):
        context.wait(MINUTE, name=f"wait {n}")
    return event


@durable_execution
def retried_step(event: Any, context: DurableContext) -> int:
    config = StepConfig(retry_strategy=THREE_ATTEMPTS)
    return int(context.step(fails_until(3), name="retried", config=config))


@durable_execution
def failed_step(event: Any, context: DurableContext) -> str:
    try:
        context.step(fails_until(9), name="failing", config=StepConfig(RetryPresets.none()))
    except StepError as error:
        return error.error_type
    return "not reached"


@durable_execution
def failing(event: Any, context: DurableContext) -> None:
    context.step(lambda _: None, name="before")
    raise RuntimeError("the handler fails")


@durable_execution
def at_most_once(event: Any, context: DurableContext) -> str:
    config = StepConfig(RetryPresets.none(), StepSemantics.AT_MOST_ONCE_PER_RETRY)
    return str(context.step(lambda _: "done", name="at most once", config=config))


@durable_execution
def polled(event: int, context: DurableContext) -> int:
    """Poll until the count reaches `event`, at most five times."""
    strategy = create_wait_strategy(
        WaitStrategyConfig[int](
            should_continue_polling=lambda count: count < event,
            max_attempts=5,
            initial_delay=MINUTE,
            jitter_strategy=JitterStrategy.NONE,
        )
    )
    config = WaitForConditionConfig(strategy, initial_state=0)
    try:
        return context.wait_for_condition(lambda count, _: count + 1, config, name="poll")
    except WaitForConditionError:
        return -1


@durable_execution
def called_back(event: Any, context: DurableContext) -> str | None:
    callback = context.create_callback(name="callback", config=CallbackConfig(timeout=DAY))
    context.step(lambda _: None, name="hand out the id")
    try:
        result: str | None = callback.result()
    except CallbackError as error:
        return f"{type(error).__name__}: {error}"
    return result


@durable_execution
def waited_for_callback(event: Any, context: DurableContext) -> str | None:
    config = WaitForCallbackConfig(timeout=DAY, heartbeat_timeout=HOUR)
    try:
        result: str | None = context.wait_for_callback(
            lambda callback_id, submitter: None, name="approval", config=config
        )
    except CallbackError as error:
        return f"{type(error).__name__}: {error}"
    return result


@durable_execution
def unbounded_callback(event: Any, context: DurableContext) -> Any:
    return context.wait_for_callback(lambda callback_id, submitter: None, name="approval")


@durable_execution
def two_callbacks(event: Any, context: DurableContext) -> list[str | None]:
    return [
        context.create_callback(name="twice", config=CallbackConfig(timeout=DAY)).result()
        for _ in range(2)
    ]


@durable_execution
def invoking(event: str, context: DurableContext) -> Any:
    try:
        return context.invoke(event, {"n": 1}, name="invoke")
    except InvokeError as error:
        return f"{error.error_type}: {error.message}"


@durable_execution
def child_contexts(event: Any, context: DurableContext) -> list[str]:
    def inner(child: DurableContext) -> str:
        return str(child.step(lambda _: "inner", name="inner step"))

    def outer(child: DurableContext) -> list[str]:
        first = child.run_in_child_context(inner, name="inner")
        virtual = ChildConfig[str](is_virtual=True)
        return [first, child.run_in_child_context(inner, name="virtual", config=virtual)]

    return list(context.run_in_child_context(outer, name="outer"))


@durable_execution
def big_child(event: Any, context: DurableContext) -> int:
    """Read back the result of a child, too large to store, after a wait."""

    def child(inner: DurableContext) -> str:
        return str(inner.step(lambda _: "x", name="small")) * BIG

    text = context.run_in_child_context(child, name="big child")
    context.wait(MINUTE, name="wait")
    return len(text)


def _double(child: DurableContext, item: int, index: int, items: Any) -> int:
    return int(child.step(lambda _: item * 2, name="double"))


@durable_execution
def mapped(event: int, context: DurableContext) -> list[int]:
    return context.map(list(range(event)), _double, name="map").get_results()


@durable_execution
def mapped_flat(event: int, context: DurableContext) -> list[int]:
    config: MapConfig[int] = MapConfig(nesting_type=NestingType.FLAT, max_concurrency=3)
    return context.map(list(range(event)), _double, name="flat map", config=config).get_results()


@durable_execution
def mapped_with_failures(event: int, context: DurableContext) -> dict[str, int]:
    def item(child: DurableContext, number: int, index: int, items: Any) -> int:
        body = fails_until(9 if number % 3 == 0 else 1)
        config = StepConfig(retry_strategy=RetryPresets.none())
        return int(child.step(body, name="may fail", config=config))

    config: MapConfig[int] = MapConfig(
        completion_config=CompletionConfig(tolerated_failure_percentage=50)
    )
    batch: BatchResult[int] = context.map(
        list(range(event)), item, name="tolerant map", config=config
    )
    return {"succeeded": batch.success_count, "failed": batch.failure_count}


@durable_execution
def big_map(event: int, context: DurableContext) -> int:
    def item(child: DurableContext, number: int, index: int, items: Any) -> str:
        return str(child.step(lambda _: "x" * 100_000, name="big step"))

    batch: BatchResult[str] = context.map(list(range(event)), item, name="big map")
    context.wait(MINUTE, name="wait")
    return sum(len(text) for text in batch.get_results())


@durable_execution
def in_parallel(event: Any, context: DurableContext) -> list[str]:
    branches: list[ParallelBranch[str]] = [
        ParallelBranch(lambda child: child.step(lambda _: "a", name="a step"), name="branch a"),
        ParallelBranch(lambda child: child.step(lambda _: "b", name="b step"), name="branch b"),
    ]
    return context.parallel(branches, name="parallel").get_results()


@durable_execution
def retried_block(event: Any, context: DurableContext) -> int:
    attempts: list[int] = []

    def block(inner: Any, attempt: int) -> int:
        attempts.append(attempt)
        return int(
            inner.step(
                fails_until(1 if attempt > 1 else 9),
                name=f"attempt {attempt}",
                config=StepConfig(RetryPresets.none()),
            )
        )

    return int(with_retry(context, block, WithRetryConfig(THREE_ATTEMPTS), name="block"))


# -- branches that sleep, for seconds that AWS's runner takes in real time -------------------------


def _sleep(child: DurableContext, seconds: float, index: int, items: Any) -> int:
    """Sleep in a step; a negative number of seconds fails after them."""

    def body(_: StepContext) -> int:
        time.sleep(abs(seconds))  # virtual, except on AWS's runner
        if seconds < 0:
            raise ValueError(f"branch {index}")
        return index

    return int(child.step(body, name="sleep", config=StepConfig(RetryPresets.none())))


def summary(batch: BatchResult[Any]) -> dict[str, Any]:
    """Return how a batch ended, and what became of each of its branches."""
    return {
        "reason": batch.completion_reason.value,
        "branches": {item.index: item.status.value for item in batch.all},
    }


@durable_execution
def sleeping_map(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    config: MapConfig[int] = MapConfig(
        max_concurrency=event.get("limit"),
        completion_config=CompletionConfig(**event.get("completion", {})),
    )
    return summary(context.map(event["seconds"], _sleep, name="sleeping map", config=config))


@durable_execution
def sleeping_race(event: list[float], context: DurableContext) -> dict[str, Any]:
    branches = [
        partial(_sleep, seconds=seconds, index=index, items=event)
        for index, seconds in enumerate(event)
    ]
    config = ParallelConfig(completion_config=CompletionConfig(min_successful=1))
    return summary(context.parallel(branches, name="sleeping race", config=config))


@durable_execution
def races_in_a_race(event: list[list[float]], context: DurableContext) -> dict[str, Any]:
    first: MapConfig[Any] = MapConfig(completion_config=CompletionConfig(min_successful=1))

    def race(child: DurableContext, row: list[float], index: int, items: Any) -> dict[str, Any]:
        return summary(child.map(row, _sleep, name=f"race {index}", config=first))

    batch: BatchResult[Any] = context.map(event, race, name="races", config=first)
    return {"outer": summary(batch), "inner": batch.get_results()}


# -- waits and retries inside map and parallel, where the official runner stalls -------------------


@durable_execution
def mapped_waits(event: list[int], context: DurableContext) -> list[int]:
    def item(child: DurableContext, minutes: int, index: int, items: Any) -> int:
        child.wait(Duration.from_minutes(minutes), name="wait")
        child.step(fails_until(2), name="retried", config=StepConfig(THREE_ATTEMPTS))
        return int(child.step(lambda _: minutes, name="minutes"))

    return context.map(event, item, name="waiting map").get_results()


@durable_execution
def mapped_waits_flat(event: list[int], context: DurableContext) -> list[int]:
    def item(child: DurableContext, minutes: int, index: int, items: Any) -> int:
        child.wait(Duration.from_minutes(minutes), name="wait")
        return int(child.step(lambda _: minutes, name="minutes"))

    config: MapConfig[int] = MapConfig(nesting_type=NestingType.FLAT, max_concurrency=2)
    return context.map(event, item, name="flat waiting map", config=config).get_results()


@durable_execution
def first_two(event: list[int], context: DurableContext) -> list[int]:
    def item(child: DurableContext, minutes: int, index: int, items: Any) -> int:
        child.wait(Duration.from_minutes(minutes), name="wait")
        return minutes

    config: MapConfig[int] = MapConfig(completion_config=CompletionConfig(min_successful=2))
    return sorted(context.map(event, item, name="first two", config=config).get_results())


@durable_execution
def any_two(event: int, context: DurableContext) -> list[int]:
    """Return the first two results: the interleaving alone decides which ones those are."""
    config: MapConfig[int] = MapConfig(completion_config=CompletionConfig(min_successful=2))
    return context.map(list(range(event)), _double, name="any two", config=config).get_results()


@durable_execution
def race(event: Any, context: DurableContext) -> list[str]:
    """Race an answer against a timeout."""

    def answered(child: DurableContext) -> str:
        return f"answered {child.create_callback(name='answer').result()}"

    def time_is_up(child: DurableContext) -> str:
        child.wait(HOUR, name="hour")
        return "time is up"

    config = ParallelConfig(completion_config=CompletionConfig(min_successful=1))
    return context.parallel([answered, time_is_up], name="race", config=config).get_results()


@durable_execution
def nested_maps(event: int, context: DurableContext) -> list[list[int]]:
    def row(child: DurableContext, number: int, index: int, items: Any) -> list[int]:
        child.wait(Duration.from_seconds(number + 1), name="row wait")
        return child.map(list(range(event)), _double, name="inner map").get_results()

    return context.map(list(range(event)), row, name="outer map").get_results()


@durable_execution
def unnamed_callback(event: Any, context: DurableContext) -> str:
    """Wait for a callback without a name."""
    return str(context.wait_for_callback(lambda *_: None))
