"""The books of a leed: who is told, who is not, how often, and what it takes to find that out."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest

from dacapo import Scenario
from dacapo.pytest_plugin import Durable
from dacapo.recording import Recording
from dacapo.service import quotas
from patterns import mails
from patterns.fan_out import leeds, subscribers
from patterns.fan_out.mailing import MAILS_AT_ONCE, MOST_SUBSCRIBERS
from patterns.fan_out.patience import MOST_ATTEMPTS
from scenarios import fan_out as stories
from scenarios.worlds.marketplace import LEED_ID, SELLER, address, subscriber
from tests.interference import Moment, dying_at, moments, watching
from tests.scenarios.engines import only_in_virtual_time
from tests.stories import STORIES

CLIENTS = [leeds.dynamodb, subscribers.dynamodb, mails.client]


def only_where_invokes_are_quick(durable: Durable) -> None:
    """Skip what shows nothing on AWS's runner that another test does not show there."""
    only_in_virtual_time(durable, "takes five real seconds over an invoke in a branch")


def with_readers(story: Scenario, readers: int) -> Scenario:
    """The same story, with so many subscribers."""
    world = story.world
    assert isinstance(world, partial)
    return replace(story, world=partial(world, readers=readers))


def assert_told(
    recording: Recording, *numbers: int, unsubscribed: int = 0, not_told: int = 0
) -> None:
    """These subscribers were told, once each, and the result says so."""
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.status == "SUCCEEDED", recording.error
    assert recording.world.told == {address(number): 1 for number in numbers}
    counts = (recording.result["told"], recording.result["unsubscribed"])
    assert counts == (len(numbers), unsubscribed)
    assert len(recording.result["not_told"]) == not_told


def assert_fails(recording: Recording, message: str) -> None:
    """It says which of the books could not be kept, and kept the others."""
    assert len(recording.invocations) > 1, "nothing was replayed"
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type or "").endswith("BookkeepingFailed")
    assert recording.error.message == message
    assert recording.world.counted == 1


# -- who is told ----------------------------------------------------------------------------------


def test_every_subscriber_and_the_seller_are_told_once_and_the_leed_is_counted(
    durable: Durable,
) -> None:
    recording = durable.run(stories.all_are_told)
    assert_told(recording, 0, 1, 2, 3)
    assert recording.result["leed_id"] == LEED_ID
    assert recording.result["is_confirmed"]
    assert recording.world.confirmed == {SELLER: 1}
    assert recording.world.counted == 1


def test_a_trade_that_nobody_has_subscribed_to_is_no_failure(durable: Durable) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(stories.nobody_has_subscribed)
    assert_told(recording)
    assert recording.world.confirmed == {SELLER: 1}


def test_who_unsubscribes_while_the_mails_go_out_is_left_in_peace(durable: Durable) -> None:
    only_in_virtual_time(durable, "retries at once")
    recording = durable.run(stories.one_has_unsubscribed)
    assert_told(recording, unsubscribed=1)
    assert recording.operation("mail s-000").attempts > 1


def test_a_refused_address_keeps_nobody_else_from_being_told_and_is_named(
    durable: Durable,
) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(stories.one_address_is_refused)
    assert_told(recording, 1, 2, 3, not_told=1)
    assert recording.result["not_told"] == [subscriber(0)]
    assert recording.operation("mail s-000").attempts == 1, "refused is refused"


def test_a_leed_that_is_gone_is_confirmed_to_nobody_and_not_counted(durable: Durable) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(stories.leed_is_gone)
    assert recording.status == "SUCCEEDED"
    assert not recording.result["is_confirmed"]
    assert (recording.world.confirmed, recording.world.counted) == ({}, 0)


def test_no_more_mails_are_under_way_at_once_than_ses_takes(durable: Durable) -> None:
    only_in_virtual_time(durable, "retries at once")
    recording = durable.run(with_readers(stories.mail_is_throttled, MAILS_AT_ONCE + 2))
    assert_told(recording, *range(MAILS_AT_ONCE + 2))
    mailings = [recording.operation(f"mail {subscriber(n)}") for n in range(MAILS_AT_ONCE + 2)]
    under_way = [m for m in mailings if m.attempts > 1]
    assert len(under_way) == MAILS_AT_ONCE, "the others began when SES was back"


# -- what fails, and what does not with it --------------------------------------------------------


def test_too_many_refused_addresses_end_the_mailing_and_the_numbers_are_told(
    durable: Durable,
) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(stories.too_many_are_refused)
    assert_fails(recording, "tell the subscribers: 2 of 4 mails failed, 1 may; no more were sent")
    assert recording.world.confirmed == {SELLER: 1}


def test_more_subscribers_than_fit_are_an_error_before_anybody_is_told(durable: Durable) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(stories.too_many_have_subscribed)
    what = f"caricatures has more than {MOST_SUBSCRIBERS} subscribers; nobody was told"
    assert_fails(recording, f"tell the subscribers: {what}")
    assert recording.world.told == {}


def test_a_seller_whose_address_is_refused_is_asked_for_once_and_all_others_are_told(
    durable: Durable,
) -> None:
    recording = durable.run(stories.seller_is_refused)
    assert_fails(recording, "confirm to the seller: SES refused the mail: MessageRejected")
    assert recording.world.told == {address(0): 1}
    assert recording.operations_named("write to the seller 2") == []


