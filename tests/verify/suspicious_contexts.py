"""Correct handlers that look suspicious: branches, child contexts, callbacks and errors."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import (
    BatchResult,
    CallbackExternalError,
    CallbackTimeoutError,
    DurableContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    CompletionConfig,
    Duration,
    JitterStrategy,
    MapConfig,
    ParallelConfig,
    StepConfig,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.exceptions import InvokeError
from aws_durable_execution_sdk_python.retries import (
    RetryPresets,
    RetryStrategyConfig,
    create_retry_strategy,
)

from dacapo import Scenario, fail, heartbeats, never, succeed
from tests.lab.handlers import fails_until
from tests.verify.suspicious import DAY, JITTERED, MINUTE, echo

HOUR = timedelta(hours=1)
ONCE = StepConfig(RetryPresets.none())
AFTER_A_MINUTE = create_retry_strategy(
    RetryStrategyConfig(max_attempts=2, initial_delay=MINUTE, jitter_strategy=JitterStrategy.NONE)
)
BIG = 300_000
"""Characters; exceeds the 256 KB that a context can store."""


# -- branches --------------------------------------------------------------------------------------


@durable_execution
def branches_that_wait(event: list[int], context: DurableContext) -> list[int]:
    """Resume two branches at the same moment, but each from its own operation."""

    def branch(child: DurableContext, minutes: int, _: int, __: Any) -> int:
        child.wait(Duration.from_minutes(minutes), name="wait")
        config = StepConfig(retry_strategy=AFTER_A_MINUTE)
        return int(child.step(fails_until(2), name="try", config=config))

    return context.map(event, branch, name="wait for all").get_results()


@durable_execution
def branches_that_retry(event: list[int], context: DurableContext) -> list[int]:
    """Retry in branches after random delays, but return only their results."""

    def branch(child: DurableContext, attempts: int, _: int, __: Any) -> int:
        config = StepConfig(retry_strategy=JITTERED)
        return int(child.step(fails_until(attempts), name="try", config=config))

    return context.map(event, branch, name="try all").get_results()


@durable_execution
def first_of_many(event: list[int], context: DurableContext) -> list[int]:
    """Abandon an unfinished branch, but the map records which branch was first."""

    def branch(child: DurableContext, minutes: int, _: int, __: Any) -> int:
        child.wait(Duration.from_minutes(minutes), name="wait")
        return minutes

    config: MapConfig[int] = MapConfig(completion_config=CompletionConfig(min_successful=1))
    batch: BatchResult[int] = context.map(event, branch, name="first", config=config)
    first = batch.get_results()
    context.step(partial(echo, first), name=f"the first took {first[0]} minutes")
    return first


@durable_execution
def any_of_many(event: list[str], context: DurableContext) -> str:
    """Let the interleaving decide which branches run at all, but need only any one of them."""

    def branch(child: DurableContext, mirror: str, _: int, __: Any) -> str:
        return str(child.step(partial(echo, mirror), name=f"ask {mirror}"))

    config: MapConfig[str] = MapConfig(completion_config=CompletionConfig(min_successful=1))
    batch: BatchResult[str] = context.map(event, branch, name="ask any", config=config)
    context.wait(MINUTE, name="a minute")
    outcome = f"{batch.success_count} answered"
    return str(context.step(partial(echo, outcome), name=outcome))


@durable_execution
def tolerant_map(event: list[int], context: DurableContext) -> str:
    """Fail one branch every time, but tolerate it: count the failure, never raise it."""

    def branch(child: DurableContext, attempts: int, _: int, __: Any) -> int:
        return int(child.step(fails_until(attempts), name="may fail", config=ONCE))

    config: MapConfig[int] = MapConfig(
        completion_config=CompletionConfig(tolerated_failure_count=1)
    )
    batch: BatchResult[int] = context.map(event, branch, name="tolerant", config=config)
    context.wait(MINUTE, name="a minute")
    outcome = f"{batch.success_count} of {batch.total_count}"
    return str(context.step(partial(echo, outcome), name=outcome))


@durable_execution
def intolerant_map(event: list[int], context: DurableContext) -> str:
    """Fail two branches, which makes the results of the others vary, but read none of those."""

    def branch(child: DurableContext, attempts: int, _: int, __: Any) -> int:
        return int(child.step(fails_until(attempts), name="may fail", config=ONCE))

    config: MapConfig[int] = MapConfig(
        max_concurrency=3, completion_config=CompletionConfig(tolerated_failure_count=1)
    )
    batch: BatchResult[int] = context.map(event, branch, name="intolerant", config=config)
    context.wait(MINUTE, name="a minute")
    outcome = "too many" if batch.failure_count > 1 else "enough"
    return str(context.step(partial(echo, outcome), name=outcome))


@durable_execution
def contexts_in_contexts(event: list[int], context: DurableContext) -> list[int]:
    """Repeat names at three levels, but each context numbers its own operations."""

    def inner(child: DurableContext, n: int, _: int, __: Any) -> int:
        return int(child.step(partial(echo, n), name="step"))

    def outer(child: DurableContext) -> list[int]:
        first = int(child.step(partial(echo, 0), name="step"))
        child.wait(MINUTE, name="wait")
        return [first, *child.map(event, inner, name="map").get_results()]

    first = int(context.step(partial(echo, -1), name="step"))
    return [first, *context.run_in_child_context(outer, name="child")]


@durable_execution
def race(_: Any, context: DurableContext) -> list[str]:
    """Race an answer against a timeout, and abandon the loser, but the winner is recorded."""

    def answered(child: DurableContext) -> str:
        callback = child.create_callback(name="answer", config=CallbackConfig(timeout=DAY))
        return f"answered {callback.result()}"

    def late(child: DurableContext) -> str:
        child.wait(MINUTE, name="minute")
        return "too late"

    config = ParallelConfig(completion_config=CompletionConfig(min_successful=1))
    return context.parallel([answered, late], name="race", config=config).get_results()


@durable_execution
def enough_of_five(event: list[int], context: DurableContext) -> int:
    """Begin a branch while the batch ends with enough: it is recorded after that."""

    def branch(child: DurableContext, attempts: int, _: int, __: Any) -> int:
        config = StepConfig(retry_strategy=AFTER_A_MINUTE)
        return int(child.step(fails_until(attempts), name="try", config=config))

    context.wait(MINUTE, name="a minute")
    config: MapConfig[int] = MapConfig(
        max_concurrency=3, completion_config=CompletionConfig(min_successful=2)
    )
    batch: BatchResult[int] = context.map(event, branch, name="enough", config=config)
    return batch.success_count


@durable_execution
def big_child(event: int, context: DurableContext) -> int:
    """Return a result too large to store, so that a replay recomputes it, but to the same value."""

    def child(inner: DurableContext) -> str:
        letter = str(inner.step(partial(echo, "x"), name="letter"))
        return letter * event

    text = context.run_in_child_context(child, name="big child")
    context.wait(MINUTE, name="a minute")
    return int(context.step(partial(echo, len(text)), name=f"{len(text)} characters"))


# -- callbacks and invokes -------------------------------------------------------------------------


@durable_execution
def asks_a_person(event: str, context: DurableContext) -> str:
    """Let an external answer decide the control flow, but it is recorded, as is a timeout."""
    config = WaitForCallbackConfig(timeout=DAY, heartbeat_timeout=Duration.from_hours(2))
    try:
        answer = context.wait_for_callback(lambda *_: None, name=event, config=config)
    except CallbackTimeoutError as error:
        answer = f"nobody: {error}"
    except CallbackExternalError as error:
        answer = f"refused: {error}"
    return str(context.step(partial(echo, answer), name=f"tell {event}"))


@durable_execution
def answers_in_another_order(event: list[str], context: DurableContext) -> list[str | None]:
    """Receive the second answer first, but read each result from its own callback."""
    config = CallbackConfig(timeout=DAY)
    callbacks = [context.create_callback(name=person, config=config) for person in event]
    for person in event:
        context.step(partial(echo, None), name=f"ask {person}")
    return [callback.result() for callback in callbacks]


@durable_execution
def invokes_another_function(event: dict[str, Any], context: DurableContext) -> Any:
    """Pass the event on and catch an error, but both are the same on every replay."""
    price: int = context.invoke("price", {"dish": event["dish"]}, name="price")
    context.wait(MINUTE, name="a minute")
    try:
        context.invoke("refuse", {**event, "price": price}, name="refuse")
    except InvokeError as error:
        return context.step(partial(echo, f"{price}: {error.message}"), name="note it")
    return None


def price(event: Any, _: Any) -> int:
    return len(event["dish"])


def refuse(event: Any, _: Any) -> int:
    raise ValueError(f"{event['price']} is too much")


# -- errors ----------------------------------------------------------------------------------------


@durable_execution
def compensates(event: list[str], context: DurableContext) -> list[str]:
    """Compensate from a list, but append to it in the body, after each step succeeds."""
    booked: list[str] = []
    for item in event:
        try:
            context.step(partial(book, item), name=f"book {item}", config=ONCE)
        except StepError:
            break
        booked.append(item)
        context.wait(MINUTE, name=f"after {item}")
    for item in reversed(booked):
        context.step(partial(echo, item), name=f"cancel {item}")
    return booked


def book(item: str, _: Any) -> str:
    if item == "car":
        raise LookupError("no car is left")
    return item


@durable_execution
def error_by_its_name(event: str, context: DurableContext) -> str:
    """Match an error by a string, but a name is all that the SDK keeps of a step's error."""
    try:
        context.step(partial(book, event), name="book", config=ONCE)
    except StepError as error:
        if error.error_type != "LookupError":
            raise
        context.wait(MINUTE, name="ask again later")
        return str(context.step(partial(echo, f"none: {error}"), name="give up"))
    return event


