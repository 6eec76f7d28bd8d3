"""An order that is reserved, paid and shipped; and all that can come between.

Run one with `dacapo run scenarios/workflow.py:shipped`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from dacapo import Happening, Scenario
from patterns.start import execution_name
from patterns.workflow import begin
from patterns.workflow.handler import handler
from scenarios.worlds.workflow import BEGIN, FUNCTION, ORDER, Shop, shop_world

AT_START = timedelta(0)
THIRTY_SECONDS = timedelta(seconds=30)
FIVE_HOURS = timedelta(hours=5)
TEN_HOURS = timedelta(hours=10)
ONE_DAY = timedelta(days=1)
REFUND, RELEASE, CANCEL = "payment given back", "goods given back", "parcel given back"


def _story(
    *happenings: Happening, world: Callable[[], AbstractContextManager[Shop]] = shop_world
) -> Scenario:
    return Scenario(
        handler=handler,
        event=ORDER,
        world=world,
        happenings=happenings,
        functions={BEGIN: begin.handler},
        function_name=FUNCTION,
        execution_name=execution_name(ORDER["order_id"]),
    )


def _shop(*forbidden: str, **options: Any) -> Callable[[], AbstractContextManager[Shop]]:
    return partial(shop_world, forbidden=frozenset(forbidden), **options)


def _ask_otherwise(shop: Shop) -> None:
    shop.ask({**ORDER, "quantity": 3})


PICK_UP = Happening(TEN_HOURS, "the carrier picks the parcel up", Shop.be_picked_up)
CANCELLED = Happening(FIVE_HOURS, "the customer has it cancelled", Shop.be_cancelled)
THROTTLE = Happening(AT_START, "the table throttles", Shop.throttle)
RECOVER = Happening(THIRTY_SECONDS, "the table recovers", Shop.recover)
ASK = Happening(FIVE_HOURS, "the order is asked for again", Shop.ask)

shipped = _story(PICK_UP)
out_of_stock = _story(world=_shop(stock=1))
declined = _story(world=_shop(money=4899))
not_shippable = _story(world=_shop(places=0))
cancelled = _story(CANCELLED, PICK_UP)
never_picked_up = _story()
nobody_may_look = _story(PICK_UP, world=_shop(is_unreadable=True))

table_throttles = _story(THROTTLE, RECOVER, PICK_UP)
table_throttles_for_long = _story(THROTTLE, replace(RECOVER, after=timedelta(minutes=5)))
reply_to_payment_lost = _story(
    RECOVER, PICK_UP, world=_shop(unanswered=frozenset({"payment held"}))
)
payment_never_answered = _story(world=_shop(unanswered=frozenset({"payment held"})))
refund_forbidden = _story(replace(ASK, after=ONE_DAY), world=_shop(REFUND, places=0))
nothing_can_be_undone = _story(CANCELLED, world=_shop(REFUND, RELEASE))
withdrawal_forbidden = _story(world=_shop(CANCEL))

asked_for_again = _story(ASK, PICK_UP, replace(ASK, name="and once it is over", after=ONE_DAY))
asked_for_with_another_order = _story(
    replace(ASK, name="three lamps are asked for", action=_ask_otherwise), PICK_UP
)
no_order = replace(_story(), event={**ORDER, "quantity": 0})
