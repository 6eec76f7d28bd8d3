"""The baseline of `fan_out`: what it does, and its weaknesses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from baselines import fan_out as baseline
from patterns import mails
from patterns.fan_out import postings
from scenarios.worlds.marketplace import CONTROLLER, POSTING, RIVAL, SELLER, address
from tests.baselines.marketplace import BASELINE, System, system
from tests.interference import Moment, crash_at, moments
from tests.logs import listening

CLIENTS = [postings.dynamodb, baseline.lambda_client]
CALLS = 5
"""Check, store, and invoke the controller for three subroutines."""


@pytest.fixture
def market() -> Iterator[System]:
    with system(BASELINE, readers=3) as market:
        yield market


def test_it_does_the_same_job(market: System) -> None:
    assert market.post() == 201
    assert market.deliveries == "3 of 3 never", "not yet"
    market.stage.play()
    assert market.deliveries == "3 of 3 once"
    assert market.world.confirmed == {SELLER: 1}
    assert market.stage.calls_of(CONTROLLER) == 3


def test_a_slot_that_another_seller_holds_is_a_conflict(market: System) -> None:
    assert [market.post(), market.post(RIVAL)] == [201, 409]


def test_an_unknown_subroutine_is_an_error(market: System) -> None:
    market.stage.send(CONTROLLER, {"function": "notifyUsers", "posting": POSTING})
    market.stage.play()
    assert market.statuses == "dead letters: 1"
    assert market.stage.calls_of(CONTROLLER) == 3


def test_a_rejected_address_stops_no_other_email_and_appears_only_in_the_log() -> None:
    with (
        listening("postings") as log,
        system(BASELINE, readers=3, refused=(address(0),)) as market,
    ):
        market.post()
        market.stage.play()
        assert market.deliveries == "2 of 3 once, 1 of 3 never"
        assert market.statuses == "dead letters: 0"
    assert "s-000" in log.text
    assert address(0) not in log.text


@pytest.mark.parametrize("mail", range(3))
def test_a_crash_after_an_email_sends_all_emails_up_to_it_again(market: System, mail: int) -> None:
    market.post()
    with crash_at([mails.client], (mail, "after")) as crashes:
        market.stage.play()
    assert crashes
    assert [market.world.notified[address(n)] for n in range(3)] == [
        1 + (n <= mail) for n in range(3)
    ]
    keys = Counter(letter.key for letter in market.world.office.letters)
    assert len(keys) == 4, "a duplicate has the key of the first"


@pytest.mark.parametrize("moment", moments(CALLS), ids=lambda m: f"{m[1]} {m[0]}")
def test_a_retry_after_a_crash_loses_nothing_but_repeats_the_emails_already_handed_over(
    market: System, moment: Moment
) -> None:
    with crash_at(CLIENTS, moment) as crashes:
        market.post_until_accepted()
    assert crashes
    market.stage.play()
    number, when = moment
    was_invoked = number > 2 or (number, when) == (2, "after")
    assert market.deliveries == ("3 of 3 twice" if was_invoked else "3 of 3 once")


def test_a_posting_that_is_sent_repeatedly_is_counted_once(market: System) -> None:
    for _ in range(3):
        market.post()
    market.stage.play()
    assert market.deliveries == "3 of 3 3 times"
    trades = postings.dynamodb.scan(TableName="trades")["Items"]
    assert [item["postings"]["N"] for item in trades] == ["1"]


def test_an_event_is_a_dead_letter_after_three_attempts_in_three_minutes() -> None:
    with system(BASELINE, readers=3, closed_for=300) as market:
        market.post()
        market.stage.play()
        assert market.deliveries == "3 of 3 never"
        assert market.statuses == "dead letters: 2", "the count succeeded"
