"""The bookkeeping of a leed that was posted, and everything that mail can do to it.

Run one with `dacapo run scenarios/fan_out.py:all_are_told`.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from dacapo import Happening, Scenario
from dacapo.service.functions import Handler
from patterns.fan_out import add_leed, mail
from patterns.fan_out.handler import handler
from patterns.fan_out.mailing import MOST_SUBSCRIBERS
from patterns.start import execution_name
from scenarios.worlds.marketplace import (
    API,
    LEED,
    LEED_ID,
    MAIL,
    SELLER,
    Marketplace,
    address,
    marketplace_world,
)

AT_ONCE = timedelta(0)
ONE_MINUTE = timedelta(minutes=1)
TWO_MINUTES_SECONDS = 120
DAY_SECONDS = 24 * 3600


def _story(
    *happenings: Happening,
    event: Any = LEED,
    mail_function: Handler = mail.handler,
    **world: Any,
) -> Scenario:
    return Scenario(
        handler=handler,
        event=event,
        world=partial(marketplace_world, **world),
        happenings=happenings,
        functions={API: add_leed.handler, MAIL: mail_function},
        # What add_leed names it, so that a client's retry finds this one.
        execution_name=execution_name(f"leed {LEED_ID}"),
    )


def _breaks(_: Any, __: Any) -> None:
    raise RuntimeError("Runtime exited with error: signal: killed")


def _addresses(*numbers: int) -> tuple[str, ...]:
    return tuple(address(number) for number in numbers)


all_are_told = _story()
nobody_has_subscribed = _story(readers=0)
one_has_unsubscribed = _story(
    Happening(ONE_MINUTE, "a subscriber has had enough", lambda world: world.unsubscribe(0)),
    readers=1,
    closed_for=TWO_MINUTES_SECONDS,
)
one_address_is_refused = _story(refused=_addresses(0))
too_many_are_refused = _story(refused=_addresses(1, 2))
mail_is_throttled = _story(readers=1, closed_for=TWO_MINUTES_SECONDS)
mail_is_down_for_a_day = _story(readers=2, closed_for=DAY_SECONDS)
mail_function_breaks = _story(readers=1, mail_function=_breaks)
seller_is_refused = _story(readers=1, refused=(SELLER,))
too_many_have_subscribed = _story(readers=MOST_SUBSCRIBERS + 1)
client_posts_again = _story(
    Happening(AT_ONCE, "the client posts again", Marketplace.post), readers=1
)
leed_is_gone = _story(readers=1, is_posted=False)
no_leed = _story(event={"leed_id": LEED_ID, "trade": "caricatures"})
