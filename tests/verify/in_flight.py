"""Changes of the order's code, each on its own: what an execution in flight survives, and what not.

An execution rests between two invocations; then new code can be deployed. Whether it survives that
is not said by anybody: `test_in_flight` tries it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_durable_execution_sdk_python.config import (
    ChildConfig,
    Duration,
    NestingType,
    ParallelBranch,
)

from dacapo.service.functions import Handler
from tests.verify import changed as now
from tests.verify import order as was
from tests.verify.changed import a_step
from tests.verify.order import ITEMS, MAIL, PARTS, TEXT, Branch, Part, base, order_of


@dataclass(frozen=True)
class Change:
    """A handler as it was and as it is."""

    old: Handler
    new: Handler


def instead(old: Part, *new: Part) -> Change:
    """The order with these parts in the place of one."""
    at = PARTS.index(old)
    return Change(base, order_of(*PARTS[:at], *new, *PARTS[at + 1 :]))


def last(*new: Part) -> Change:
    """The order with these parts after all others."""
    return Change(base, order_of(*PARTS, *new))


_ONCE_MORE = Duration.from_minutes(3)
_UNNAMED = now.unnamed_step("reserve", "stock", "S-1"), now.unnamed_step("quote", "total", 120)
_COUNTS: Branch = ParallelBranch(now.ask_then_count, name="ask")
_WAITS: Branch = ParallelBranch(now.ask_and_then_count, name="ask")

BREAKING: Mapping[str, Change] = {
    "a step is renamed": instead(was.charge, now.charge_as("take the money")),
    "a step is renamed, and all is caught": instead(was.charge, now.charge_whatever_happens),
    "a step loses its name": instead(was.charge, now.charge_as(None)),
    "two steps change places": Change(base, order_of(was.quote, was.reserve, *PARTS[2:])),
    "a step comes in between": instead(was.charge, was.charge, a_step("look for fraud")),
    "a step comes first": Change(base, order_of(a_step("say hello"), *PARTS)),
    "a step in the middle goes": instead(was.reserve),
    "the last step goes": instead(was.archive),
    "an if around a step is false": instead(was.charge, now.charge_if_more_than(1000)),
    "it returns early": Change(base, order_of(*PARTS[:5])),
    "a step becomes a child context": instead(was.charge, now.charge_in_a_child),
    "a result is read in another shape": instead(
        was.charge, now.charge_in_another_shape, now.show_the_payment
    ),
    "a result is read in another shape at the end": Change(
        base,
        order_of(*PARTS[:2], now.charge_in_another_shape, *PARTS[3:], now.show_the_payment),
    ),
    "a wait is renamed": instead(was.cool_off, now.cool_off_for(was.DAY, "let it rest")),
    "a wait becomes a step": instead(was.cool_off, a_step("cool off")),
    "a callback is renamed": instead(was.confirm, now.confirm_as("confirm it")),
    "a wait for a callback becomes a callback": instead(was.confirm, now.confirm_by_hand),
    "a poll becomes a step": instead(was.follow, a_step("follow")),
    "an invoke becomes a step": instead(was.invoice, a_step("invoice")),
    "a child context is renamed": instead(was.pack, now.pack_as("make the parcel")),
    "a child context is dissolved": instead(was.pack, now.pack_without_a_child),
    "a child context becomes virtual": instead(
        was.pack, now.pack_as("pack", config=ChildConfig(is_virtual=True))
    ),
    "a step moves into the child context": Change(
        base, order_of(*PARTS[1:5], now.pack_as("pack", was.reserve), *PARTS[6:])
    ),
    "a step moves out of the child context": instead(was.pack, now.pack_then_weigh),
    "a loop goes the other way": instead(was.pack, now.pack_by(now.packing_the_other_way)),
    "a map gets fewer items": instead(was.label, now.label_all(ITEMS[:1])),
    "the items of a map get names": instead(
        was.label, now.label_all(ITEMS, item_namer=lambda item, _: item)
    ),
    "a map becomes flat": instead(was.label, now.label_all(ITEMS, nesting_type=NestingType.FLAT)),
    "a map becomes parallel": instead(was.label, now.label_in_parallel),
    "branches change places": instead(was.notify, now.notify_by(TEXT, MAIL)),
    "a branch comes first": instead(was.notify, now.notify_by(now.CARD, MAIL, TEXT)),
    "a branch goes": instead(was.notify, now.notify_by(MAIL)),
    "a branch is renamed": instead(
        was.notify, now.notify_by(ParallelBranch(MAIL, name="letter"), TEXT)
    ),
}
"""What an execution in flight does not survive, in at least one of the places where it rests."""

UNSEEN: Mapping[str, Change] = {
    "two steps without a name change places": Change(
        order_of(*_UNNAMED, *PARTS[2:-2]), order_of(*reversed(_UNNAMED), *PARTS[2:-2])
    ),
    "the items of a map without names change places": instead(
        was.label, now.label_all(ITEMS[::-1])
    ),
}
"""The same, but no history shows it: what is read back is another's, and looks as it did."""