BRANCHES = (
    *("branches_that_wait", "branches_that_retry", "first_of_many", "any_of_many"),
    *("tolerant_map", "intolerant_map", "contexts_in_contexts", "race", "enough_of_five"),
)
"""Names of the handlers whose branches interleave as the seed decides."""


def _asking(person: str, *answers: Any) -> Scenario:
    return Scenario(handler=asks_a_person, event=person, name=person, answers={person: answers})


SCENARIOS = (
    Scenario(handler=branches_that_wait, event=[1, 2]),
    Scenario(handler=branches_that_retry, event=[2, 2]),
    Scenario(handler=first_of_many, event=[3, 1]),
    Scenario(handler=any_of_many, event=["one", "other"]),
    Scenario(handler=tolerant_map, event=[1, 9]),
    Scenario(handler=intolerant_map, event=[1, 9, 9, 1]),
    Scenario(handler=contexts_in_contexts, event=[1, 2]),
    Scenario(handler=race, answers={"answer": succeed(raw=b"yes", after=timedelta(seconds=30))}),
    Scenario(handler=enough_of_five, event=[1, 2, 1, 2, 1]),
    Scenario(handler=big_child, event=BIG),
    _asking("who answers", succeed(raw=b"yes", after=HOUR)),
    _asking("who refuses", fail("no time", after=HOUR)),
    _asking("who falls silent", heartbeats(every=HOUR, times=3)),
    _asking("who never answers", never()),
    _asking("who thinks", heartbeats(every=HOUR, times=3) + succeed(raw=b"yes", after=4 * HOUR)),
    Scenario(
        handler=answers_in_another_order,
        event=["Mia", "Ada"],
        answers={"Mia": succeed(raw=b"1", after=HOUR), "Ada": succeed(raw=b"2", after=HOUR / 2)},
    ),
    Scenario(
        handler=invokes_another_function,
        event={"dish": "soup"},
        functions={"price": price, "refuse": refuse},
    ),
    Scenario(handler=compensates, event=["flight", "hotel", "car"]),
    Scenario(handler=error_by_its_name, event="car"),
)
