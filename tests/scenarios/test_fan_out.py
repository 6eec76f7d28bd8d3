"""The bookkeeping of a job posting: who is notified, how often, at what cost, and what can fail."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

import dacapo
from dacapo import Durable, Recording, Scenario, quotas
from patterns import mails
from patterns.fan_out import postings, subscribers
from patterns.fan_out.handler import CONFIRMATION_PAUSES
from patterns.fan_out.mailing import (
    CONCURRENT_EMAILS,
    EXECUTION_TIMEOUT_SECONDS,
    MAX_SUBSCRIBERS,
)
from patterns.transient import MAX_ATTEMPTS, MAX_DELAY, OUTLASTS, QUICK_RETRIES, RETRIES
from scenarios import fan_out as scenarios
from scenarios.worlds.marketplace import POSTING_ID, SELLER, address, subscriber
from tests.all_scenarios import SCENARIOS
from tests.interference import Moment, crash_at, moments, watching
from tests.scenarios.engines import only_in_virtual_time

CLIENTS = [postings.dynamodb, subscribers.dynamodb, mails.client]


def only_where_invokes_are_quick(durable: Durable) -> None:
    """Skip a test that adds nothing on AWS's runner to what another test shows there."""
    only_in_virtual_time(durable, "takes five real seconds over an invoke in a branch")


def with_readers(scenario: Scenario, readers: int) -> Scenario:
    """Return the same scenario with another number of subscribers."""
    world = scenario.world
    assert isinstance(world, partial)
    return replace(scenario, world=partial(world, readers=readers))


def assert_notified(
    recording: Recording, *numbers: int, unsubscribed: int = 0, not_notified: int = 0
) -> None:
    """Assert that exactly these subscribers were notified once, and that the result says so."""
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.world.notified == {address(number): 1 for number in numbers}
    counts = (recording.result["notified"], recording.result["unsubscribed"])
    assert counts == (len(numbers), unsubscribed)
    assert len(recording.result["not_notified"]) == not_notified


def assert_fails(recording: Recording, message: str) -> None:
    """Assert that the error names the failed branches, and that the count succeeded."""
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type or "").endswith("BookkeepingFailed")
    assert recording.error.message == message
    assert recording.world.counted == 1


# -- notifications --------------------------------------------------------------------------------


def test_every_subscriber_and_the_seller_are_notified_once_and_the_posting_is_counted(
    durable: Durable,
) -> None:
    recording = durable.run(scenarios.all_are_notified)
    assert_notified(recording, 0, 1, 2, 3)
    assert recording.result["posting_id"] == POSTING_ID
    assert recording.result["is_confirmed"]
    assert recording.world.confirmed == {SELLER: 1}
    assert recording.world.counted == 1


def test_a_trade_without_subscribers_is_not_a_failure(durable: Durable) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(scenarios.nobody_has_subscribed)
    assert_notified(recording)
    assert recording.world.confirmed == {SELLER: 1}


def test_a_subscriber_who_unsubscribes_during_the_mailing_receives_no_email(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "retries at once")
    recording = durable.run(scenarios.one_unsubscribes)
    assert_notified(recording, unsubscribed=1)
    assert recording.operation("mail s-000").attempts > 1


def test_a_rejected_address_is_listed_and_stops_no_other_email(
    durable: Durable,
) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(scenarios.one_address_is_refused)
    assert_notified(recording, 1, 2, 3, not_notified=1)
    assert recording.result["not_notified"] == [subscriber(0)]
    assert recording.operation("mail s-000").attempts == 1, "a rejection is permanent"


def test_a_deleted_posting_is_neither_confirmed_nor_counted(durable: Durable) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(scenarios.posting_is_gone)
    assert recording.status == "SUCCEEDED"
    assert not recording.result["is_confirmed"]
    assert (recording.world.confirmed, recording.world.counted) == ({}, 0)


