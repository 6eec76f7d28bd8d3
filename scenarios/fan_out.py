"""Scenarios of `fan_out`: the bookkeeping of a job posting, and everything that mail can do to it.

Run one with `dacapo run scenarios/fan_out.py:all_are_notified`.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from dacapo import ExternalEvent, Handler, Recording, Scenario
from patterns.fan_out import mail, start
from patterns.fan_out.handler import handler
from patterns.fan_out.mailing import EXECUTION_TIMEOUT_SECONDS, MAX_SUBSCRIBERS
from patterns.starting import execution_name
from scenarios.worlds.marketplace import (
    API,
    MAIL,
    POSTING,
    POSTING_ID,
    SELLER,
    Marketplace,
    address,
    marketplace_world,
)

AT_ONCE = timedelta(0)
ONE_MINUTE = timedelta(minutes=1)
TWO_MINUTES_SECONDS = 120
DAY_SECONDS = 24 * 3600


def _adds_up(recording: Recording, market: Marketplace) -> None:
    """The slot is sold once and counted once, and nobody gets the same news as two emails.

    SES may be asked to send an email twice, which the receiver recognizes by its idempotency key.
    """
    market.refresh()
    assert market.postings <= 1, "the slot is sold twice"
    assert market.counted <= market.postings, "the posting is counted twice"
    assert set(market.replies) <= {200, 503}, "the client's retry isn't accepted"
    emails = {(letter.to, letter.subject, letter.text) for letter in market.office.letters}
    keys = {letter.key for letter in market.office.letters}
    assert len(keys) == len(emails), "an email has two keys, or a key two emails"
    assert len(emails) == len(market.notified) + len(market.confirmed), "somebody got two emails"
    if recording.status == "SUCCEEDED":
        assert recording.result["notified"] == len(market.notified), "the result is wrong"
        assert recording.result["is_confirmed"] == bool(market.confirmed)
        assert market.counted == market.postings, "the posting isn't counted"


def _scenario(
    *external_events: ExternalEvent,
    event: Any = POSTING,
    mail_function: Handler = mail.handler,
    expects: str | None = None,
    **world: Any,
) -> Scenario:
    return Scenario(
        handler=handler,
        event=event,
        world=partial(marketplace_world, **world),
        external_events=external_events,
        expects=expects,
        invariant=_adds_up,
        execution_timeout=timedelta(seconds=EXECUTION_TIMEOUT_SECONDS),
        functions={API: start.handler, MAIL: mail_function},
        # The name that add_posting gives it, so that a client's retry finds this execution.
        execution_name=execution_name(f"posting {POSTING_ID}"),
    )


def _breaks(_: Any, __: Any) -> None:
    raise RuntimeError("Runtime exited with error: signal: killed")


def _addresses(*numbers: int) -> tuple[str, ...]:
    return tuple(address(number) for number in numbers)


all_are_notified = _scenario()
nobody_has_subscribed = _scenario(readers=0)
one_unsubscribes = _scenario(
    ExternalEvent(ONE_MINUTE, "a subscriber unsubscribes", lambda world: world.unsubscribe(0)),
    readers=1,
    closed_for=TWO_MINUTES_SECONDS,
)
one_address_is_refused = _scenario(refused=_addresses(0))
too_many_are_refused = _scenario(refused=_addresses(1, 2), expects="BookkeepingFailed")
mail_is_throttled = _scenario(readers=1, closed_for=TWO_MINUTES_SECONDS)
mail_is_down_for_a_day = _scenario(readers=2, closed_for=DAY_SECONDS, expects="BookkeepingFailed")
mail_function_breaks = _scenario(readers=1, mail_function=_breaks, expects="BookkeepingFailed")
seller_is_refused = _scenario(readers=1, refused=(SELLER,), expects="BookkeepingFailed")
too_many_have_subscribed = _scenario(readers=MAX_SUBSCRIBERS + 1, expects="BookkeepingFailed")
client_posts_again = _scenario(
    ExternalEvent(AT_ONCE, "the client posts again", Marketplace.post), readers=1
)
posting_is_gone = _scenario(readers=1, is_posted=False)
invalid_posting = _scenario(
    event={"posting_id": POSTING_ID, "trade": "caricatures"}, expects="InvalidPosting"
)