def test_a_mail_function_that_breaks_is_invoked_five_times_in_an_hour_and_a_half(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "would wait in real time between two invokes in a branch")
    recording = durable.run(stories.mail_function_breaks)
    assert_fails(recording, "confirm to the seller: Runtime exited with error: signal: killed")
    invokes = [o for o in recording.operations if o.name.startswith("write to the seller")]
    assert [o.status for o in invokes] == ["FAILED"] * 5
    assert recording.world.told == {address(0): 1}
    assert 90 * 60 < recording.virtual_seconds < 120 * 60


def test_mail_that_is_down_for_a_day_fails_in_both_branches_and_in_both_is_told(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "retries at once")
    recording = durable.run(stories.mail_is_down_for_a_day)
    assert_fails(
        recording,
        "tell the subscribers: 2 of 2 mails failed, 1 may; no more were sent; "
        "confirm to the seller: the mail can't be sent now: TooManyRequestsException",
    )


def test_an_event_that_is_no_leed_fails_with_the_field_named(durable: Durable) -> None:
    recording = durable.run(stories.no_leed)
    assert recording.error is not None
    assert (recording.error.type or "").endswith("InvalidLeed")
    assert recording.error.message == "date: Field required"
    assert recording.operations == []


# -- what comes again -----------------------------------------------------------------------------


def test_a_client_that_posts_again_gets_the_same_leed_and_nobody_is_told_again(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "has no execution names")
    recording = durable.run(stories.client_posts_again)
    assert_told(recording, 0)
    assert recording.world.replies == [200]
    assert recording.others == [], "no second execution"
    assert recording.world.leeds == 1


ONE_READER = with_readers(stories.all_are_told, 1)
CALLS = 6
"""What a leed with one subscriber takes: count, list, look up, send; look up, send."""


@pytest.mark.parametrize("moment", moments(CALLS), ids=lambda m: f"{m[1]} {m[0]}")
def test_whoever_dies_at_any_call_all_are_told_and_a_second_mail_has_the_key_of_the_first(
    durable: Durable, moment: Moment
) -> None:
    """SES takes no token, so a mail may come twice; the count is conditional, so it does not."""
    only_in_virtual_time(durable, "can't crash a handler")
    with dying_at(CLIENTS, moment) as died:
        recording = durable.run(ONE_READER)
    assert died
    assert recording.status == "SUCCEEDED"
    letters = recording.world.office.letters
    assert {letter.to for letter in letters} == {address(0), SELLER}
    assert len(letters) <= 3
    assert len({letter.key for letter in letters}) == 2
    assert recording.world.counted == 1


def test_a_leed_with_one_subscriber_is_six_calls(durable: Durable) -> None:
    only_in_virtual_time(durable, "calls from several threads")
    with watching(CLIENTS) as calls:
        durable.run(ONE_READER)
    assert sorted(calls.made) == sorted(
        ["TransactWriteItems", "Query", "GetItem", "SendEmail", "GetItem", "SendEmail"]
    )
    assert len(calls.made) == CALLS


# -- what it takes --------------------------------------------------------------------------------


def charged(durable: Durable, readers: int) -> int:
    """Operations of the worst day: every mail is tried to the last."""
    return durable.run(with_readers(stories.mail_is_down_for_a_day, readers)).charged_operations


def test_as_many_subscribers_as_it_takes_fit_the_quota_even_if_each_mail_is_tried_to_the_last(
    durable: Durable,
) -> None:
    only_in_virtual_time(durable, "charges nothing")
    alone, with_one = charged(durable, 0), charged(durable, 1)
    assert with_one - alone == 1 + MOST_ATTEMPTS == 10
    retries_of_other_steps = 3 * 5
    most = alone + retries_of_other_steps + MOST_SUBSCRIBERS * (with_one - alone)
    assert most <= quotas.OPERATIONS


def test_as_many_subscribers_as_it_takes_are_told(durable: Durable) -> None:
    only_in_virtual_time(durable, "takes minutes for so many")
    recording = durable.run(with_readers(stories.all_are_told, MOST_SUBSCRIBERS))
    assert_told(recording, *range(MOST_SUBSCRIBERS))
    listed = recording.operation("list the subscribers").payload or ""
    assert len(listed) * 20 < quotas.PAYLOAD_BYTES


@pytest.mark.parametrize(
    "name", ["one_address_is_refused", "seller_is_refused", "mail_is_down_for_a_day"]
)
def test_no_address_is_part_of_what_is_recorded_of_an_execution(
    durable: Durable, name: str
) -> None:
    only_in_virtual_time(durable, "has no history")
    assert SELLER.endswith("@home.example")
    recording = durable.run(STORIES[f"fan_out {name}"])
    assert "@" not in json.dumps(recording.to_json())


def test_every_operation_has_a_name_of_its_own(durable: Durable) -> None:
    only_where_invokes_are_quick(durable)
    recording = durable.run(stories.all_are_told)
    paths = [operation.path for operation in recording.operations]
    assert all(operation.name for operation in recording.operations)
    assert len(set(paths)) == len(paths)
    assert "keep the books/tell the subscribers/mail the subscribers/s-003/mail s-003" in paths
