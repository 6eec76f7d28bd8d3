"""Human in the loop: every outcome, invalid and late answers, and a crash at every AWS call."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dacapo import Durable, ExternalEvent, Recording, Scenario
from patterns import mails
from patterns.approval import handler as approval
from patterns.approval import orders, outbox
from patterns.callbacks import reference, service, table
from patterns.callbacks.table import State
from scenarios import approval as scenarios
from scenarios.worlds.approval import CUSTOMER, REVIEWER, ApprovalWorld
from tests.interference import Moment, at_every_call, crash_at, watching
from tests.scenarios.engines import only_in_virtual_time

CLIENTS = [
    *(orders.dynamodb, table.dynamodb, outbox.events, mails.client),
    *(service.lambda_client, reference.kms),
]
ASKED = (REVIEWER, "Order A-17 needs your decision")
GOOD_NEWS, BAD_NEWS, NO_NEWS = (
    (CUSTOMER, f"Order A-17 {news}")
    for news in ("was accepted", "was rejected", "received no answer")
)
TOO_LATE = (REVIEWER, "Order A-17 was withdrawn")
NOTIFICATIONS = {
    "accepted": (["order_placed", "order_accepted"], [ASKED, GOOD_NEWS]),
    "rejected": (["order_placed", "order_cancelled"], [ASKED, BAD_NEWS]),
    "unanswered": (["order_placed", "order_cancelled"], [ASKED, NO_NEWS, TOO_LATE]),
}
"""Events on the bus, and emails, by final status of the order."""


def assert_ends(
    durable: Durable,
    scenario: Scenario,
    status: str,
    replies: list[int],
    row: State = State.CLOSED,
) -> Recording:
    """Check the final status in the result, table, bus, emails, registry, and page."""
    recording = durable.run(scenario)
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.result == {"order_id": "A-17", "status": status}
    assert recording.world.status == status
    assert (recording.world.events, recording.world.emails) == NOTIFICATIONS[status]
    assert recording.world.row.state is row
    assert recording.world.replies == replies
    return recording


# -- three outcomes -------------------------------------------------------------------------------


def test_accepting_an_order_publishes_it_and_notifies_the_customer(durable: Durable) -> None:
    recording = assert_ends(durable, scenarios.accepted, "accepted", [200])
    assert len(recording.invocations) == 2


def test_rejecting_an_order_cancels_it_and_notifies_the_customer(durable: Durable) -> None:
    assert_ends(durable, scenarios.rejected, "rejected", [200])


def test_without_an_answer_the_order_is_withdrawn_after_five_minutes_and_both_are_notified(
    durable: Durable,
) -> None:
    recording = assert_ends(durable, scenarios.nobody_answers, "unanswered", [])
    assert recording.virtual_seconds == approval.ANSWER_TIMEOUT.to_seconds() == 300


def test_a_callback_failed_by_an_operator_is_not_an_approval(durable: Durable) -> None:
    assert_ends(durable, scenarios.callback_failed_by_an_operator, "unanswered", [])


# -- the page -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "reply"),
    [(scenarios.accepted_twice, 200), (scenarios.accepted_then_rejected, 409)],
)
def test_after_a_decision_the_same_button_succeeds_and_the_other_one_conflicts(
    durable: Durable, scenario: Scenario, reply: int
) -> None:
    only_in_virtual_time(durable, "ends with the execution, before the second press")
    recording = assert_ends(durable, scenario, "accepted", [200, reply])
    assert [d.refused for d in recording.deliveries] == [None]


def test_accepting_after_the_deadline_returns_410_and_accepts_nothing(durable: Durable) -> None:
    recording = assert_ends(durable, scenarios.accepted_too_late, "unanswered", [410])
    assert recording.deliveries == []


def test_an_email_scanner_that_opens_the_link_decides_nothing(durable: Durable) -> None:
    recording = assert_ends(durable, scenarios.link_opened_by_a_scanner, "unanswered", [200])
    assert recording.deliveries == []
    assert recording.world.row.digest == "", "an intent was recorded"


def test_a_tampered_form_is_rejected_and_the_wait_continues(durable: Durable) -> None:
    recording = assert_ends(durable, scenarios.form_tampered_with, "accepted", [400, 200])
    assert recording.operations_named("decision 2") == []


def test_a_decision_that_cannot_be_sent_returns_503_and_can_be_retried(durable: Durable) -> None:
    assert_ends(durable, scenarios.callbacks_throttled, "accepted", [503, 200])


# -- invalid answers ------------------------------------------------------------------------------


def test_after_an_invalid_answer_the_same_link_still_works(
    durable: Durable,
) -> None:
    recording = assert_ends(durable, scenarios.invalid_answer_once, "accepted", [200])
    assert recording.operation("decision 2").status == "SUCCEEDED"


def test_an_invalid_answer_does_not_extend_the_five_minutes(durable: Durable) -> None:
    scenario = replace(scenarios.invalid_answer_once, external_events=())
    recording = assert_ends(durable, scenario, "unanswered", [])
    assert recording.virtual_seconds == 300


def test_three_invalid_answers_end_the_wait_without_an_approval(durable: Durable) -> None:
    recording = assert_ends(durable, scenarios.only_invalid_answers, "unanswered", [])
    waits = [o for o in recording.operations if o.name in {f"decision {n}" for n in range(9)}]
    assert len(waits) == approval.MAX_ANSWERS == 3


def test_with_less_than_a_second_left_the_wait_is_not_repeated(durable: Durable) -> None:
    late = replace(scenarios.ACCEPT, after=timedelta(minutes=6))
    scenario = replace(scenarios.invalid_answer_at_the_last_moment, external_events=(late,))
    recording = assert_ends(durable, scenario, "unanswered", [410], row=State.BETWEEN)
    assert recording.operations_named("decision 2") == []
    assert recording.virtual_seconds == 299.5


# -- orders that can't be placed ------------------------------------------------------------------


def assert_fails(durable: Durable, scenario: Scenario, error: str, message: str) -> Recording:
    """Check the error, and that nothing was sent."""
    recording = durable.run(scenario)
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type or "").endswith(error)
    assert recording.error.message == message
    world = recording.world
    assert (world.events, world.emails, world.row) == ([], [], None)
    return recording


def test_an_order_with_an_existing_id_fails_and_leaves_the_other_order_unchanged(
    durable: Durable,
) -> None:
    message = "order A-17 was placed by another execution"
    recording = assert_fails(durable, scenarios.order_exists, "StepError", message)
    assert recording.world.status == "placed"


def test_an_invalid_order_fails_and_names_the_field(durable: Durable) -> None:
    message = "customer: must be an email address"
    recording = assert_fails(durable, scenarios.invalid_order, "InvalidOrder", message)
    assert recording.operations == []
    assert recording.world.status is None


# -- crashes --------------------------------------------------------------------------------------

CALLS = [
    *("PutItem", "PutEvents", "GenerateMac", "PutItem", "GenerateMac", "SendEmail"),
    *("UpdateItem", "SendDurableExecutionCallbackSuccess", "UpdateItem"),
    *("UpdateItem", "UpdateItem", "PutEvents", "SendEmail"),
]


def _press_again(world: ApprovalWorld) -> None:
    if world.replies[-1] >= 500:
        world.accept()


# A browser doesn't retry by itself; a person who sees an error page does.
AGAIN = ExternalEvent(timedelta(minutes=3), "the reviewer presses Accept again", _press_again)
ACCEPTED = replace(scenarios.accepted, external_events=(scenarios.ACCEPT, AGAIN))


@contextmanager
def sent_keys() -> Iterator[list[str]]:
    """Context manager that collects the idempotency key of each event and email that is sent."""
    keys: list[str] = []

    def collect(request: Any, **_: Any) -> None:
        keys.extend(re.findall("[0-9a-f]{64}", request.body.decode()))

    for client in (outbox.events, mails.client):
        client.meta.events.register_first("before-send", collect)
    try:
        yield keys
    finally:
        for client in (outbox.events, mails.client):
            client.meta.events.unregister("before-send", collect)


def test_an_accepted_order_makes_exactly_these_aws_calls(durable: Durable) -> None:
    only_in_virtual_time(durable, "calls from several threads")
    with watching(CLIENTS) as calls:
        durable.run(ACCEPTED)
    assert calls.names == CALLS


@at_every_call(CALLS)
def test_a_crash_at_any_aws_call_still_accepts_the_order_once(
    durable: Durable, moment: Moment
) -> None:
    """One event or email may be sent twice: neither API accepts an idempotency token.

    After a crash between such a call and its checkpoint, the step repeats the call: at least once.
    The duplicate carries the same idempotency key, so that receivers can discard it.
    """
    only_in_virtual_time(durable, "can't crash a handler")
    with crash_at(CLIENTS, moment) as died, sent_keys() as keys:
        recording = durable.run(ACCEPTED)
    assert died
    assert recording.result == {"order_id": "A-17", "status": "accepted"}
    assert recording.world.status == "accepted"
    assert len([d for d in recording.deliveries if d.refused is None]) == 1
    assert recording.world.replies[-1] == 200
    assert recording.world.row.state is State.CLOSED
    delivered = Counter(
        [*recording.world.events, *(subject for _, subject in recording.world.emails)]
    )
    assert set(delivered) == {"order_placed", "order_accepted", ASKED[1], GOOD_NEWS[1]}
    assert delivered.total() <= len(delivered) + 1
    assert sorted(delivered.values()) == sorted(Counter(keys).values()), (
        "a duplicate has another key"
    )
