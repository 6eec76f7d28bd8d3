"""What a leed is, who gets a slot, what a client is told, and how long a mail is tried."""

from __future__ import annotations

import base64
import datetime as dt
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from dacapo import fail_next_calls
from patterns import mails, start
from patterns.fan_out import add_leed, leeds, logic, patience, subscribers
from patterns.fan_out.logic import Announcement, InvalidLeed, Posting
from patterns.fan_out.subscribers import TooManySubscribers
from patterns.mails import MailRefused
from patterns.start import start_once
from patterns.transient import TransientError, is_transient
from scenarios.worlds.marketplace import BOOKKEEPING, LEED, POSTING, RIVAL, SELLER, address
from scenarios.worlds.registry import dynamodb
from tests.by_hand.marketplace import DURABLE, System, request, system
from tests.interference import TurnTaking, dying_at, moments, orders
from tests.logs import Log, listening

ATTEMPTS_OF_A_CLIENT = 5
"""How often boto3 makes a call that is throttled, unless told otherwise."""
TODAY = dt.date(2026, 1, 1)
THE_LEED = logic.announcement_of(LEED)


def posting(**changes: Any) -> Posting:
    return logic.posting_of(json.dumps(POSTING | changes), TODAY)


@pytest.fixture
def market() -> Iterator[System]:
    """The marketplace with two subscribers, and nothing posted."""
    with system(DURABLE, readers=2) as made:
        yield made


# -- leeds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["trade", "date", "location", "seller"])
@pytest.mark.parametrize("bad", [None, "", 17, [], "x\0y", "x#y@", "x" * 300], ids=repr)
def test_a_field_that_is_bad_or_missing_is_named_and_not_repeated(field: str, bad: Any) -> None:
    rest = {name: value for name, value in POSTING.items() if name != field}
    for given_ in (rest, rest | {field: bad}):
        with pytest.raises(InvalidLeed, match=f"^{field}: ") as error:
            logic.posting_of(json.dumps(given_), TODAY)
        assert str(bad) not in str(error.value) or bad in (None, "", 17, [])


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "[" * 1_500, "x" * 2_001])
def test_a_body_that_is_no_object_is_refused(body: str) -> None:
    with pytest.raises(InvalidLeed, match=r"^the body: "):
        logic.posting_of(body, TODAY)


def test_a_field_too_many_is_named() -> None:
    with pytest.raises(InvalidLeed, match=r"^price: "):
        posting(price=17)


def test_a_date_that_is_past_everywhere_is_refused() -> None:
    assert posting(date="2025-12-31").date < TODAY, "somewhere it is still that day"
    with pytest.raises(InvalidLeed, match=r"^date: it is past"):
        posting(date="2025-12-30")


@pytest.mark.parametrize("place", ["oslo", " Oslo ", "OSLO"])
def test_the_same_place_written_otherwise_is_the_same_slot(place: str) -> None:
    assert posting(location=place).slot == THE_LEED.slot


PARTS = st.from_regex(r"[a-z]([a-z ]{0,6}[a-z])?", fullmatch=True)
DATES = st.dates(TODAY, dt.date(2027, 1, 1)).map(dt.date.isoformat)
SLOTS = st.fixed_dictionaries({"trade": PARTS, "location": PARTS, "date": DATES})


@given(SLOTS, SLOTS)
def test_two_slots_are_one_only_if_trade_date_and_place_are(
    one: dict[str, str], other: dict[str, str]
) -> None:
    def same(what: dict[str, str]) -> list[list[str]]:
        return [what[name].split() for name in sorted(what)]

    is_one = posting(**one).slot == posting(**other).slot
    assert is_one == (same(one) == same(other)) or one["trade"] != other["trade"]


@given(st.integers(1, 1_000))
def test_a_tenth_may_be_out_of_reach_but_always_one(subscribers: int) -> None:
    may = logic.tolerated(subscribers)
    assert may == 1 or may <= subscribers / 10
    assert may >= 1


