"""An order from checkout to archive: one part per feature of the SDK, each operation named.

The handler suspends in nearly every part, so that new code can be deployed there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import (
    Duration,
    JitterStrategy,
    ParallelBranch,
    StepConfig,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)

from dacapo import ExternalEvent, Scenario
from dacapo.service.functions import Handler

Order = dict[str, Any]
"""The state of an order; at the end, the handler's result."""
Part = Callable[[DurableContext, Order], None]
Branch = ParallelBranch[str]

MINUTE, HOUR = Duration.from_minutes(1), Duration.from_hours(1)
DAY, WEEK = Duration.from_days(1), Duration.from_days(7)
ITEMS = ["tea", "pot"]
FUNCTION = "order"
INVOICING = "invoicing"
POLLS = 2

lambda_client = boto3.client("lambda")
effects: list[str] = []
"""The side effects of a run, in order."""
open_callbacks: list[str] = []
"""IDs of the callbacks that the customer has not answered yet."""


def side_effect(name: str, result: Any = None) -> Callable[..., Any]:
    """Return a step body that has this side effect and returns `result`."""

    def body(*_: object) -> Any:
        effects.append(name)
        return result

    return body


def ask_the_customer(callback_id: str, *_: object) -> None:
    effects.append("ask")
    open_callbacks.append(callback_id)


def poll_every(delay: Duration, most: int = POLLS) -> WaitForConditionConfig[int]:
    """Return a configuration that polls `most` times."""
    strategy = create_wait_strategy(
        WaitStrategyConfig[int](
            should_continue_polling=lambda polls: polls < most,
            initial_delay=delay,
            jitter_strategy=JitterStrategy.NONE,
        )
    )
    return WaitForConditionConfig(strategy, initial_state=0)


def poll(polls: int, _: object) -> int:
    return polls + 1


def retry_after(delay: Duration) -> StepConfig:
    """Return a configuration that allows three attempts."""
    strategy = RetryStrategyConfig(
        max_attempts=3, initial_delay=delay, jitter_strategy=JitterStrategy.NONE
    )
    return StepConfig(retry_strategy=create_retry_strategy(strategy))


def fail_once(body: Callable[..., Any]) -> Callable[[StepContext], Any]:
    """Return a step body that fails on its first attempt."""

    def attempt(step: StepContext) -> Any:
        if step.attempt == 1:
            raise ConnectionError("the archive does not respond")
        return body()

    return attempt


def reserve(context: DurableContext, order: Order) -> None:
    order["stock"] = context.step(side_effect("reserve", "S-1"), name="reserve")


def quote(context: DurableContext, order: Order) -> None:
    order["total"] = context.step(side_effect("quote", 120), name="quote")


def charge(context: DurableContext, order: Order) -> None:
    body = side_effect("charge", f"P-{order['total']}")
    order["payment"] = context.step(body, name="charge")


def cool_off(context: DurableContext, order: Order) -> None:
    context.wait(DAY, name="cool off")


def confirm(context: DurableContext, order: Order) -> None:
    config = WaitForCallbackConfig(timeout=WEEK)
    order["answer"] = context.wait_for_callback(ask_the_customer, name="confirm", config=config)


def pick_one(context: DurableContext, item: str) -> str:
    return str(context.step(side_effect(f"pick {item}", item), name=f"pick {item}"))


def pick(context: DurableContext) -> list[str]:
    return [pick_one(context, item) for item in ITEMS]


def let_dry(context: DurableContext) -> None:
    context.wait(HOUR, name="let the glue dry")


def weigh(context: DurableContext) -> int:
    return int(context.step(side_effect("weigh", 750), name="weigh"))


def packing(child: DurableContext) -> Order:
    picked = pick(child)
    let_dry(child)
    return {"picked": picked, "grams": weigh(child)}


def pack(context: DurableContext, order: Order) -> None:
    order["parcel"] = context.run_in_child_context(packing, name="pack")


def label_one(context: DurableContext, item: str, index: int, items: Any) -> str:
    label = context.step(side_effect(f"print {item}", f"label of {item}"), name="print")
    context.wait(Duration.from_hours(index + 1), name="let the ink dry")
    return str(context.step(side_effect(f"stick {item}", f"{label} on {item}"), name="stick"))


def label(context: DurableContext, order: Order) -> None:
    order["labels"] = context.map(ITEMS, label_one, name="label").get_results()


def send(context: DurableContext, channel: str, after: Duration) -> str:
    context.wait(after, name=f"before the {channel}")
    body = side_effect(f"send {channel}", f"{channel} sent")
    return str(context.step(body, name=f"send {channel}"))


MAIL: Branch = ParallelBranch(partial(send, channel="mail", after=HOUR), name="mail")
TEXT: Branch = ParallelBranch(partial(send, channel="text", after=DAY), name="text")


def notify(context: DurableContext, order: Order) -> None:
    order["messages"] = context.parallel([MAIL, TEXT], name="notify").get_results()


def follow(context: DurableContext, order: Order) -> None:
    order["polls"] = context.wait_for_condition(poll, poll_every(MINUTE), name="follow")


def invoice(context: DurableContext, order: Order) -> None:
    order["invoice"] = context.invoke(INVOICING, {"total": order["total"]}, name="invoice")


def archive(context: DurableContext, order: Order) -> None:
    body = fail_once(side_effect("archive", "archived"))
    order["archive"] = context.step(body, name="archive", config=retry_after(MINUTE))


PARTS: tuple[Part, ...] = (
    reserve,
    quote,
    charge,
    cool_off,
    confirm,
    pack,
    label,
    notify,
    follow,
    invoice,
    archive,
)


def order_of(*parts: Part) -> Handler:
    """Return a handler that runs these parts in sequence."""

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Order:
        order: Order = {}
        for part in parts:
            part(context, order)
        return order

    return handler


base = order_of(*PARTS)


@contextmanager
def world() -> Iterator[None]:
    """Context manager that forgets the side effects and callbacks of earlier runs."""
    effects.clear()
    open_callbacks.clear()
    yield


def _answer(_: None) -> None:
    while open_callbacks:
        lambda_client.send_durable_execution_callback_success(
            CallbackId=open_callbacks.pop(), Result=b'"yes"'
        )


# New code may ask earlier or later, and under another name, so the customer checks the mail daily
# and answers every open callback.
_ANSWERS = [
    ExternalEvent(timedelta(hours=36 + 24 * day), "the customer reads the mail", _answer)
    for day in range(10)
]


def scenario(handler: Handler) -> Scenario:
    """Return the scenario of an order that this handler processes."""
    return Scenario(
        handler=handler,
        world=world,
        external_events=_ANSWERS,
        functions={INVOICING: side_effect("invoice", "I-1")},
        function_name=FUNCTION,
    )
