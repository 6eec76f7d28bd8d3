"""Asynchronous messaging: a controller that is invoked as an event, and a durable bookkeeping."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from patterns import mails
from patterns.fan_out import leeds, logic
from patterns.fan_out.mailing import MOST_SUBSCRIBERS
from patterns.start import start_once
from scenarios.worlds.marketplace import BOOKKEEPING, CONTROLLER, LEED, RIVAL, SELLER, address
from tests.by_hand.fault import Fault
from tests.by_hand.marketplace import BY_HAND, DURABLE, System, request, system
from tests.interference import TurnTaking, dying_at, orders

HOUR_SECONDS = 3600
MIDDLE = 6
"""A mail, counted from 0."""
MANY = MOST_SUBSCRIBERS + 1
"""Subscribers; one more than the durable function takes."""


def _plays(functions: Any, play: Callable[[System], object], **world: Any) -> str:
    with system(functions, **world) as made:
        play(made)
        made.stage.play()
        return made.told


def _posted_twice(made: System) -> None:
    made.post()
    made.stage.play()
    made.post()


def _dies_in_the_middle(made: System) -> None:
    made.post()
    with dying_at([mails.client], (MIDDLE, "after")) as died:
        made.stage.play()
    assert died


def _dies_after_storing(store: int, made: System) -> None:
    """Dies after the call that stores, counted from 0."""
    with dying_at([leeds.dynamodb], (store, "after")) as died:
        assert made.post() == 500
    assert died


def _dies_and_comes_again(store: int, made: System) -> None:
    _dies_after_storing(store, made)
    made.post_until_taken()


def _with_ending(functions: Any, **world: Any) -> str:
    with system(functions, **world) as made:
        made.post()
        made.stage.play()
        return f"{made.told}; {made.ended}"


def _with_names(functions: Any, **world: Any) -> str:
    with system(functions, **world) as made:
        made.post()
        made.stage.play()
        return f"{made.told}; {made.named} named in a result"


def _delivered_twice(made: System) -> None:
    leed = logic.announcement_of(LEED)
    for _ in range(2):
        made.stage.send(CONTROLLER, {"function": "tell_subscribers", "leed": _event(leed)})


def _started_twice(made: System) -> None:
    for _ in range(2):
        start_once(f"{BOOKKEEPING}:live", "leed", _event(logic.announcement_of(LEED)))


def _event(leed: logic.Announcement) -> dict[str, Any]:
    return leed.model_dump(mode="json")


def _raced(functions: Any, calls: int) -> str:
    """Two sellers post for one slot, in every order of their calls of the table."""
    all_orders = orders(calls, calls)
    winners = [_winners(functions, order) for order in all_orders]
    both = sum(number > 1 for number in winners)
    assert min(winners) == 1, "somebody gets it"
    return f"both get it in {both} of {len(all_orders)} orders"


def _winners(functions: Any, order: str) -> int:
    """How many of the two are told that they have the slot."""
    handler, context = functions["add_leed"], None
    with system(functions, readers=0):
        told = TurnTaking(order).run(
            [leeds.dynamodb],
            A=partial(handler, json.loads(json.dumps(request(seller=SELLER))), context),
            B=partial(handler, json.loads(json.dumps(request(seller=RIVAL))), context),
        )
    return sum(answer["statusCode"] == 201 for answer in told.values())


def _both(play: Callable[[System], object], **world: Any) -> dict[str, Callable[[], str]]:
    return {
        "by_hand": partial(_plays, BY_HAND, play, **world),
        "durable": partial(_plays, DURABLE, play, **world),
    }


def _each(of: Callable[..., str], **world: Any) -> dict[str, Callable[[], str]]:
    return {"by_hand": partial(of, BY_HAND, **world), "durable": partial(of, DURABLE, **world)}


REFUSED = [address(number) for number in range(0, 10, 2)]
FAULTS: list[Fault] = [
    Fault("the client posts again", **_both(_posted_twice)),
    Fault(
        "Lambda delivers the event twice",
        by_hand=partial(_plays, BY_HAND, _delivered_twice),
        durable=partial(_plays, DURABLE, _started_twice),
    ),
    Fault("the process dies after the seventh mail", **_both(_dies_in_the_middle)),
    Fault(
        "it dies between storing and handing on; the client posts again",
        by_hand=partial(_plays, BY_HAND, partial(_dies_and_comes_again, 1)),
        durable=partial(_plays, DURABLE, partial(_dies_and_comes_again, 0)),
    ),
    Fault(
        "… and the client never posts again",
        by_hand=partial(_plays, BY_HAND, partial(_dies_after_storing, 1)),
        durable=partial(_plays, DURABLE, partial(_dies_after_storing, 0)),
    ),
    Fault("SES sends nothing for an hour", **_each(_with_ending, closed_for=HOUR_SECONDS)),
    Fault("SES refuses one address", **_each(_with_names, refused=REFUSED[:1])),
    Fault("SES refuses every other address", **_each(_with_ending, refused=REFUSED)),
    Fault(
        "two sellers post for one slot at once",
        by_hand=partial(_raced, BY_HAND, 2),
        durable=partial(_raced, DURABLE, 1),
    ),
    Fault(f"{MANY} have subscribed", **_each(_with_ending, readers=MANY)),
]