# -- slots ----------------------------------------------------------------------------------------


def test_of_two_sellers_at_once_one_gets_the_slot_in_every_order() -> None:
    for order in orders(1, 1):
        with system(DURABLE) as made:
            got = TurnTaking(order).run(
                [leeds.dynamodb],
                A=lambda: leeds.book(posting()),
                B=lambda: leeds.book(posting(seller=RIVAL)),
            )
            winner, loser = list(order)
            assert (got[winner].is_new, got[loser]) == (True, None)
        assert made.world.leeds == 1


def test_the_same_seller_finds_the_leed_of_before_as_it_was_written(market: System) -> None:
    first, second = leeds.book(posting()), leeds.book(posting(location="OSLO"))
    assert first is not None
    assert second is not None
    assert (first.is_new, second.is_new) == (True, False)
    assert first.leed == second.leed


def test_a_leed_is_kept_for_a_month_after_its_date(market: System) -> None:
    leeds.book(posting())
    (item,) = dynamodb.scan(TableName="leeds")["Items"]
    assert int(item["expires_at"]["N"]) == dt.datetime(2026, 3, 31, tzinfo=dt.UTC).timestamp()


def booked() -> Announcement:
    booking = leeds.book(posting())
    assert booking is not None
    return booking.leed


def counted() -> int:
    items = dynamodb.scan(TableName="trades")["Items"]
    return sum(int(item["leeds"]["N"]) for item in items)


def test_a_leed_is_counted_once_however_often_and_whoever_counts(market: System) -> None:
    leed = booked()
    for _ in range(3):
        leeds.count(leed)
    assert counted() == 1


def test_a_leed_that_is_gone_is_not_counted(market: System) -> None:
    leeds.count(THE_LEED)
    assert counted() == 0


def test_a_count_that_another_one_is_in_the_way_of_is_tried_again(market: System) -> None:
    reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    with Stubber(leeds.dynamodb) as table:
        table.add_client_error(
            "transact_write_items",
            "TransactionCanceledException",
            modeled_fields={"CancellationReasons": reasons},
        )
        with pytest.raises(TransientError, match="TransactionConflict"):
            leeds.count(THE_LEED)


def test_as_many_subscribers_as_asked_for_are_listed_and_one_more_is_an_error(
    market: System,
) -> None:
    assert subscribers.of_trade("caricatures", most=2) == ["s-000", "s-001"]
    with pytest.raises(TooManySubscribers, match="caricatures has more than 1 subscribers"):
        subscribers.of_trade("caricatures", most=1)
    assert subscribers.of_trade("plumbing", most=1) == []


# -- what a client is told ------------------------------------------------------------------------


def test_a_leed_is_created_once_and_its_subscribers_are_told_once(market: System) -> None:
    assert [market.post(), market.post()] == [201, 200]
    market.stage.play()
    assert [market.post()] == [200]
    market.stage.play()
    assert market.told == "2 of 2 once"


def test_the_client_is_answered_before_anybody_is_told(market: System) -> None:
    assert market.post() == 201
    assert market.told == "2 of 2 not told"


def test_a_slot_that_is_taken_is_a_conflict_and_starts_nothing(market: System) -> None:
    assert [market.post(), market.post(RIVAL)] == [201, 409]
    market.stage.play()
    assert market.ended == "SUCCEEDED", "one execution"
    assert market.world.confirmed == {SELLER: 1}


def handle(event: dict[str, Any]) -> dict[str, Any]:
    context: Any = None
    return add_leed.handler(json.loads(json.dumps(event)), context)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body": None}, "the body"),
        ({"body": "é", "isBase64Encoded": True}, "the body"),
        ({"body": "/w==", "isBase64Encoded": True}, "the body"),
        ({"body": json.dumps(POSTING | {"seller": "nobody"})}, "seller"),
    ],
)
def test_what_is_no_leed_is_a_400_that_names_the_field_and_stores_nothing(
    market: System, changes: dict[str, Any], message: str
) -> None:
    answer = handle(request() | changes)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["message"].startswith(f"{message}: ")
    assert dynamodb.scan(TableName="leeds")["Count"] == 0