def test_no_more_emails_are_in_flight_than_ses_allows(durable: Durable) -> None:
    only_in_virtual_time(durable, "retries at once")
    recording = durable.run(with_readers(scenarios.mail_is_throttled, CONCURRENT_EMAILS + 2))
    assert_notified(recording, *range(CONCURRENT_EMAILS + 2))
    mailings = [recording.operation(f"mail {subscriber(n)}") for n in range(CONCURRENT_EMAILS + 2)]
    under_way = [m for m in mailings if m.attempts > 1]
    assert len(under_way) == CONCURRENT_EMAILS, "the others start once SES is back"


# -- independent failures -------------------------------------------------------------------------


def test_too_many_rejected_addresses_stop_the_mailing_and_the_error_has_the_numbers(
    durable: Durable,
) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(scenarios.too_many_are_refused)
    assert_fails(
        recording,
        "notify the subscribers: 2 of 4 emails failed (at most 1 may), so sending stopped",
    )
    assert recording.world.confirmed == {SELLER: 1}


def test_too_many_subscribers_are_an_error_before_the_first_email(durable: Durable) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(scenarios.too_many_have_subscribed)
    reason = f"caricatures has more than {MAX_SUBSCRIBERS} subscribers; no email was sent"
    assert_fails(recording, f"notify the subscribers: {reason}")
    assert recording.world.notified == {}


def test_a_rejected_seller_is_not_retried_and_all_subscribers_are_notified(
    durable: Durable,
) -> None:
    recording = durable.run(scenarios.seller_is_refused)
    assert_fails(recording, "confirm to the seller: SES refused the email: MessageRejected")
    assert recording.world.notified == {address(0): 1}
    assert recording.operations_named("confirm to the seller 2") == []


def test_an_email_function_that_crashes_is_invoked_for_six_hours(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "would wait in real time between two invokes in a branch")
    recording = durable.run(scenarios.mail_function_breaks)
    assert_fails(recording, "confirm to the seller: Runtime exited with error: signal: killed")
    invokes = [o for o in recording.operations if o.name.startswith("confirm to the seller ")]
    assert [o.status for o in invokes] == ["FAILED"] * (1 + len(CONFIRMATION_PAUSES))
    assert recording.world.notified == {address(0): 1}
    assert OUTLASTS.to_seconds() < recording.virtual_seconds < 7 * 3600


@pytest.mark.prove
def test_a_day_without_mail_fails_both_branches_and_the_error_names_both(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "retries at once")
    recording = durable.run(scenarios.mail_is_down_for_a_day)
    assert_fails(
        recording,
        "notify the subscribers: 2 of 2 emails failed (at most 1 may), so sending stopped; "
        "confirm to the seller: the email can't be sent now: TooManyRequestsException",
    )


def test_an_invalid_event_fails_with_the_field_named(durable: Durable) -> None:
    recording = durable.run(scenarios.invalid_posting)
    assert recording.error is not None
    assert (recording.error.type or "").endswith("InvalidPosting")
    assert recording.error.message == "date: Field required"
    assert recording.operations == []


# -- retries and crashes --------------------------------------------------------------------------


def test_a_repeated_request_returns_the_same_posting_and_notifies_nobody_again(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "has no execution names")
    recording = durable.run(scenarios.client_posts_again)
    assert_notified(recording, 0)
    assert recording.world.replies == [200]
    assert recording.others == [], "no second execution"
    assert recording.world.postings == 1


@pytest.mark.parametrize("service", ["dynamodb", "lambda"])
def test_a_client_that_posts_while_a_service_hangs_receives_a_503_in_time(
    durable: Durable, service: str
) -> None:
    only_in_virtual_time(durable, "has no outages")
    outage = dacapo.outage(service, lasts=timedelta(hours=1), kind="hanging")
    scenario = scenarios.client_posts_again
    events = [outage, *scenario.external_events]
    recording = durable.run(replace(scenario, external_events=events))
    assert {call.service for call in recording.failed_calls} == {service}
    assert recording.world.replies == [503]
    (seconds,) = recording.world.latencies
    assert 0 < seconds < 25, "the function's timeout is 25 s"
    assert recording.status == "SUCCEEDED"
    assert recording.world.notified == {address(0): 1}


