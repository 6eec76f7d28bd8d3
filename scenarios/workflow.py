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
from patterns.workflow.ledger_writes import ReservationStatus
from patterns.workflow.logic import CompensationFailed, Ending
from scenarios.worlds.workflow import BEGIN, FUNCTION, MONEY, ORDER, STOCK, Shop, shop_world

AT_START = timedelta(0)
FORTY_FIVE_SECONDS = timedelta(seconds=45)
FIVE_HOURS = timedelta(hours=5)
TEN_HOURS = timedelta(hours=10)
ONE_DAY = timedelta(days=1)
TWO_DAYS = timedelta(days=2)
ONE_HOUR = timedelta(hours=1)
REFUND, RELEASE, CANCEL = "payment released", "goods released", "parcel released"


def _adds_up(recording: Recording, shop: Shop) -> None:
    """Goods that left stay paid, and nothing else is charged or kept.

    - What is missing from the supplies is reserved, to the cent.
    - If the parcel was picked up, goods and payment are reserved, and the order ends as shipped.
    - If not, everything is released, except what a `CompensationFailed` asks people to release.
    """
    shop.count()
    missing = {
        supply: amount - shop.supplies[supply]
        for supply, amount in shop.initial_supplies.items()
        if amount != shop.supplies[supply]
    }
    assert missing == shop.reserved, f"{missing} is missing, and {shop.reserved} is reserved"
    error = (recording.error and recording.error.type) or ""
    is_left_to_people = error.endswith(CompensationFailed.__name__)
    is_shipped = recording.status == "SUCCEEDED" and recording.result["ending"] == Ending.SHIPPED
    has_left = shop.statuses.get("parcel") == ReservationStatus.PICKED_UP
    if has_left:
        assert {STOCK, MONEY} < shop.reserved.keys(), "goods that left were refunded or released"
    if not is_left_to_people:
        assert is_shipped == has_left, "the ending isn't what happened to the parcel"
        assert is_shipped or not shop.reserved, "the order keeps what it reserved"


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
        invariant=_adds_up,
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
RECOVER = ExternalEvent(FORTY_FIVE_SECONDS, "the table recovers", Shop.recover)
RESUBMIT = ExternalEvent(FIVE_HOURS, "the order is submitted again", Shop.submit)

shipped = _scenario(PICK_UP)
out_of_stock = _scenario(world=_shop(stock=1))
declined = _scenario(world=_shop(money=4899))
not_shippable = _scenario(world=_shop(places=0))
# The customer and the carrier come at times of their own: what they find depends on how late the
# parcel is booked.
canceled = replace(_scenario(CANCELED, PICK_UP), outage_endings=["SUCCEEDED"])
never_picked_up = _scenario()
parcel_unreadable = _scenario(PICK_UP, world=_shop(is_unreadable=True))

table_throttles = _scenario(THROTTLE, RECOVER, PICK_UP)
table_throttles_for_hours = replace(
    _scenario(THROTTLE, replace(RECOVER, after=FIVE_HOURS), PICK_UP), outage_endings=["SUCCEEDED"]
)
table_throttles_for_days = _scenario(
    THROTTLE, replace(RECOVER, after=TWO_DAYS), expects="CompensationFailed"
)
# The last check fails, and the parcel is canceled in vain: the carrier has come in the meantime.
picked_up_while_table_throttles = _scenario(
    replace(THROTTLE, after=TWO_DAYS - ONE_HOUR),
    replace(PICK_UP, after=TWO_DAYS + ONE_HOUR),
    replace(RECOVER, after=TWO_DAYS + FIVE_HOURS),
)
not_picked_up_while_table_throttles = _scenario(
    replace(THROTTLE, after=TWO_DAYS - ONE_HOUR), replace(RECOVER, after=TWO_DAYS + FIVE_HOURS)
)
picked_up_before_the_booking_is_confirmed = replace(
    _scenario(replace(PICK_UP, after=ONE_HOUR), world=_shop(unanswered=frozenset({"parcel held"}))),
    outage_endings=["OrderFailed"],
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
cancellation_forbidden = _scenario(world=_shop(CANCEL), expects="CompensationFailed")

submitted_again = _scenario(
    RESUBMIT, PICK_UP, replace(RESUBMIT, name="and again once it has ended", after=ONE_DAY)
)
resubmitted_with_another_order = _scenario(
    replace(RESUBMIT, name="three lamps are ordered", action=_submit_another_order), PICK_UP
)
invalid_order = replace(_scenario(), event={**ORDER, "quantity": 0}, expects="InvalidOrder")
