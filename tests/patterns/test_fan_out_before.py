"""The bookkeeping made by hand: what it does, and where it is weak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from patterns import mails
from patterns.fan_out import before, leeds
from scenarios.worlds.marketplace import CONTROLLER, LEED, RIVAL, SELLER, address
from tests.by_hand.marketplace import BY_HAND, System, system
from tests.interference import Moment, dying_at, moments
from tests.logs import listening

CLIENTS = [leeds.dynamodb, before.lambda_client]
CALLS = 5
"""Look, store, and hand on to three subroutines."""


@pytest.fixture
def market() -> Iterator[System]:
    with system(BY_HAND, readers=3) as made:
        yield made


def test_it_does_the_same_job(market: System) -> None:
    assert market.post() == 201
    assert market.told == "3 of 3 not told", "not yet"
    market.stage.play()
    assert market.told == "3 of 3 once"
    assert market.world.confirmed == {SELLER: 1}
    assert market.stage.calls_of(CONTROLLER) == 3


def test_a_slot_that_is_taken_is_a_conflict(market: System) -> None:
    assert [market.post(), market.post(RIVAL)] == [201, 409]


def test_an_unknown_subroutine_does_not_pass_in_silence(market: System) -> None:
    market.stage.send(CONTROLLER, {"function": "notifyUsers", "leed": LEED})
    market.stage.play()
    assert market.ended == "1 dead letters"
    assert market.stage.calls_of(CONTROLLER) == 3


def test_a_refused_address_stops_nobody_and_is_known_to_the_log_only() -> None:
    with (
        listening("leeds") as log,
        system(BY_HAND, readers=3, refused=(address(0),)) as market,
    ):
        market.post()
        market.stage.play()
        assert market.told == "2 of 3 once, 1 of 3 not told"
        assert market.ended == "no dead letter"
    assert "s-000" in log.text
    assert address(0) not in log.text


@pytest.mark.parametrize("mail", range(3))
def test_who_dies_after_a_mail_sends_all_mails_up_to_it_again(market: System, mail: int) -> None:
    market.post()
    with dying_at([mails.client], (mail, "after")) as died:
        market.stage.play()
    assert died
    assert [market.world.told[address(n)] for n in range(3)] == [1 + (n <= mail) for n in range(3)]
    keys = Counter(letter.key for letter in market.world.office.letters)
    assert len(keys) == 4, "the second one has the key of the first"


@pytest.mark.parametrize("moment", moments(CALLS), ids=lambda m: f"{m[1]} {m[0]}")
def test_a_client_that_comes_again_loses_nothing_but_has_told_again_what_was_handed_on(
    market: System, moment: Moment
) -> None:
    with dying_at(CLIENTS, moment) as died:
        market.post_until_taken()
    assert died
    market.stage.play()
    number, when = moment
    was_handed_on = number > 2 or (number, when) == (2, "after")
    assert market.told == ("3 of 3 twice" if was_handed_on else "3 of 3 once")


def test_the_leed_is_counted_once_even_so(market: System) -> None:
    for _ in range(3):
        market.post()
    market.stage.play()
    assert market.told == "3 of 3 3 times"
    counted = leeds.dynamodb.scan(TableName="trades")["Items"]
    assert [item["leeds"]["N"] for item in counted] == ["1"]


def test_after_three_attempts_in_three_minutes_an_event_is_given_up() -> None:
    with system(BY_HAND, readers=3, closed_for=300) as market:
        market.post()
        market.stage.play()
        assert market.told == "3 of 3 not told"
        assert market.ended == "2 dead letters", "the count was kept"
