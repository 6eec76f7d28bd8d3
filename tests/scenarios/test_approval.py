"""Waiting for a person: yes, no, silence, both, twice, too late, nonsense, and who only looks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dacapo import Happening, Scenario
from dacapo.pytest_plugin import Durable
from dacapo.recording import Recording
from patterns import callback_rows, callbacks, mails, reference
from patterns.approval import handler as approval
from patterns.approval import orders, outbox
from patterns.callback_rows import State
from scenarios import approval as stories
from scenarios.worlds.restaurant import GUEST, RESTAURANT, Restaurant
from tests.interference import Moment, at_every_call, dying_at, watching
from tests.scenarios.engines import only_in_virtual_time

CLIENTS = [
    *(orders.dynamodb, callback_rows.dynamodb, outbox.events, mails.client),
    *(callbacks.lambda_client, reference.kms),
]
ASKED = (RESTAURANT, "Order A-17: can you prepare it?")
GOOD_NEWS, BAD_NEWS, NO_NEWS = (
    (GUEST, f"Order A-17 {what}") for what in ("is being prepared", "was declined", "got no answer")
)
TOO_LATE = (RESTAURANT, "Order A-17 was withdrawn")
TOLD = {
    "accepted": (["order_placed", "order_accepted"], [ASKED, GOOD_NEWS]),
    "rejected": (["order_placed", "order_cancelled"], [ASKED, BAD_NEWS]),
    "unanswered": (["order_placed", "order_cancelled"], [ASKED, NO_NEWS, TOO_LATE]),
}
"""What the bus delivers, and who is written to, by ending."""


def assert_ends(durable: Durable, story: Scenario, ending: str, replies: list[int]) -> Recording:
    """The order is whole in all places: result, table, bus, mail, registry and page."""
    recording = durable.run(story)
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.result == {"order_id": "A-17", "ending": ending}
    assert recording.world.status == ending
    assert (recording.world.events, recording.world.mails) == TOLD[ending]
    assert recording.world.row.state is State.CLOSED
    assert recording.world.replies == replies
    return recording


# -- three endings --------------------------------------------------------------------------------


def test_a_yes_has_the_order_prepared(durable: Durable) -> None:
    recording = assert_ends(durable, stories.accepted, "accepted", [200])
    assert len(recording.invocations) == 2


def test_a_no_cancels_the_order_and_tells_the_guest(durable: Durable) -> None:
    assert_ends(durable, stories.rejected, "rejected", [200])


def test_silence_withdraws_the_order_after_five_minutes_and_tells_both(durable: Durable) -> None:
    recording = assert_ends(durable, stories.nobody_answers, "unanswered", [])
    assert recording.virtual_seconds == approval.ANSWER_TIMEOUT.to_seconds() == 300


def test_a_callback_that_is_failed_by_hand_is_no_approval(durable: Durable) -> None:
    assert_ends(durable, stories.failed_by_hand, "unanswered", [])


# -- what is done to the page ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "told"), [(stories.accepted_twice, 200), (stories.accepted_then_rejected, 409)]
)
def test_once_there_is_a_decision_the_same_button_is_fine_and_the_other_a_conflict(
    durable: Durable, story: Scenario, told: int
) -> None:
    only_in_virtual_time(durable, "ends with the execution, before the second press")
    recording = assert_ends(durable, story, "accepted", [200, told])
    assert [d.refused for d in recording.deliveries] == [None]


def test_a_yes_that_is_too_late_is_told_so_and_accepts_nothing(durable: Durable) -> None:
    recording = assert_ends(durable, stories.accepted_too_late, "unanswered", [410])
    assert recording.deliveries == []


def test_a_mail_scanner_that_fetches_the_link_decides_nothing(durable: Durable) -> None:
    recording = assert_ends(durable, stories.link_fetched_by_a_scanner, "unanswered", [200])
    assert recording.deliveries == []
    assert recording.world.row.deliveries == 0, "nothing was even intended"


def test_what_no_button_sends_is_refused_and_the_wait_goes_on(durable: Durable) -> None:
    recording = assert_ends(durable, stories.form_fiddled_with, "accepted", [400, 200])
    assert recording.operations_named("decision 2") == []


def test_a_press_that_can_not_be_passed_on_is_asked_for_again(durable: Durable) -> None:
    assert_ends(durable, stories.callbacks_throttled, "accepted", [503, 200])


# -- answers that are no decision -----------------------------------------------------------------


def test_after_a_nonsense_answer_the_same_link_still_leads_to_the_question(
    durable: Durable,
) -> None:
    recording = assert_ends(durable, stories.answered_with_nonsense_once, "accepted", [200])
    assert recording.operation("decision 2").status == "SUCCEEDED"


def test_nonsense_buys_nobody_more_than_the_five_minutes(durable: Durable) -> None:
    story = replace(stories.answered_with_nonsense_once, happenings=())
    recording = assert_ends(durable, story, "unanswered", [])
    assert recording.virtual_seconds == 300


def test_three_nonsense_answers_are_borne_and_never_become_an_approval(durable: Durable) -> None:
    recording = assert_ends(durable, stories.answered_with_nonsense_only, "unanswered", [])
    waits = [o for o in recording.operations if o.name in {f"decision {n}" for n in range(9)}]
    assert len(waits) == approval.MOST_ANSWERS == 3


def test_when_less_than_a_second_is_left_nobody_is_waited_for_again(durable: Durable) -> None:
    story = stories.answered_with_nonsense_at_the_last_moment
    recording = assert_ends(durable, story, "unanswered", [])
    assert recording.operations_named("decision 2") == []
    assert recording.virtual_seconds == 299.5


# -- orders that can't be placed ------------------------------------------------------------------


def assert_fails(durable: Durable, story: Scenario, error: str, message: str) -> Recording:
    """It says why, and nobody was bothered with it."""
    recording = durable.run(story)
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type or "").endswith(error)
    assert recording.error.message == message
    world = recording.world
    assert (world.events, world.mails, world.row) == ([], [], None)
    return recording


def test_an_order_whose_id_is_taken_fails_and_leaves_the_other_one_alone(durable: Durable) -> None:
    message = "order A-17 was placed by another execution"
    recording = assert_fails(durable, stories.order_exists, "StepError", message)
    assert recording.world.status == "placed"


def test_an_event_that_is_no_order_fails_with_the_field_named(durable: Durable) -> None:
    message = "guest: give an address for mail"
    recording = assert_fails(durable, stories.no_order, "InvalidOrder", message)
    assert recording.operations == []
    assert recording.world.status is None


# -- who dies -------------------------------------------------------------------------------------

CALLS = [
    *("PutItem", "PutEvents", "GenerateMac", "PutItem", "SendEmail"),
    *("UpdateItem", "SendDurableExecutionCallbackSuccess", "UpdateItem"),
    *("GenerateMac", "UpdateItem", "UpdateItem", "PutEvents", "SendEmail"),
]


def _press_again(restaurant: Restaurant) -> None:
    if restaurant.replies[-1] >= 500:
        restaurant.accept()


# A browser does not come again by itself; who sees an error page does.
AGAIN = Happening(timedelta(minutes=3), "the restaurant presses Yes again", _press_again)
ACCEPTED = replace(stories.accepted, happenings=(stories.ACCEPT, AGAIN))


@contextmanager
def keys_that_leave() -> Iterator[list[str]]:
    """The idempotency key of each event and each mail that is really sent: 64 hex digits."""
    keys: list[str] = []

    def see(request: Any, **_: Any) -> None:
        keys.extend(re.findall("[0-9a-f]{64}", request.body.decode()))

    for client in (outbox.events, mails.client):
        client.meta.events.register_first("before-send", see)
    try:
        yield keys
    finally:
        for client in (outbox.events, mails.client):
            client.meta.events.unregister("before-send", see)


def test_an_order_that_is_accepted_is_these_calls(durable: Durable) -> None:
    only_in_virtual_time(durable, "calls from several threads")
    with watching(CLIENTS) as calls:
        durable.run(ACCEPTED)
    assert calls.made == [*CALLS, "GetItem"], "the last one is the world's"


@at_every_call(CALLS)
def test_whoever_dies_at_any_call_an_order_that_was_accepted_is_accepted_once(
    durable: Durable, moment: Moment
) -> None:
    """Of events and mails, though, one may come twice: neither call takes a token.

    Who dies after such a call, before its step is on record, makes it again: at least once. The
    second one carries the key of the first, by which the receiver can tell.
    """
    only_in_virtual_time(durable, "can't crash a handler")
    with dying_at(CLIENTS, moment) as died, keys_that_leave() as keys:
        recording = durable.run(ACCEPTED)
    assert died
    assert recording.result == {"order_id": "A-17", "ending": "accepted"}
    assert recording.world.status == "accepted"
    assert len([d for d in recording.deliveries if d.refused is None]) == 1
    assert recording.world.replies[-1] == 200
    assert recording.world.row.state is State.CLOSED
    arrived = Counter([*recording.world.events, *(subject for _, subject in recording.world.mails)])
    assert set(arrived) == {"order_placed", "order_accepted", ASKED[1], GOOD_NEWS[1]}
    assert arrived.total() <= len(arrived) + 1
    assert sorted(arrived.values()) == sorted(Counter(keys).values()), "a double has another key"
