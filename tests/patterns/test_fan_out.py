"""Validation of postings, slots, the API's responses, and retries of email."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dacapo import fail_next_calls
from patterns import mails, starting
from patterns.fan_out import logic, postings, start, subscribers
from patterns.fan_out.handler import CONFIRMATION_PAUSES
from patterns.fan_out.logic import Announcement, InvalidPosting, PostingRequest
from patterns.fan_out.subscribers import TooManySubscribers
from patterns.mails import MailRefused
from patterns.starting import start_once
from patterns.transient import HTTP_CLIENT, OUTLASTS, TransientError, is_transient
from scenarios.worlds.marketplace import (
    BOOKKEEPING,
    POSTING,
    POSTING_REQUEST,
    RIVAL,
    SELLER,
    address,
)
from scenarios.worlds.registry import dynamodb
from tests.baselines.marketplace import DURABLE, System, request, system
from tests.interference import Interleaving, crash_at, interleavings, moments, watching
from tests.logs import Log, listening

FUNCTION_TIMEOUT_SECONDS = 25
"""Timeout of the function that accepts postings (its template): less than the API's 30 s."""
TODAY = dt.date(2026, 1, 1)
THE_POSTING = logic.parse_announcement(POSTING)


def posting_request(**changes: Any) -> PostingRequest:
    return logic.parse_request(json.dumps(POSTING_REQUEST | changes), TODAY)


@pytest.fixture
def market() -> Iterator[System]:
    """The marketplace with two subscribers and no postings."""
    with system(DURABLE, readers=2) as market:
        yield market


# -- postings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["trade", "date", "location", "seller"])
@pytest.mark.parametrize("bad", [None, "", 17, [], "x\0y", "x#y@", "x" * 300], ids=repr)
def test_an_invalid_or_missing_field_is_named_and_its_value_is_not_repeated(
    field: str, bad: Any
) -> None:
    rest = {name: value for name, value in POSTING_REQUEST.items() if name != field}
    for fields in (rest, rest | {field: bad}):
        with pytest.raises(InvalidPosting, match=f"^{field}: ") as error:
            logic.parse_request(json.dumps(fields), TODAY)
        assert str(bad) not in str(error.value) or bad in (None, "", 17, [])


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "[" * 1_500, "x" * 2_001])
def test_a_body_that_is_not_an_object_is_rejected(body: str) -> None:
    with pytest.raises(InvalidPosting, match=r"^body: "):
        logic.parse_request(body, TODAY)


def test_an_extra_field_is_named() -> None:
    with pytest.raises(InvalidPosting, match=r"^price: "):
        posting_request(price=17)


def test_a_date_that_is_past_everywhere_is_rejected() -> None:
    assert posting_request(date="2025-12-31").date < TODAY, "it is still that day somewhere"
    with pytest.raises(InvalidPosting, match=r"^date: must not be in the past"):
        posting_request(date="2025-12-30")


@pytest.mark.parametrize("date", ["9999-12-31", "9999-12-02", "2036-01-01"])
def test_a_date_that_is_too_far_ahead_is_rejected(date: str) -> None:
    assert posting_request(date="2035-12-30").date == TODAY + dt.timedelta(days=3_650)
    with pytest.raises(InvalidPosting, match=r"^date: must be at most 3,650 days ahead"):
        posting_request(date=date)


@pytest.mark.parametrize(
    ("field", "name"), [("trade", "İ" * 41), ("location", "ß" * 41), ("location", "ﬃ" * 27)]
)
def test_a_name_that_is_too_long_only_in_lower_case_is_rejected(field: str, name: str) -> None:
    assert len(name) <= logic.MAX_NAME_CHARS < len(name.lower().casefold())
    with pytest.raises(InvalidPosting, match=f"^{field}: .*at most 80 characters in lower case"):
        posting_request(**{field: name})