def test_a_body_that_comes_in_base64_is_the_same_body(market: System) -> None:
    event = request()
    body = base64.b64encode(event["body"].encode()).decode()
    assert handle(event | {"body": body, "isBase64Encoded": True})["statusCode"] == 201


def test_a_start_that_is_throttled_is_a_503_and_made_good_when_the_client_comes_again(
    market: System,
) -> None:
    fail_next_calls("Invoke", "TooManyRequestsException", times=ATTEMPTS_OF_A_CLIENT)
    assert [handle(request())["statusCode"], handle(request())["statusCode"]] == [503, 200]
    market.stage.play()
    assert market.told == "2 of 2 once"


def test_a_table_that_throttles_is_a_503(market: System) -> None:
    with Stubber(leeds.dynamodb) as table:
        table.add_client_error("update_item", "ProvisionedThroughputExceededException")
        assert market.post() == 503


def test_an_announcement_that_an_older_version_made_counts_as_started(market: System) -> None:
    leed = booked()
    start_once(f"{BOOKKEEPING}:live", f"leed {leed.leed_id}", {"in other": "words"})
    assert market.post() == 200


@pytest.mark.parametrize("moment", moments(2), ids=lambda m: f"{m[1]} {m[0]}")
def test_whoever_dies_while_posting_and_comes_again_has_everybody_told_once(
    market: System, moment: tuple[int, str]
) -> None:
    with dying_at([leeds.dynamodb, start.lambda_client], moment) as died:
        market.post_until_taken()
    assert died
    market.stage.play()
    assert market.told == "2 of 2 once"
    assert market.world.confirmed == {SELLER: 1}


# -- mail -----------------------------------------------------------------------------------------


def test_a_refusal_does_not_repeat_the_address_that_was_refused(market: System) -> None:
    market.world.office.refused = {address(0)}
    with pytest.raises(MailRefused, match="MessageRejected") as error:
        mails.send(address(0), "subject", "text", "key")
    assert "@" not in str(error.value)
    assert error.value.__suppress_context__
    assert not is_transient(error.value)


def test_a_mail_that_is_throttled_is_no_refusal(market: System) -> None:
    market.world.office.close_for(3600)
    with pytest.raises(ClientError) as error:
        mails.send(address(0), "subject", "text", "key")
    assert is_transient(error.value)


def test_no_log_holds_an_address(market: System) -> None:
    with listening("leeds") as log:
        market.post()
        market.post(RIVAL)
        market.world.office.close_for(120)
        market.stage.play()
    assert_logged(log, "leed taken", "not sent yet")
    assert "@home" not in log.text


def assert_logged(log: Log, *messages: str) -> None:
    assert all(message in log.text for message in messages)


THROTTLED = ClientError(
    {"Error": {"Code": "TooManyRequestsException"}, "ResponseMetadata": {"HTTPStatusCode": 429}},  # type: ignore[typeddict-item]
    "SendEmail",
)


@given(st.integers())
def test_a_mail_is_tried_for_more_than_an_hour_and_never_for_three(seed: int) -> None:
    random.seed(seed)
    decisions = [patience.retry_for_an_hour(THROTTLED, n) for n in range(1, 10)]
    assert [decision.should_retry for decision in decisions] == [True] * 8 + [False]
    seconds = sum(decision.delay_seconds for decision in decisions)
    assert 3600 < seconds < 3 * 3600


def test_what_does_not_pass_is_tried_once() -> None:
    assert not patience.retry_for_an_hour(MailRefused("no"), 1).should_retry


def test_the_seller_is_tried_for_more_than_an_hour_too() -> None:
    assert sum(pause.to_seconds() for pause in patience.CONFIRMATION_PAUSES) > 3600
