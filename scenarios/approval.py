"""An order that a restaurant accepts, rejects, or says nothing about.

Run one with `dacapo run scenarios/approval.py:accepted`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial

from dacapo import Answer, Happening, Scenario, fail, fail_next_calls, succeed
from patterns.approval import page
from patterns.approval.handler import handler
from scenarios.worlds.restaurant import ORDER, PAGE, Restaurant, restaurant_world

ONE_MINUTE = timedelta(minutes=1)
TWO_MINUTES = timedelta(minutes=2)
SIX_MINUTES = timedelta(minutes=6)


def _story(
    *happenings: Happening,
    answers: Mapping[str, Answer] | None = None,
    world: Callable[[], AbstractContextManager[Restaurant]] = restaurant_world,
) -> Scenario:
    return Scenario(
        handler=handler,
        event=ORDER,
        answers=answers or {},
        world=world,
        happenings=happenings,
        functions={PAGE: page.handler},
    )


def _throttle(_: Restaurant) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")


ACCEPT = Happening(TWO_MINUTES, "the restaurant presses Yes", Restaurant.accept)
REJECT = Happening(TWO_MINUTES, "the restaurant presses No", Restaurant.reject)

accepted = _story(ACCEPT)
rejected = _story(REJECT)
nobody_answers = _story()
accepted_twice = _story(ACCEPT, replace(ACCEPT, name="it presses Yes again"))
accepted_then_rejected = _story(ACCEPT, replace(REJECT, name="it presses No as well"))
accepted_too_late = _story(replace(ACCEPT, after=SIX_MINUTES))
link_fetched_by_a_scanner = _story(
    Happening(ONE_MINUTE, "a mail scanner fetches the link", Restaurant.fetch)
)
form_fiddled_with = _story(
    Happening(ONE_MINUTE, "somebody sends what no button sends", Restaurant.fiddle), ACCEPT
)
# An operator answers by hand, past the page, with what is no decision.
answered_with_nonsense_once = _story(
    ACCEPT, answers={"decision 1": succeed("perhaps", after=ONE_MINUTE)}
)
answered_with_nonsense_only = _story(
    answers={
        f"decision {number}": succeed({"decision": True}, after=ONE_MINUTE) for number in (1, 2, 3)
    }
)
answered_with_nonsense_at_the_last_moment = _story(
    answers={"decision 1": succeed("perhaps", after=timedelta(minutes=4, seconds=59.5))}
)
failed_by_hand = _story(answers={"decision 1": fail("the kitchen burns", after=ONE_MINUTE)})
callbacks_throttled = _story(
    Happening(TWO_MINUTES, "the callback API throttles", _throttle),
    ACCEPT,
    Happening(timedelta(minutes=3), "the restaurant presses Yes again", Restaurant.accept),
)
order_exists = _story(world=partial(restaurant_world, order_exists=True))
no_order = replace(_story(), event={"order_id": "A-17", "items": []})