@pytest.mark.parametrize("place", ["oslo", " Oslo ", "OSLO"])
def test_another_spelling_of_the_same_location_is_the_same_slot(place: str) -> None:
    assert posting_request(location=place).slot == THE_POSTING.slot


PARTS = st.from_regex(r"[a-z]([a-z ]{0,6}[a-z])?", fullmatch=True)
DATES = st.dates(TODAY, dt.date(2027, 1, 1)).map(dt.date.isoformat)
SLOTS = st.fixed_dictionaries({"trade": PARTS, "location": PARTS, "date": DATES})


@given(SLOTS, SLOTS)
def test_two_postings_share_a_slot_only_if_trade_date_and_location_match(
    one: dict[str, str], other: dict[str, str]
) -> None:
    def same(what: dict[str, str]) -> list[list[str]]:
        return [what[name].split() for name in sorted(what)]

    is_one = posting_request(**one).slot == posting_request(**other).slot
    assert is_one == (same(one) == same(other)) or one["trade"] != other["trade"]


@given(st.integers(1, 1_000))
def test_one_in_ten_emails_may_fail_but_always_one(subscribers: int) -> None:
    tolerated = logic.tolerated_failures(subscribers)
    assert tolerated == 1 or tolerated <= subscribers / 10
    assert tolerated >= 1


# -- slots ----------------------------------------------------------------------------------------


def test_exactly_one_of_two_concurrent_sellers_gets_the_slot() -> None:
    for order in interleavings(1, 1):
        with system(DURABLE) as market:
            bookings = Interleaving(order).run(
                [postings.dynamodb],
                A=lambda: postings.book(posting_request()),
                B=lambda: postings.book(posting_request(seller=RIVAL)),
            )
            winner, loser = list(order)
            assert (bookings[winner].is_new, bookings[loser]) == (True, None)
        assert market.world.postings == 1


def test_a_repeated_request_returns_the_posting_as_it_was_first_written(market: System) -> None:
    first, second = (
        postings.book(posting_request()),
        postings.book(posting_request(location="OSLO")),
    )
    assert first is not None
    assert second is not None
    assert (first.is_new, second.is_new) == (True, False)
    assert first.posting == second.posting


def test_a_posting_is_kept_for_a_month_after_its_date(market: System) -> None:
    postings.book(posting_request())
    (item,) = dynamodb.scan(TableName="postings")["Items"]
    assert int(item["expires_at"]["N"]) == dt.datetime(2026, 3, 31, tzinfo=dt.UTC).timestamp()


def book_posting() -> Announcement:
    booking = postings.book(posting_request())
    assert booking is not None
    return booking.posting


def stored_count() -> int:
    items = dynamodb.scan(TableName="trades")["Items"]
    return sum(int(item["postings"]["N"]) for item in items)


def test_a_posting_is_counted_once_even_if_it_is_counted_repeatedly(market: System) -> None:
    posting = book_posting()
    for _ in range(3):
        postings.count(posting)
    assert stored_count() == 1


def test_a_deleted_posting_is_not_counted(market: System) -> None:
    postings.count(THE_POSTING)
    assert stored_count() == 0


def test_a_count_that_conflicts_with_another_transaction_is_a_transient_error(
    market: System,
) -> None:
    reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    with Stubber(postings.dynamodb) as table:
        table.add_client_error(
            "transact_write_items",
            "TransactionCanceledException",
            modeled_fields={"CancellationReasons": reasons},
        )
        with pytest.raises(TransientError, match="TransactionConflict"):
            postings.count(THE_POSTING)


def test_subscribers_are_listed_up_to_the_limit_and_one_more_is_an_error(
    market: System,
) -> None:
    assert subscribers.of_trade("caricatures", limit=2) == ["s-000", "s-001"]
    with pytest.raises(TooManySubscribers, match="caricatures has more than 1 subscribers"):
        subscribers.of_trade("caricatures", limit=1)
    assert subscribers.of_trade("plumbing", limit=1) == []


# -- responses ------------------------------------------------------------------------------------