DYING: Mapping[str, Change] = {
    "a last step that never rests goes": Change(
        order_of(*PARTS[:-1], now.archive_at_once), order_of(*PARTS[:-1])
    ),
    "the last step of the child context goes": instead(
        was.pack, now.pack_by(now.packing_unweighed)
    ),
}
"""What it survives wherever it rests, but not if it dies half-way and new code takes over."""

SAFE: Mapping[str, Change] = {
    "a step gets another body": instead(was.reserve, now.reserve_elsewhere),
    "a step is tried again later": instead(
        was.archive, now.archive_with(was.again_after(_ONCE_MORE))
    ),
    "a step happens at most once": instead(was.charge, now.charge_at_most_once),
    "a step's error is caught by name": instead(was.charge, now.charge_and_catch_its_error),
    "an if around a step is true": instead(was.charge, now.charge_if_more_than(0)),
    "a submitter gets another body": instead(was.confirm, now.confirm_by_letter),
    "a line is logged": instead(was.reserve, now.reserve_and_say_so),
    "a loop is written otherwise": instead(was.pack, now.pack_by(now.packing_one_by_one)),
    "parts move into a helper": Change(base, order_of(now.all_of_it)),
    "operations come last": last(now.cool_off_for(was.DAY, "a day"), a_step("ask again")),
    "the result says more": last(now.sum_up),
    "a child context returns something else": instead(
        was.pack, now.pack_by(now.packing_for_the_weight)
    ),
    "a step comes last in the child context": instead(
        was.pack, now.pack_as("pack", a_step("stamp"))
    ),
    "a step comes last in each item": instead(was.label, now.label_all(ITEMS, now.label_and_count)),
    "a map gets one more item": instead(was.label, now.label_all([*ITEMS, "jug"])),
    "a map takes one item at a time": instead(was.label, now.label_all(ITEMS, max_concurrency=1)),
    "a branch comes last": instead(was.notify, now.notify_by(MAIL, TEXT, now.CARD)),
    "a branch waits before its step": Change(
        order_of(now.notify_by(_COUNTS, TEXT)), order_of(now.notify_by(_WAITS, TEXT))
    ),
    "a poll looks later": instead(was.follow, now.follow_with(delay=_ONCE_MORE)),
    "a poll looks once": instead(was.follow, now.follow_with(looks=1)),
    "a poll looks more often": instead(was.follow, now.follow_with(looks=4)),
}
"""What it survives, wherever it rests."""

OPTIONS: Mapping[str, Change] = {
    "a wait gets longer": instead(was.cool_off, now.cool_off_for(was.WEEK)),
    "a callback gets another timeout": instead(was.confirm, now.confirm_as("confirm", was.DAY)),
    "an invoke gets another payload": instead(was.invoice, now.invoice_with_tax),
}
"""What it survives with the options that its operations began with; that may not be meant."""
