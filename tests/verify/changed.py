"""Parts of the order as new code has them; what each was before stands in `order`."""

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
from tests.verify.order import ITEMS, PARTS, Branch, Found, Part, does

# -- steps -----------------------------------------------------------------------------------------


def a_step(name: str) -> Part:
    """A part that is a step, and that is all."""

    def part(context: DurableContext, order: Found) -> None:
        context.step(does(name), name=name)

    return part


def unnamed_step(effect: str, key: str, result: Any) -> Part:
    """A step without a name."""

    def part(context: DurableContext, order: Found) -> None:
        order[key] = context.step(does(effect, result))

    return part


def charge_as(name: str | None, config: StepConfig | None = None) -> Part:
    def charge(context: DurableContext, order: Found) -> None:
        body = does("charge", f"P-{order['total']}")
        order["payment"] = context.step(body, name=name, config=config)

    return charge


charge_at_most_once = charge_as(
    "charge", StepConfig(RetryPresets.none(), StepSemantics.AT_MOST_ONCE_PER_RETRY)
)


def charge_whatever_happens(context: DurableContext, order: Found) -> None:
    try:
        charge_as("take the money")(context, order)
    except Exception:  # noqa: BLE001 - this is what is wrong with it
        order["payment"] = None


def charge_and_catch_its_error(context: DurableContext, order: Found) -> None:
    try:
        was.charge(context, order)
    except StepError:
        order["payment"] = None


def charge_if_more_than(least: int) -> Part:
    def charge(context: DurableContext, order: Found) -> None:
        if order["total"] > least:
            was.charge(context, order)

    return charge


def charge_in_a_child(context: DurableContext, order: Found) -> None:
    context.run_in_child_context(lambda child: was.charge(child, order), name="charge")


def charge_in_another_shape(context: DurableContext, order: Found) -> None:
    order["payment"] = context.step(does("charge", {"id": "P-120"}), name="charge")


def show_the_payment(context: DurableContext, order: Found) -> None:
    order["receipt"] = f"paid with {order['payment']['id']}"


def reserve_elsewhere(context: DurableContext, order: Found) -> None:
    order["stock"] = context.step(does("reserve", "S-2"), name="reserve")


def reserve_and_say_so(context: DurableContext, order: Found) -> None:
    context.logger.info("an order comes in")
    was.reserve(context, order)
    context.logger.info("it is reserved")


def archive_with(config: StepConfig) -> Part:
    def archive(context: DurableContext, order: Found) -> None:
        body = was.second_time(does("archive", "kept"))
        order["archive"] = context.step(body, name="archive", config=config)

    return archive


def archive_at_once(context: DurableContext, order: Found) -> None:
    order["archive"] = context.step(does("archive", "kept"), name="archive")


# -- waits, callbacks, polls and invokes -----------------------------------------------------------


def cool_off_for(length: Duration, name: str = "cool off") -> Part:
    def cool_off(context: DurableContext, order: Found) -> None:
        context.wait(length, name=name)

    return cool_off


def confirm_as(name: str, timeout: Duration = was.WEEK) -> Part:
    def confirm(context: DurableContext, order: Found) -> None:
        config = WaitForCallbackConfig(timeout=timeout)
        ask = was.ask_the_customer
        order["answer"] = context.wait_for_callback(ask, name=name, config=config)

    return confirm


def confirm_by_hand(context: DurableContext, order: Found) -> None:
    callback = context.create_callback(name="confirm", config=CallbackConfig(timeout=was.WEEK))
    context.step(partial(was.ask_the_customer, callback.callback_id), name="ask")
    order["answer"] = callback.result()


def confirm_by_letter(context: DurableContext, order: Found) -> None:
    def write(callback_id: str, *_: object) -> None:
        was.ask_the_customer(callback_id)

    config = WaitForCallbackConfig(timeout=was.WEEK)
    order["answer"] = context.wait_for_callback(write, name="confirm", config=config)


def follow_with(delay: Duration = was.MINUTE, looks: int = was.LOOKS) -> Part:
    def follow(context: DurableContext, order: Found) -> None:
        config = was.poll_every(delay, looks)
        order["looks"] = context.wait_for_condition(was.look, config, name="follow")

    return follow


def invoice_with_tax(context: DurableContext, order: Found) -> None:
    payload = {"total": order["total"], "tax": 20}
    order["invoice"] = context.invoke(was.INVOICING, payload, name="invoice")