def test_a_repeated_request_stores_and_notifies_once(market: System) -> None:
    assert [market.post(), market.post()] == [201, 200]
    market.stage.play()
    assert [market.post()] == [200]
    market.stage.play()
    assert market.deliveries == "2 of 2 once"


def test_the_client_receives_its_response_before_anybody_is_notified(market: System) -> None:
    assert market.post() == 201
    assert market.deliveries == "2 of 2 never"


def test_a_slot_that_another_seller_holds_is_a_conflict_and_starts_nothing(market: System) -> None:
    assert [market.post(), market.post(RIVAL)] == [201, 409]
    market.stage.play()
    assert market.statuses == "SUCCEEDED", "one execution"
    assert market.world.confirmed == {SELLER: 1}


def handle(event: dict[str, Any]) -> dict[str, Any]:
    context: Any = None
    return start.handler(json.loads(json.dumps(event)), context)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body": None}, "body"),
        ({"body": "é", "isBase64Encoded": True}, "body"),
        ({"body": "/w==", "isBase64Encoded": True}, "body"),
        ({"body": json.dumps(POSTING_REQUEST | {"seller": "nobody"})}, "seller"),
    ],
)
def test_an_invalid_posting_is_a_400_that_names_the_field_and_stores_nothing(
    market: System, changes: dict[str, Any], message: str
) -> None:
    answer = handle(request() | changes)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["message"].startswith(f"{message}: ")
    assert dynamodb.scan(TableName="postings")["Count"] == 0


CHARACTERS = st.text(max_size=90) | st.text("İßﬃΣ # ", min_size=20, max_size=85)
CHANGES: Any = st.fixed_dictionaries(
    {},
    optional={
        "trade": CHARACTERS,
        "date": DATES | st.dates().map(dt.date.isoformat),
        "location": CHARACTERS,
        "seller": CHARACTERS,
    },
)
FIELDS = CHANGES.map(lambda changes: POSTING_REQUEST | changes)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | CHARACTERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CHARACTERS, inner, max_size=3),
)
BODIES = FIELDS.map(json.dumps) | ANYTHING.map(json.dumps) | st.text()
ENCODED = BODIES.map(lambda body: base64.b64encode(body.encode(errors="replace")).decode())
SENT = st.tuples(BODIES, st.just(value=False)) | st.tuples(ENCODED | BODIES, st.just(value=True))


@pytest.mark.prove
def test_any_body_gets_a_response_and_a_rejected_one_stores_nothing(market: System) -> None:
    statuses = set()

    @settings(max_examples=60, deadline=None, database=None)
    @given(SENT)
    @example((json.dumps(POSTING_REQUEST | {"date": "9999-12-31"}), False))
    @example((json.dumps(POSTING_REQUEST | {"trade": "İ" * 80}), False))
    @example((json.dumps(POSTING_REQUEST | {"location": "ﬃ" * 80}), False))
    def answer_any(sent: tuple[str, bool]) -> None:
        body, is_encoded = sent
        before = dynamodb.scan(TableName="postings")["Count"]
        response = handle(request() | {"body": body, "isBase64Encoded": is_encoded})
        stored = dynamodb.scan(TableName="postings")["Count"] - before
        assert response["statusCode"] in (200, 201, 400, 409)
        assert stored == (response["statusCode"] == 201)
        statuses.add(response["statusCode"])

    answer_any()
    assert {201, 400} <= statuses, "some bodies are valid, and some aren't"


def test_a_request_ends_before_its_function_even_if_every_call_takes_as_long_as_it_may(
    market: System,
) -> None:
    """The longest request: repeated after an older version started the bookkeeping."""
    posting = book_posting()
    start_once(f"{BOOKKEEPING}:live", f"posting {posting.posting_id}", {"in other": "words"})
    config: Any = HTTP_CLIENT
    clients: list[Any] = [postings.dynamodb, starting.lambda_client]
    with watching(clients) as calls:
        assert market.post() == 200
    assert len(calls.names) == 4
    assert all(client.meta.config.read_timeout == config.read_timeout for client in clients)
    assert config.retries["total_max_attempts"] == 1
    seconds = (len(calls.names) + 1) * (config.connect_timeout + config.read_timeout)
    assert seconds < FUNCTION_TIMEOUT_SECONDS


