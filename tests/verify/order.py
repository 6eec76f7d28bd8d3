"""An order from the till to the archive: a part for each thing that the SDK can do, named.

The order rests in nearly every part, so that new code can find it there.
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

from dacapo import Happening, Scenario
from dacapo.service.functions import Handler

Found = dict[str, Any]
"""What is known of an order so far, which in the end is the handler's result."""
Part = Callable[[DurableContext, Found], None]
Branch = ParallelBranch[str]

MINUTE, HOUR = Duration.from_minutes(1), Duration.from_hours(1)
DAY, WEEK = Duration.from_days(1), Duration.from_days(7)
ITEMS = ["tea", "pot"]
FUNCTION = "order"
INVOICING = "invoicing"
LOOKS = 2

aws = boto3.client("lambda")
done: list[str] = []
"""The effects of a run, in order."""
letters: list[str] = []
"""The callback ids that the customer has not answered yet."""


def does(effect: str, result: Any = None) -> Callable[..., Any]:
    """A step's body: has an effect, and gives a result."""

    def body(*_: object) -> Any:
        done.append(effect)
        return result

    return body


def ask_the_customer(callback_id: str, *_: object) -> None:
    done.append("ask")
    letters.append(callback_id)


def poll_every(delay: Duration, most: int = LOOKS) -> WaitForConditionConfig[int]:
    """Look so many times."""
    strategy = create_wait_strategy(
        WaitStrategyConfig[int](
            should_continue_polling=lambda looks: looks < most,
            initial_delay=delay,
            jitter_strategy=JitterStrategy.NONE,
        )
    )
    return WaitForConditionConfig(strategy, initial_state=0)


def look(looks: int, _: object) -> int:
    return looks + 1


def again_after(delay: Duration) -> StepConfig:
    """Try up to three times."""
    strategy = RetryStrategyConfig(
        max_attempts=3, initial_delay=delay, jitter_strategy=JitterStrategy.NONE
    )
    return StepConfig(retry_strategy=create_retry_strategy(strategy))


def second_time(body: Callable[..., Any]) -> Callable[[StepContext], Any]:
    """A step's body that fails at first."""

    def tried(step: StepContext) -> Any:
        if step.attempt == 1:
            raise ConnectionError("the archive does not answer")
        return body()

    return tried


def reserve(context: DurableContext, order: Found) -> None:
    order["stock"] = context.step(does("reserve", "S-1"), name="reserve")


def quote(context: DurableContext, order: Found) -> None:
    order["total"] = context.step(does("quote", 120), name="quote")


def charge(context: DurableContext, order: Found) -> None:
    order["payment"] = context.step(does("charge", f"P-{order['total']}"), name="charge")


def cool_off(context: DurableContext, order: Found) -> None:
    context.wait(DAY, name="cool off")


def confirm(context: DurableContext, order: Found) -> None:
    config = WaitForCallbackConfig(timeout=WEEK)
    order["answer"] = context.wait_for_callback(ask_the_customer, name="confirm", config=config)


def pick_one(context: DurableContext, item: str) -> str:
    return str(context.step(does(f"pick {item}", item), name=f"pick {item}"))


def pick(context: DurableContext) -> list[str]:
    return [pick_one(context, item) for item in ITEMS]


def let_dry(context: DurableContext) -> None:
    context.wait(HOUR, name="let the glue dry")


def weigh(context: DurableContext) -> int:
    return int(context.step(does("weigh", 750), name="weigh"))


def packing(child: DurableContext) -> Found:
    picked = pick(child)
    let_dry(child)
    return {"picked": picked, "grams": weigh(child)}


def pack(context: DurableContext, order: Found) -> None:
    order["parcel"] = context.run_in_child_context(packing, name="pack")


def label_one(context: DurableContext, item: str, index: int, items: Any) -> str:
    label = context.step(does(f"print {item}", f"label of {item}"), name="print")
    context.wait(Duration.from_hours(index + 1), name="let the ink dry")
    return str(context.step(does(f"stick {item}", f"{label} on {item}"), name="stick"))


def label(context: DurableContext, order: Found) -> None:
    order["labels"] = context.map(ITEMS, label_one, name="label").get_results()


def tell(context: DurableContext, how: str, after: Duration) -> str:
    context.wait(after, name=f"before the {how}")
    return str(context.step(does(f"send {how}", f"{how} sent"), name=f"send {how}"))


MAIL: Branch = ParallelBranch(partial(tell, how="mail", after=HOUR), name="mail")
TEXT: Branch = ParallelBranch(partial(tell, how="text", after=DAY), name="text")


def notify(context: DurableContext, order: Found) -> None:
    order["told"] = context.parallel([MAIL, TEXT], name="notify").get_results()


def follow(context: DurableContext, order: Found) -> None:
    order["looks"] = context.wait_for_condition(look, poll_every(MINUTE), name="follow")


def invoice(context: DurableContext, order: Found) -> None:
    order["invoice"] = context.invoke(INVOICING, {"total": order["total"]}, name="invoice")


def archive(context: DurableContext, order: Found) -> None:
    body = second_time(does("archive", "kept"))
    order["archive"] = context.step(body, name="archive", config=again_after(MINUTE))


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
    """The handler that does these parts, one after the other."""

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Found:
        order: Found = {}
        for part in parts:
            part(context, order)
        return order

    return handler


base = order_of(*PARTS)


@contextmanager
def world() -> Iterator[None]:
    """Nothing has been done yet."""
    done.clear()
    letters.clear()
    yield


def _answer(_: None) -> None:
    while letters:
        aws.send_durable_execution_callback_success(CallbackId=letters.pop(), Result=b'"yes"')


# New code may ask earlier or later, and under another name: the customer answers whatever came.
_ANSWERS = [
    Happening(timedelta(hours=36 + 24 * day), "the customer reads the mail", _answer)
    for day in range(10)
]


def story(handler: Handler) -> Scenario:
    """An order that is dealt with by this handler."""
    return Scenario(
        handler=handler,
        world=world,
        happenings=_ANSWERS,
        functions={INVOICING: does("invoice", "I-1")},
        function_name=FUNCTION,
    )