ONE_READER = with_readers(scenarios.all_are_notified, 1)
CALLS = 6
"""The calls for a posting with one subscriber: count, list, look up, send; look up, send."""


@pytest.mark.parametrize("moment", moments(CALLS), ids=lambda m: f"{m[1]} {m[0]}")
def test_a_crash_at_any_call_skips_nobody_and_a_duplicate_email_has_the_same_key(
    durable: Durable, moment: Moment
) -> None:
    """SES accepts no token, so an email may be sent twice. The conditional count stays exact."""
    only_in_virtual_time(durable, "can't crash a handler")
    with crash_at(CLIENTS, moment) as crashes:
        recording = durable.run(ONE_READER)
    assert crashes
    assert recording.status == "SUCCEEDED"
    letters = recording.world.office.letters
    assert {letter.to for letter in letters} == {address(0), SELLER}
    assert len(letters) <= 3
    assert len({letter.key for letter in letters}) == 2
    assert recording.world.counted == 1


def test_a_posting_with_one_subscriber_makes_six_calls(durable: Durable) -> None:
    only_in_virtual_time(durable, "calls from several threads")
    with watching(CLIENTS) as calls:
        durable.run(ONE_READER)
    assert sorted(calls.names) == sorted(
        ["TransactWriteItems", "Query", "GetItem", "SendEmail", "GetItem", "SendEmail"]
    )
    assert len(calls.names) == CALLS


# -- quotas and privacy ---------------------------------------------------------------------------


def charged(durable: Durable, readers: int) -> int:
    """Return the operations charged on the worst day, when an email uses all its attempts."""
    return durable.run(with_readers(scenarios.mail_is_down_for_a_day, readers)).charged_operations


@pytest.mark.prove
def test_the_maximum_of_subscribers_fits_the_quota_even_if_mail_fails_all_day(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "charges nothing")
    alone, with_one = charged(durable, 0), charged(durable, 1)
    assert with_one - alone == 1 + MAX_ATTEMPTS
    retries_of_other_steps = 2 * RETRIES  # to list the subscribers, and to count the posting
    others = alone + retries_of_other_steps
    emails = MAX_SUBSCRIBERS * (2 + QUICK_RETRIES)
    slow_retries = CONCURRENT_EMAILS * EXECUTION_TIMEOUT_SECONDS // (MAX_DELAY.to_seconds() // 2)
    assert (others, emails, slow_retries) == (170, 500 + 1_250, 576)
    assert others + emails + slow_retries <= quotas.OPERATIONS


@pytest.mark.prove
def test_the_maximum_of_subscribers_is_notified(durable: Durable) -> None:
    only_in_virtual_time(durable, "takes minutes for so many")
    recording = durable.run(with_readers(scenarios.all_are_notified, MAX_SUBSCRIBERS))
    assert_notified(recording, *range(MAX_SUBSCRIBERS))
    listed = recording.operation("list the subscribers").payload or ""
    assert len(listed) * 20 < quotas.PAYLOAD_BYTES


@pytest.mark.parametrize(
    "name",
    [
        *("one_address_is_refused", "seller_is_refused"),
        pytest.param("mail_is_down_for_a_day", marks=pytest.mark.prove),
    ],
)
def test_no_recording_of_an_execution_contains_an_address(durable: Durable, name: str) -> None:
    only_in_virtual_time(durable, "has no history")
    assert SELLER.endswith("@home.example")
    recording = durable.run(SCENARIOS[f"fan_out {name}"])
    assert "@" not in json.dumps(recording.to_json())


def test_every_operation_has_a_name_of_its_own(durable: Durable) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(scenarios.all_are_notified)
    paths = [operation.path for operation in recording.operations]
    assert all(operation.name for operation in recording.operations)
    assert len(set(paths)) == len(paths)
    assert (
        "do the bookkeeping/notify the subscribers/mail the subscribers/s-003/mail s-003" in paths
    )