@pytest.mark.parametrize("service", ["dynamodb", "lambda"])
def test_a_request_during_an_outage_is_a_503_at_once(market: System, service: str) -> None:
    client: Any = {"dynamodb": postings.dynamodb, "lambda": starting.lambda_client}[service]
    failed = {"dynamodb": "update_item", "lambda": "invoke"}[service]
    with Stubber(client) as stubber:
        stubber.add_client_error(failed, "InternalServerError", http_status_code=500)
        assert market.post() == 503
        stubber.assert_no_pending_responses()


def test_a_body_in_base64_is_decoded(market: System) -> None:
    event = request()
    body = base64.b64encode(event["body"].encode()).decode()
    assert handle(event | {"body": body, "isBase64Encoded": True})["statusCode"] == 201


def test_a_throttled_start_is_a_503_and_the_clients_retry_completes_it(
    market: System,
) -> None:
    fail_next_calls("Invoke", "TooManyRequestsException")
    assert [handle(request())["statusCode"], handle(request())["statusCode"]] == [503, 200]
    market.stage.play()
    assert market.deliveries == "2 of 2 once"


def test_a_throttling_table_is_a_503(market: System) -> None:
    with Stubber(postings.dynamodb) as table:
        table.add_client_error("update_item", "ProvisionedThroughputExceededException")
        assert market.post() == 503


def test_an_announcement_started_by_an_older_version_counts_as_started(market: System) -> None:
    posting = book_posting()
    start_once(f"{BOOKKEEPING}:live", f"posting {posting.posting_id}", {"in other": "words"})
    assert market.post() == 200


@pytest.mark.parametrize("moment", moments(2), ids=lambda m: f"{m[1]} {m[0]}")
def test_a_request_that_crashes_and_is_retried_notifies_everybody_once(
    market: System, moment: tuple[int, str]
) -> None:
    with crash_at([postings.dynamodb, starting.lambda_client], moment) as crashes:
        market.post_until_accepted()
    assert crashes
    market.stage.play()
    assert market.deliveries == "2 of 2 once"
    assert market.world.confirmed == {SELLER: 1}


# -- mail -----------------------------------------------------------------------------------------


def test_the_error_for_a_rejected_address_does_not_repeat_it(market: System) -> None:
    market.world.office.refused = {address(0)}
    with pytest.raises(MailRefused, match="MessageRejected") as error:
        mails.send(address(0), "subject", "text", "key")
    assert "@" not in str(error.value)
    assert error.value.__suppress_context__
    assert not is_transient(error.value)


def test_a_throttled_email_is_a_transient_error(market: System) -> None:
    market.world.office.close_for(3600)
    with pytest.raises(ClientError) as error:
        mails.send(address(0), "subject", "text", "key")
    assert is_transient(error.value)


def test_no_log_contains_an_address(market: System) -> None:
    with listening("postings") as log:
        market.post()
        market.post(RIVAL)
        market.world.office.close_for(120)
        market.stage.play()
    assert_logged(log, "posting stored", "not sent yet")
    assert "@home" not in log.text


def assert_logged(log: Log, *messages: str) -> None:
    assert all(message in log.text for message in messages)


def test_the_confirmation_is_retried_for_more_than_six_hours() -> None:
    seconds = sum(pause.to_seconds() for pause in CONFIRMATION_PAUSES)
    assert seconds > OUTLASTS.to_seconds()


def test_an_email_whose_reply_is_lost_is_not_sent_again_by_the_client() -> None:
    """The step's retry sends it again, with the same idempotency key."""
    assert mails.client.meta.config.retries["total_max_attempts"] == 1
