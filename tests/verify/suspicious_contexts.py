"""Correct handlers that look suspicious: by branches, child contexts, callbacks and errors."""

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
from tests.verify.suspicious import DAY, JITTERED, MINUTE, give

HOUR = timedelta(hours=1)
ONCE = StepConfig(RetryPresets.none())
AFTER_A_MINUTE = create_retry_strategy(
    RetryStrategyConfig(max_attempts=2, initial_delay=MINUTE, jitter_strategy=JitterStrategy.NONE)
)
BIG = 300_000
"""Characters; more than the 256 KB that a context may store."""


# -- branches --------------------------------------------------------------------------------------


@durable_execution
def branches_that_wait(event: list[int], context: DurableContext) -> list[int]:
    """What two branches wait for is due at the same moment; but each goes on from its own place."""

    def branch(child: DurableContext, minutes: int, _: int, __: Any) -> int:
        child.wait(Duration.from_minutes(minutes), name="wait")
        config = StepConfig(retry_strategy=AFTER_A_MINUTE)
        return int(child.step(fails_until(2), name="try", config=config))

    return context.map(event, branch, name="wait for all").get_results()


@durable_execution
def branches_that_try_again(event: list[int], context: DurableContext) -> list[int]:
    """Its branches pause for as long as chance has it; but it is their results that come back."""

    def branch(child: DurableContext, attempts: int, _: int, __: Any) -> int:
        config = StepConfig(retry_strategy=JITTERED)
        return int(child.step(fails_until(attempts), name="try", config=config))

    return context.map(event, branch, name="try all").get_results()


@durable_execution
def first_of_many(event: list[int], context: DurableContext) -> list[int]:
    """It leaves a branch behind, unfinished; but which are first is recorded with the map."""

    def branch(child: DurableContext, minutes: int, _: int, __: Any) -> int:
        child.wait(Duration.from_minutes(minutes), name="wait")
        return minutes

    config: MapConfig[int] = MapConfig(completion_config=CompletionConfig(min_successful=1))
    batch: BatchResult[int] = context.map(event, branch, name="first", config=config)
    first = batch.get_results()
    context.step(partial(give, first), name=f"the first took {first[0]} minutes")
    return first


@durable_execution
def any_of_many(event: list[str], context: DurableContext) -> str:
    """Which branches run at all is a matter of their order; but one is enough, whichever it is."""

    def branch(child: DurableContext, mirror: str, _: int, __: Any) -> str:
        return str(child.step(partial(give, mirror), name=f"ask {mirror}"))

    config: MapConfig[str] = MapConfig(completion_config=CompletionConfig(min_successful=1))
    batch: BatchResult[str] = context.map(event, branch, name="ask any", config=config)
    context.wait(MINUTE, name="a minute")
    told = f"{batch.success_count} answered"
    return str(context.step(partial(give, told), name=told))


@durable_execution
def tolerant_map(event: list[int], context: DurableContext) -> str:
    """One of its branches fails each time; but it may, and what failed is counted, not raised."""

    def branch(child: DurableContext, attempts: int, _: int, __: Any) -> int:
        return int(child.step(fails_until(attempts), name="may fail", config=ONCE))

    config: MapConfig[int] = MapConfig(
        completion_config=CompletionConfig(tolerated_failure_count=1)
    )
    batch: BatchResult[int] = context.map(event, branch, name="tolerant", config=config)
    context.wait(MINUTE, name="a minute")
    told = f"{batch.success_count} of {batch.total_count}"
    return str(context.step(partial(give, told), name=told))


@durable_execution
def intolerant_map(event: list[int], context: DurableContext) -> str:
    """Two of its branches fail, and what the others came to is chance; but nobody asks."""

    def branch(child: DurableContext, attempts: int, _: int, __: Any) -> int:
        return int(child.step(fails_until(attempts), name="may fail", config=ONCE))

    config: MapConfig[int] = MapConfig(
        max_concurrency=3, completion_config=CompletionConfig(tolerated_failure_count=1)
    )
    batch: BatchResult[int] = context.map(event, branch, name="intolerant", config=config)
    context.wait(MINUTE, name="a minute")
    told = "too many" if batch.failure_count > 1 else "enough"
    return str(context.step(partial(give, told), name=told))


@durable_execution
def contexts_in_contexts(event: list[int], context: DurableContext) -> list[int]:
    """The same names at three depths; but each context numbers its operations by itself."""

    def inner(child: DurableContext, n: int, _: int, __: Any) -> int:
        return int(child.step(partial(give, n), name="step"))

    def outer(child: DurableContext) -> list[int]:
        first = int(child.step(partial(give, 0), name="step"))
        child.wait(MINUTE, name="wait")
        return [first, *child.map(event, inner, name="map").get_results()]

    first = int(context.step(partial(give, -1), name="step"))
    return [first, *context.run_in_child_context(outer, name="child")]


