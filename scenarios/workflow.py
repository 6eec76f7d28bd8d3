"""Scenarios of `workflow`: an order is reserved, paid, and shipped, and all that can go wrong.

Run one with `dacapo run scenarios/workflow.py:shipped`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from dacapo import ExternalEvent, Recording, Scenario
from patterns.starting import execution_name
from patterns.workflow import start
from patterns.workflow.handler import handler
from patterns.workflow.logic import CompensationFailed, Ending
from scenarios.worlds.workflow import BEGIN, FUNCTION, ORDER, Shop, shop_world

AT_START = timedelta(0)
THREE_SECONDS = timedelta(seconds=3)
FIVE_HOURS = timedelta(hours=5)
TEN_HOURS = timedelta(hours=10)
ONE_DAY = timedelta(days=1)
REFUND, RELEASE, CANCEL = "payment released", "goods released", "parcel released"


def _balances(recording: Recording, shop: Shop) -> None:
    """Everything that is missing is reserved, and an order that isn't shipped reserves nothing."""
    shop.count()
    missing = {
        supply: amount - shop.supplies[supply]
        for supply, amount in shop.initial_supplies.items()
        if amount != shop.supplies[supply]
    }
    assert missing == shop.reserved, f"{missing} is missing, and {shop.reserved} is reserved"
    is_shipped = recording.status == "SUCCEEDED" and recording.result["ending"] == Ending.SHIPPED
    error = (recording.error and recording.error.type) or ""
    is_left = error.endswith(CompensationFailed.__name__)
    assert is_shipped or is_left or not shop.reserved, "the order keeps what it reserved"


def _scenario(
    *external_events: ExternalEvent,
    world: Callable[[], AbstractContextManager[Shop]] = shop_world,
    expects: str | None = None,
) -> Scenario:
    return Scenario(
        handler=handler,
        event=ORDER,
        world=world,
        external_events=external_events,
        expects=expects,
        invariant=_balances,
        functions={BEGIN: start.handler},
        function_name=FUNCTION,
        execution_name=execution_name(ORDER["order_id"]),
    )


def _shop(*forbidden: str, **options: Any) -> Callable[[], AbstractContextManager[Shop]]:
    return partial(shop_world, forbidden=frozenset(forbidden), **options)


def _submit_another_order(shop: Shop) -> None:
    shop.submit({**ORDER, "quantity": 3})


PICK_UP = ExternalEvent(TEN_HOURS, "the carrier picks up the parcel", Shop.carrier_picks_up)
CANCELED = ExternalEvent(FIVE_HOURS, "the customer cancels the parcel", Shop.customer_cancels)
THROTTLE = ExternalEvent(AT_START, "the table throttles", Shop.throttle)
RECOVER = ExternalEvent(THREE_SECONDS, "the table recovers", Shop.recover)
RESUBMIT = ExternalEvent(FIVE_HOURS, "the order is submitted again", Shop.submit)

shipped = _scenario(PICK_UP)
out_of_stock = _scenario(world=_shop(stock=1))
declined = _scenario(world=_shop(money=4899))
not_shippable = _scenario(world=_shop(places=0))
canceled = _scenario(CANCELED, PICK_UP)
never_picked_up = _scenario()
parcel_unreadable = _scenario(PICK_UP, world=_shop(is_unreadable=True))

table_throttles = _scenario(THROTTLE, RECOVER, PICK_UP)
table_throttles_for_long = _scenario(
    THROTTLE, replace(RECOVER, after=timedelta(hours=13)), expects="OrderFailed"
)
reply_to_payment_lost = _scenario(
    RECOVER, PICK_UP, world=_shop(unanswered=frozenset({"payment held"}))
)
payment_never_answered = _scenario(
    world=_shop(unanswered=frozenset({"payment held"})), expects="OrderFailed"
)
refund_forbidden = _scenario(
    replace(RESUBMIT, after=ONE_DAY), world=_shop(REFUND, places=0), expects="CompensationFailed"
)
compensations_forbidden = _scenario(
    CANCELED, world=_shop(REFUND, RELEASE), expects="CompensationFailed"
)
withdrawal_forbidden = _scenario(world=_shop(CANCEL), expects="CompensationFailed")

submitted_again = _scenario(
    RESUBMIT, PICK_UP, replace(RESUBMIT, name="and again once it has ended", after=ONE_DAY)
)
resubmitted_with_another_order = _scenario(
    replace(RESUBMIT, name="three lamps are ordered", action=_submit_another_order), PICK_UP
)
invalid_order = replace(_scenario(), event={**ORDER, "quantity": 0}, expects="InvalidOrder")
