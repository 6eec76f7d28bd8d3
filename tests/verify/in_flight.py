"""Changes to the order's code, one at a time, by whether an in-flight execution survives them.

New code can be deployed while an execution is suspended between two invocations. These tables
claim what happens to it; `test_in_flight` deploys each change to check the claim.
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
from tests.verify.changed import plain_step
from tests.verify.order import ITEMS, MAIL, PARTS, TEXT, Branch, Part, base, order_of


@dataclass(frozen=True)
class Change:
    """The handler before and after a deployment."""

    old: Handler
    new: Handler


def replace(old: Part, *new: Part) -> Change:
    """Replace one part of the order with these parts."""
    at = PARTS.index(old)
    return Change(base, order_of(*PARTS[:at], *new, *PARTS[at + 1 :]))


def append(*new: Part) -> Change:
    """Append these parts to the order."""
    return Change(base, order_of(*PARTS, *new))


_LONGER = Duration.from_minutes(3)
_UNNAMED = now.unnamed_step("reserve", "stock", "S-1"), now.unnamed_step("quote", "total", 120)
_COUNTS_WHILE_WAITING: Branch = ParallelBranch(now.count_while_waiting, name="ask")
_COUNTS_AFTER_ANSWER: Branch = ParallelBranch(now.count_after_answer, name="ask")

BREAKING: Mapping[str, Change] = {
    "a step is renamed": replace(was.charge, now.charge_as("take the money")),
    "a step is renamed and every error is caught": replace(
        was.charge, now.charge_and_catch_everything
    ),
    "a step loses its name": replace(was.charge, now.charge_as(None)),
    "two steps swap places": Change(base, order_of(was.quote, was.reserve, *PARTS[2:])),
    "a step is inserted": replace(was.charge, was.charge, plain_step("look for fraud")),
    "a step is added at the start": Change(base, order_of(plain_step("say hello"), *PARTS)),
    "a middle step is removed": replace(was.reserve),
    "the last step is removed": replace(was.archive),
    "a new condition around a step is false": replace(was.charge, now.charge_if_more_than(1000)),
    "the handler returns early": Change(base, order_of(*PARTS[:5])),
    "a step becomes a child context": replace(was.charge, now.charge_in_a_child),
    "a result is read in another shape": replace(
        was.charge, now.charge_with_another_result_shape, now.show_payment
    ),
    "a result is read in another shape at the end": Change(
        base,
        order_of(*PARTS[:2], now.charge_with_another_result_shape, *PARTS[3:], now.show_payment),
    ),
    "a wait is renamed": replace(was.cool_off, now.cool_off_for(was.DAY, "let it rest")),
    "a wait becomes a step": replace(was.cool_off, plain_step("cool off")),
    "a callback is renamed": replace(was.confirm, now.confirm_as("confirm it")),
    "a wait for a callback becomes a callback": replace(
        was.confirm, now.confirm_with_separate_callback
    ),
    "a poll becomes a step": replace(was.follow, plain_step("follow")),
    "an invoke becomes a step": replace(was.invoice, plain_step("invoice")),
    "a child context is renamed": replace(was.pack, now.pack_as("make the parcel")),
    "a child context is inlined": replace(was.pack, now.pack_without_a_child),
    "a child context becomes virtual": replace(
        was.pack, now.pack_as("pack", config=ChildConfig(is_virtual=True))
    ),
    "a step moves into the child context": Change(
        base, order_of(*PARTS[1:5], now.pack_as("pack", was.reserve), *PARTS[6:])
    ),
    "a step moves out of the child context": replace(was.pack, now.pack_then_weigh),
    "a loop is reversed": replace(was.pack, now.pack_by(now.packing_in_reverse)),
    "a map gets fewer items": replace(was.label, now.label_all(ITEMS[:1])),
    "map items get names": replace(
        was.label, now.label_all(ITEMS, item_namer=lambda item, _: item)
    ),
    "a map becomes flat": replace(was.label, now.label_all(ITEMS, nesting_type=NestingType.FLAT)),
    "a map becomes parallel": replace(was.label, now.label_in_parallel),
    "branches swap places": replace(was.notify, now.notify_by(TEXT, MAIL)),
    "a branch is added at the start": replace(was.notify, now.notify_by(now.CARD, MAIL, TEXT)),
    "a branch is removed": replace(was.notify, now.notify_by(MAIL)),
    "a branch is renamed": replace(
        was.notify, now.notify_by(ParallelBranch(MAIL, name="letter"), TEXT)
    ),
}
"""Changes that break an execution at one or more of the points where it is suspended."""

UNDETECTED: Mapping[str, Change] = {
    "two unnamed steps swap places": Change(
        order_of(*_UNNAMED, *PARTS[2:-2]), order_of(*reversed(_UNNAMED), *PARTS[2:-2])
    ),
    "unnamed map items swap places": replace(was.label, now.label_all(ITEMS[::-1])),
}
"""Breaking changes that no history reveals: a result of another operation looks just as valid."""

BREAKING_AFTER_CRASH: Mapping[str, Change] = {
    "a last step that never suspends is removed": Change(
        order_of(*PARTS[:-1], now.archive_without_retry), order_of(*PARTS[:-1])
    ),
    "the last step of a child context is removed": replace(
        was.pack, now.pack_by(now.packing_without_weight)
    ),
}
"""Changes that break an execution only if it crashes midway and new code takes over."""

SAFE: Mapping[str, Change] = {
    "a step gets another body": replace(was.reserve, now.reserve_elsewhere),
    "a step is retried later": replace(was.archive, now.archive_with(was.retry_after(_LONGER))),
    "a step becomes at-most-once": replace(was.charge, now.charge_at_most_once),
    "a step's error is caught by name": replace(was.charge, now.charge_and_catch_step_error),
    "a new condition around a step is true": replace(was.charge, now.charge_if_more_than(0)),
    "a submitter gets another body": replace(was.confirm, now.confirm_with_another_submitter),
    "logging is added": replace(was.reserve, now.reserve_and_log),
    "a loop is rewritten": replace(was.pack, now.pack_by(now.packing_one_by_one)),
    "code moves into a helper function": Change(base, order_of(now.every_part)),
    "operations are appended": append(now.cool_off_for(was.DAY, "a day"), plain_step("ask again")),
    "the result gets another key": append(now.summarize),
    "a child context returns something else": replace(
        was.pack, now.pack_by(now.packing_without_items)
    ),
    "a step is appended to a child context": replace(
        was.pack, now.pack_as("pack", plain_step("stamp"))
    ),
    "a step is appended to each map item": replace(
        was.label, now.label_all(ITEMS, now.label_and_count)
    ),
    "a map gets another item": replace(was.label, now.label_all([*ITEMS, "jug"])),
    "a map runs one item at a time": replace(was.label, now.label_all(ITEMS, max_concurrency=1)),
    "a branch is appended": replace(was.notify, now.notify_by(MAIL, TEXT, now.CARD)),
    "a branch waits before its step": Change(
        order_of(now.notify_by(_COUNTS_WHILE_WAITING, TEXT)),
        order_of(now.notify_by(_COUNTS_AFTER_ANSWER, TEXT)),
    ),
    "a poll waits longer between attempts": replace(was.follow, now.follow_with(delay=_LONGER)),
    "a poll makes a single attempt": replace(was.follow, now.follow_with(polls=1)),
    "a poll makes more attempts": replace(was.follow, now.follow_with(polls=4)),
}
"""Changes that an execution survives, wherever it is suspended."""

IGNORED_OPTIONS: Mapping[str, Change] = {
    "a wait gets longer": replace(was.cool_off, now.cool_off_for(was.WEEK)),
    "a callback gets another timeout": replace(was.confirm, now.confirm_as("confirm", was.DAY)),
    "an invoke gets another payload": replace(was.invoice, now.invoice_with_tax),
}
"""Changes that an execution survives because started operations keep their old options.

That may not be what the author intended.
"""
