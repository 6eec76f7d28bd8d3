"""Asynchronous messaging: a controller invoked as an event, and a durable function."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from patterns import mails
from patterns.fan_out import logic, postings
from patterns.fan_out.mailing import MAX_SUBSCRIBERS
from patterns.starting import start_once
from scenarios.worlds.marketplace import BOOKKEEPING, CONTROLLER, POSTING, RIVAL, SELLER, address
from tests.baselines.fault import Fault
from tests.baselines.marketplace import BASELINE, DURABLE, System, request, system
from tests.interference import Interleaving, crash_at, interleavings

HOUR_SECONDS = 3600
MIDDLE = 6
"""An email, counted from 0."""
MANY = MAX_SUBSCRIBERS + 1
"""Subscribers; one more than the durable function accepts."""


def _run(functions: Any, act: Callable[[System], object], **world: Any) -> str:
    with system(functions, **world) as staged:
        act(staged)
        staged.stage.play()
        return staged.deliveries


def _posted_twice(staged: System) -> None:
    staged.post()
    staged.stage.play()
    staged.post()


def _crashes_in_the_middle(staged: System) -> None:
    staged.post()
    with crash_at([mails.client], (MIDDLE, "after")) as deaths:
        staged.stage.play()
    assert deaths


def _crashes_after_storing(store: int, staged: System) -> None:
    """Post, and crash after the call that stores, counted from 0."""
    with crash_at([postings.dynamodb], (store, "after")) as deaths:
        assert staged.post() == 500
    assert deaths


def _crashes_and_retries(store: int, staged: System) -> None:
    _crashes_after_storing(store, staged)
    staged.post_until_accepted()


def _with_statuses(functions: Any, **world: Any) -> str:
    with system(functions, **world) as staged:
        staged.post()
        staged.stage.play()
        return f"{staged.deliveries}; {staged.statuses}"


def _with_listed(functions: Any, **world: Any) -> str:
    with system(functions, **world) as staged:
        staged.post()
        staged.stage.play()
        return f"{staged.deliveries}; {staged.listed} listed in the result"


def _delivered_twice(staged: System) -> None:
    announcement = logic.parse_announcement(POSTING)
    for _ in range(2):
        staged.stage.send(
            CONTROLLER, {"function": "notify_subscribers", "posting": _event(announcement)}
        )


def _started_twice(staged: System) -> None:
    for _ in range(2):
        start_once(f"{BOOKKEEPING}:live", "posting", _event(logic.parse_announcement(POSTING)))


def _event(announcement: logic.Announcement) -> dict[str, Any]:
    return announcement.model_dump(mode="json")


def _raced(functions: Any, calls: int) -> str:
    """Have two sellers post for one slot, in every interleaving of their calls to the table."""
    all_orders = interleavings(calls, calls)
    winners = [_winners(functions, order) for order in all_orders]
    both = sum(number > 1 for number in winners)
    assert min(winners) == 1, "one of them gets the slot"
    return f"both get it in {both} of {len(all_orders)} interleavings"


def _winners(functions: Any, order: str) -> int:
    """Return how many of the two sellers get a response that they have the slot."""
    handler, context = functions["add_posting"], None
    with system(functions, readers=0):
        responses = Interleaving(order).run(
            [postings.dynamodb],
            A=partial(handler, json.loads(json.dumps(request(seller=SELLER))), context),
            B=partial(handler, json.loads(json.dumps(request(seller=RIVAL))), context),
        )
    return sum(response["statusCode"] == 201 for response in responses.values())


def _both(act: Callable[[System], object], **world: Any) -> dict[str, Callable[[], str]]:
    return {
        "baseline": partial(_run, BASELINE, act, **world),
        "durable": partial(_run, DURABLE, act, **world),
    }


def _each(run: Callable[..., str], **world: Any) -> dict[str, Callable[[], str]]:
    return {
        "baseline": partial(run, BASELINE, **world),
        "durable": partial(run, DURABLE, **world),
    }


REJECTED = [address(number) for number in range(0, 10, 2)]
FAULTS: list[Fault] = [
    Fault("the client repeats its request", **_both(_posted_twice)),
    Fault(
        "Lambda delivers the event twice",
        baseline=partial(_run, BASELINE, _delivered_twice),
        durable=partial(_run, DURABLE, _started_twice),
    ),
    Fault("the process crashes after the seventh email", **_both(_crashes_in_the_middle)),
    Fault(
        "it crashes between storing and dispatching; the client retries",
        baseline=partial(_run, BASELINE, partial(_crashes_and_retries, 1)),
        durable=partial(_run, DURABLE, partial(_crashes_and_retries, 0)),
    ),
    Fault(
        "… and the client never retries",
        baseline=partial(_run, BASELINE, partial(_crashes_after_storing, 1)),
        durable=partial(_run, DURABLE, partial(_crashes_after_storing, 0)),
    ),
    Fault("SES is unavailable for an hour", **_each(_with_statuses, closed_for=HOUR_SECONDS)),
    Fault("SES rejects one address", **_each(_with_listed, refused=REJECTED[:1])),
    Fault("SES rejects every other address", **_each(_with_statuses, refused=REJECTED)),
    Fault(
        "two sellers post for the same slot at once",
        baseline=partial(_raced, BASELINE, 2),
        durable=partial(_raced, DURABLE, 1),
    ),
    Fault(f"{MANY} subscribers", **_each(_with_statuses, readers=MANY)),
]