@durable_execution
def race(_: Any, context: DurableContext) -> list[str]:
    """An answer and the end of the day race, and one loses; but who wins is recorded."""

    def answered(child: DurableContext) -> str:
        callback = child.create_callback(name="answer", config=CallbackConfig(timeout=DAY))
        return f"answered {callback.result()}"

    def late(child: DurableContext) -> str:
        child.wait(MINUTE, name="minute")
        return "too late"

    config = ParallelConfig(completion_config=CompletionConfig(min_successful=1))
    return context.parallel([answered, late], name="race", config=config).get_results()


@durable_execution
def big_child(event: int, context: DurableContext) -> int:
    """A body that runs again on every replay, its result too big; but it makes the same again."""

    def child(inner: DurableContext) -> str:
        letter = str(inner.step(partial(give, "x"), name="letter"))
        return letter * event

    text = context.run_in_child_context(child, name="big child")
    context.wait(MINUTE, name="a minute")
    return int(context.step(partial(give, len(text)), name=f"{len(text)} characters"))


# -- answers ---------------------------------------------------------------------------------------


@durable_execution
def asks_somebody(event: str, context: DurableContext) -> str:
    """How it goes on is up to somebody outside; but the answer, or its absence, is recorded."""
    config = WaitForCallbackConfig(timeout=DAY, heartbeat_timeout=Duration.from_hours(2))
    try:
        answer = context.wait_for_callback(lambda *_: None, name=event, config=config)
    except CallbackTimeoutError as error:
        answer = f"nobody: {error}"
    except CallbackExternalError as error:
        answer = f"refused: {error}"
    return str(context.step(partial(give, answer), name=f"tell {event}"))


@durable_execution
def answers_in_another_order(event: list[str], context: DurableContext) -> list[str | None]:
    """The second callback is answered first; but each is read where it was made."""
    config = CallbackConfig(timeout=DAY)
    callbacks = [context.create_callback(name=who, config=config) for who in event]
    for who in event:
        context.step(partial(give, None), name=f"ask {who}")
    return [callback.result() for callback in callbacks]


@durable_execution
def asks_another_function(event: dict[str, Any], context: DurableContext) -> Any:
    """It hands its event on, and catches what the other says; but both stay what they were."""
    price: int = context.invoke("price", {"dish": event["dish"]}, name="price")
    context.wait(MINUTE, name="a minute")
    try:
        context.invoke("refuse", {**event, "price": price}, name="refuse")
    except InvokeError as error:
        return context.step(partial(give, f"{price}: {error.message}"), name="note it")
    return None


def price(event: Any, _: Any) -> int:
    return len(event["dish"])


def refuse(event: Any, _: Any) -> int:
    raise ValueError(f"{event['price']} is too much")


# -- errors ----------------------------------------------------------------------------------------


@durable_execution
def compensates(event: list[str], context: DurableContext) -> list[str]:
    """It undoes what a list says that it filled on the way; but in the body, after each step."""
    undo: list[str] = []
    for what in event:
        try:
            context.step(partial(book, what), name=f"book {what}", config=ONCE)
        except StepError:
            break
        undo.append(what)
        context.wait(MINUTE, name=f"after {what}")
    for what in reversed(undo):
        context.step(partial(give, what), name=f"cancel {what}")
    return undo


def book(what: str, _: Any) -> str:
    if what == "car":
        raise LookupError("no car is left")
    return what


@durable_execution
def error_by_its_name(event: str, context: DurableContext) -> str:
    """A string decides what an error means; but that is how the SDK hands a step's error on."""
    try:
        context.step(partial(book, event), name="book", config=ONCE)
    except StepError as error:
        if error.error_type != "LookupError":
            raise
        context.wait(MINUTE, name="ask again later")
        return str(context.step(partial(give, f"none: {error}"), name="give up"))
    return event


BRANCHES = (
    *("branches_that_wait", "branches_that_try_again", "first_of_many", "any_of_many"),
    *("tolerant_map", "intolerant_map", "contexts_in_contexts", "race"),
)
"""The names of those whose branches come in an order that the seed chooses."""


def _asking(who: str, *answers: Any) -> Scenario:
    return Scenario(handler=asks_somebody, event=who, name=who, answers={who: answers})


SCENARIOS = (
    Scenario(handler=branches_that_wait, event=[1, 2]),
    Scenario(handler=branches_that_try_again, event=[2, 2]),
    Scenario(handler=first_of_many, event=[3, 1]),
    Scenario(handler=any_of_many, event=["one", "other"]),
    Scenario(handler=tolerant_map, event=[1, 9]),
    Scenario(handler=intolerant_map, event=[1, 9, 9, 1]),
    Scenario(handler=contexts_in_contexts, event=[1, 2]),
    Scenario(handler=race, answers={"answer": succeed(raw=b"yes", after=timedelta(seconds=30))}),
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
        handler=asks_another_function,
        event={"dish": "soup"},
        functions={"price": price, "refuse": refuse},
    ),
    Scenario(handler=compensates, event=["flight", "hotel", "car"]),
    Scenario(handler=error_by_its_name, event="car"),
)
