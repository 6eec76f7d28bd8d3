"""Parts of the order as new code has them; `order` holds the original of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, StepError
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    ChildConfig,
    Duration,
    MapConfig,
    ParallelBranch,
    ParallelConfig,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.retries import RetryPresets

from tests.verify import order as was
from tests.verify.order import ITEMS, PARTS, Branch, Order, Part, side_effect

# -- steps -----------------------------------------------------------------------------------------


def plain_step(name: str) -> Part:
    """Return a part that is a single step."""

    def part(context: DurableContext, order: Order) -> None:
        context.step(side_effect(name), name=name)

    return part


def unnamed_step(effect: str, key: str, result: Any) -> Part:
    """Return a part that is a step without a name."""

    def part(context: DurableContext, order: Order) -> None:
        order[key] = context.step(side_effect(effect, result))

    return part


def charge_as(name: str | None, config: StepConfig | None = None) -> Part:
    def charge(context: DurableContext, order: Order) -> None:
        body = side_effect("charge", f"P-{order['total']}")
        order["payment"] = context.step(body, name=name, config=config)

    return charge


charge_at_most_once = charge_as(
    "charge", StepConfig(RetryPresets.none(), StepSemantics.AT_MOST_ONCE_PER_RETRY)
)


def charge_and_catch_everything(context: DurableContext, order: Order) -> None:
    try:
        charge_as("take the money")(context, order)
    except Exception:  # noqa: BLE001 - the mistake under test
        order["payment"] = None


def charge_and_catch_step_error(context: DurableContext, order: Order) -> None:
    try:
        was.charge(context, order)
    except StepError:
        order["payment"] = None


def charge_if_more_than(least: int) -> Part:
    def charge(context: DurableContext, order: Order) -> None:
        if order["total"] > least:
            was.charge(context, order)

    return charge


def charge_in_a_child(context: DurableContext, order: Order) -> None:
    context.run_in_child_context(lambda child: was.charge(child, order), name="charge")


def charge_with_another_result_shape(context: DurableContext, order: Order) -> None:
    order["payment"] = context.step(side_effect("charge", {"id": "P-120"}), name="charge")


def show_payment(context: DurableContext, order: Order) -> None:
    order["receipt"] = f"paid with {order['payment']['id']}"


def reserve_elsewhere(context: DurableContext, order: Order) -> None:
    order["stock"] = context.step(side_effect("reserve", "S-2"), name="reserve")


def reserve_and_log(context: DurableContext, order: Order) -> None:
    context.logger.info("order received")
    was.reserve(context, order)
    context.logger.info("stock reserved")


def archive_with(config: StepConfig) -> Part:
    def archive(context: DurableContext, order: Order) -> None:
        body = was.fail_once(side_effect("archive", "archived"))
        order["archive"] = context.step(body, name="archive", config=config)

    return archive


def archive_without_retry(context: DurableContext, order: Order) -> None:
    order["archive"] = context.step(side_effect("archive", "archived"), name="archive")


# -- waits, callbacks, polls and invokes -----------------------------------------------------------


def cool_off_for(length: Duration, name: str = "cool off") -> Part:
    def cool_off(context: DurableContext, order: Order) -> None:
        context.wait(length, name=name)

    return cool_off


def confirm_as(name: str, timeout: Duration = was.WEEK) -> Part:
    def confirm(context: DurableContext, order: Order) -> None:
        config = WaitForCallbackConfig(timeout=timeout)
        ask = was.ask_the_customer
        order["answer"] = context.wait_for_callback(ask, name=name, config=config)

    return confirm


def confirm_with_separate_callback(context: DurableContext, order: Order) -> None:
    callback = context.create_callback(name="confirm", config=CallbackConfig(timeout=was.WEEK))
    context.step(partial(was.ask_the_customer, callback.callback_id), name="ask")
    order["answer"] = callback.result()


def confirm_with_another_submitter(context: DurableContext, order: Order) -> None:
    def send(callback_id: str, *_: object) -> None:
        was.ask_the_customer(callback_id)

    config = WaitForCallbackConfig(timeout=was.WEEK)
    order["answer"] = context.wait_for_callback(send, name="confirm", config=config)


def follow_with(delay: Duration = was.MINUTE, polls: int = was.POLLS) -> Part:
    def follow(context: DurableContext, order: Order) -> None:
        config = was.poll_every(delay, polls)
        order["polls"] = context.wait_for_condition(was.poll, config, name="follow")

    return follow


def invoice_with_tax(context: DurableContext, order: Order) -> None:
    payload = {"total": order["total"], "tax": 20}
    order["invoice"] = context.invoke(was.INVOICING, payload, name="invoice")


# -- the child context -----------------------------------------------------------------------------


def pack_as(name: str, *extra: Part, config: ChildConfig[Order] | None = None) -> Part:
    def pack(context: DurableContext, order: Order) -> None:
        def packing(child: DurableContext) -> Order:
            parcel = was.packing(child)
            for part in extra:
                part(child, order)
            return parcel

        order["parcel"] = context.run_in_child_context(packing, name=name, config=config)

    return pack


def pack_by(packing: Callable[[DurableContext], Any]) -> Part:
    def pack(context: DurableContext, order: Order) -> None:
        order["parcel"] = context.run_in_child_context(packing, name="pack")

    return pack


def pack_without_a_child(context: DurableContext, order: Order) -> None:
    order["parcel"] = was.packing(context)


def packing_without_weight(child: DurableContext) -> Order:
    picked = was.pick(child)
    was.let_dry(child)
    return {"picked": picked, "grams": 750}


def pack_then_weigh(context: DurableContext, order: Order) -> None:
    pack_by(packing_without_weight)(context, order)
    order["parcel"]["grams"] = was.weigh(context)


def packing_in_reverse(child: DurableContext) -> Order:
    picked = [was.pick_one(child, item) for item in reversed(ITEMS)]
    was.let_dry(child)
    return {"picked": picked[::-1], "grams": was.weigh(child)}


def packing_one_by_one(parcel: DurableContext) -> Order:
    remaining, packed = list(ITEMS), []
    while remaining:
        item = remaining.pop(0)
        packed.append(parcel.step(side_effect("pick " + item, item), name="pick " + item))
    was.let_dry(parcel)
    return {"grams": was.weigh(parcel), "picked": packed}


def packing_without_items(child: DurableContext) -> int:
    grams: int = was.packing(child)["grams"]
    return grams


# -- map and parallel ------------------------------------------------------------------------------


def label_all(items: list[str], one: Any = was.label_one, **options: Any) -> Part:
    def label(context: DurableContext, order: Order) -> None:
        config: MapConfig[str] = MapConfig(**options)
        order["labels"] = context.map(items, one, name="label", config=config).get_results()

    return label


def label_and_count(context: DurableContext, item: str, index: int, items: Any) -> str:
    label = was.label_one(context, item, index, items)
    context.step(side_effect(f"count {item}"), name="count")
    return label


def label_in_parallel(context: DurableContext, order: Order) -> None:
    def branch(item: str, index: int) -> Branch:
        label = partial(was.label_one, item=item, index=index, items=ITEMS)
        return ParallelBranch(label, name=f"map-item-{index}")

    branches = [branch(item, index) for index, item in enumerate(ITEMS)]
    order["labels"] = context.parallel(branches, name="label").get_results()


CARD: Branch = ParallelBranch(partial(was.send, channel="card", after=was.HOUR), name="card")


def notify_by(*branches: Branch, **options: Any) -> Part:
    def notify(context: DurableContext, order: Order) -> None:
        config = ParallelConfig(**options)
        batch = context.parallel(list(branches), name="notify", config=config)
        order["messages"] = batch.get_results()

    return notify


def count_while_waiting(child: DurableContext) -> str:
    callback = child.create_callback(name="answer", config=CallbackConfig(timeout=was.WEEK))
    child.step(partial(was.ask_the_customer, callback.callback_id), name="ask")
    child.step(side_effect("count"), name="count")
    return str(callback.result())


def count_after_answer(child: DurableContext) -> str:
    callback = child.create_callback(name="answer", config=CallbackConfig(timeout=was.WEEK))
    child.step(partial(was.ask_the_customer, callback.callback_id), name="ask")
    answer = str(callback.result())
    child.step(side_effect("count"), name="count")
    return answer


# -- the whole order -------------------------------------------------------------------------------


def every_part(context: DurableContext, order: Order) -> None:
    half = len(PARTS) // 2
    for parts in (PARTS[:half], PARTS[half:]):
        run_parts(parts, context, order)


def run_parts(parts: tuple[Part, ...], context: DurableContext, order: Order) -> None:
    for part in parts:
        part(context, order)


def summarize(context: DurableContext, order: Order) -> None:
    order["sum"] = f"{order['payment']} paid, {order['parcel']['grams']} g sent"