# -- the child context -----------------------------------------------------------------------------


def pack_as(name: str, *last: Part, config: ChildConfig[Found] | None = None) -> Part:
    def pack(context: DurableContext, order: Found) -> None:
        def packing(child: DurableContext) -> Found:
            parcel = was.packing(child)
            for part in last:
                part(child, order)
            return parcel

        order["parcel"] = context.run_in_child_context(packing, name=name, config=config)

    return pack


def pack_by(packing: Callable[[DurableContext], Any]) -> Part:
    def pack(context: DurableContext, order: Found) -> None:
        order["parcel"] = context.run_in_child_context(packing, name="pack")

    return pack


def pack_without_a_child(context: DurableContext, order: Found) -> None:
    order["parcel"] = was.packing(context)


def packing_unweighed(child: DurableContext) -> Found:
    picked = was.pick(child)
    was.let_dry(child)
    return {"picked": picked, "grams": 750}


def pack_then_weigh(context: DurableContext, order: Found) -> None:
    pack_by(packing_unweighed)(context, order)
    order["parcel"]["grams"] = was.weigh(context)


def packing_the_other_way(child: DurableContext) -> Found:
    picked = [was.pick_one(child, item) for item in reversed(ITEMS)]
    was.let_dry(child)
    return {"picked": picked[::-1], "grams": was.weigh(child)}


def packing_one_by_one(parcel: DurableContext) -> Found:
    left, packed = list(ITEMS), []
    while left:
        what = left.pop(0)
        packed.append(parcel.step(does("pick " + what, what), name="pick " + what))
    was.let_dry(parcel)
    return {"grams": was.weigh(parcel), "picked": packed}


def packing_for_the_weight(child: DurableContext) -> int:
    grams: int = was.packing(child)["grams"]
    return grams


# -- map and parallel ------------------------------------------------------------------------------


def label_all(items: list[str], one: Any = was.label_one, **options: Any) -> Part:
    def label(context: DurableContext, order: Found) -> None:
        config: MapConfig[str] = MapConfig(**options)
        order["labels"] = context.map(items, one, name="label", config=config).get_results()

    return label


def label_and_count(context: DurableContext, item: str, index: int, items: Any) -> str:
    label = was.label_one(context, item, index, items)
    context.step(does(f"count {item}"), name="count")
    return label


def label_in_parallel(context: DurableContext, order: Found) -> None:
    def branch(item: str, index: int) -> Branch:
        label = partial(was.label_one, item=item, index=index, items=ITEMS)
        return ParallelBranch(label, name=f"map-item-{index}")

    branches = [branch(item, index) for index, item in enumerate(ITEMS)]
    order["labels"] = context.parallel(branches, name="label").get_results()


CARD: Branch = ParallelBranch(partial(was.tell, how="card", after=was.HOUR), name="card")


def notify_by(*branches: Branch, **options: Any) -> Part:
    def notify(context: DurableContext, order: Found) -> None:
        config = ParallelConfig(**options)
        told = context.parallel(list(branches), name="notify", config=config)
        order["told"] = told.get_results()

    return notify


def ask_then_count(child: DurableContext) -> str:
    callback = child.create_callback(name="answer", config=CallbackConfig(timeout=was.WEEK))
    child.step(partial(was.ask_the_customer, callback.callback_id), name="ask")
    child.step(does("count"), name="count")
    return str(callback.result())


def ask_and_then_count(child: DurableContext) -> str:
    callback = child.create_callback(name="answer", config=CallbackConfig(timeout=was.WEEK))
    child.step(partial(was.ask_the_customer, callback.callback_id), name="ask")
    answer = str(callback.result())
    child.step(does("count"), name="count")
    return answer


# -- the whole -------------------------------------------------------------------------------------


def all_of_it(context: DurableContext, order: Found) -> None:
    half = len(PARTS) // 2
    for parts in (PARTS[:half], PARTS[half:]):
        some_of_it(parts, context, order)


def some_of_it(parts: tuple[Part, ...], context: DurableContext, found: Found) -> None:
    for part in parts:
        part(context, found)


def sum_up(context: DurableContext, order: Found) -> None:
    order["sum"] = f"{order['payment']} paid, {order['parcel']['grams']} g sent"
