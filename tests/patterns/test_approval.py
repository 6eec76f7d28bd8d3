"""Approval: valid orders and decisions, idempotent writes, the page, and leaks."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.stub import Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dacapo import START, Simulation, fail_next_calls
from patterns import callbacks
from patterns.approval import logic, orders, outbox, page
from patterns.approval.logic import Decision, FinalStatus, InvalidOrder
from patterns.approval.orders import OrderExists
from patterns.callbacks import reference, service, table
from patterns.callbacks.reference import Purpose, row_name
from patterns.callbacks.table import State
from patterns.transient import TransientError, is_transient
from scenarios.worlds import loopback
from scenarios.worlds.approval import FORM, ORDER, ORDERS, approval_world
from tests.interference import watching
from tests.logs import Log, listening
from tests.patterns.waiting import DAY_SECONDS, Wait

REFERENCE = "r" * 43
CLIENTS = [table.dynamodb, service.lambda_client, reference.kms]
YES, NO = b"decision=accepted", b"decision=rejected"
FEW = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


@pytest.fixture
def wait() -> Iterator[Wait]:
    """An execution that waits for a decision."""
    simulation = Simulation(0, START)
    with simulation.running(), approval_world():
        yield Wait(simulation, row_name(Purpose.APPROVAL, REFERENCE))


# -- orders and decisions -------------------------------------------------------------------------


def test_an_order_keeps_its_four_fields_and_drops_others() -> None:
    assert logic.parse_order(ORDER | {"price": 0}) == ORDER


@pytest.mark.parametrize("field", ["order_id", "customer", "reviewer", "items"])
@pytest.mark.parametrize("bad", [None, "", 17, [], [17], ["soup", None], {}], ids=repr)
def test_the_error_names_a_missing_or_invalid_field(field: str, bad: Any) -> None:
    rest = {name: value for name, value in ORDER.items() if name != field}
    for event in (rest, rest | {field: bad}):
        with pytest.raises(InvalidOrder, match=f"^{field}: "):
            logic.parse_order(event)


@pytest.mark.parametrize("decision", Decision)
def test_each_decision_is_recognized(decision: Decision) -> None:
    assert logic.parse_decision(json.dumps({"decision": decision})) is decision


WORDS = st.sampled_from(["accepted", "rejected", "decision", "ACCEPTED", " accepted", "yes", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS,
    lambda values: st.lists(values) | st.dictionaries(WORDS | st.text(), values),
    max_leaves=8,
)


@given(st.text() | WORDS)
@FEW
def test_plain_text_is_never_a_decision(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        logic.parse_decision(text)


@given(VALUES | st.fixed_dictionaries({"decision": VALUES}))
@FEW
def test_only_an_object_with_exactly_one_valid_decision_is_a_decision(
    value: Any,
) -> None:
    decisions = [word for word in ("accepted", "rejected") if value == {"decision": word}]
    if decisions:
        assert logic.parse_decision(json.dumps(value)) == decisions[0]
    else:
        with pytest.raises(ValueError, match="not a decision"):
            logic.parse_decision(json.dumps(value))


def test_deeply_nested_json_is_not_a_decision() -> None:
    with pytest.raises(ValueError, match="not JSON"):
        logic.parse_decision("[" * 100_000)


def saved() -> tuple[str, str]:
    item = orders.dynamodb.get_item(TableName=ORDERS, Key={"order_id": {"S": "A-17"}})["Item"]
    return item["execution"]["S"], item["status"]["S"]


def test_saving_an_order_again_in_the_same_execution_changes_nothing(wait: Wait) -> None:
    order = logic.parse_order(ORDER)
    orders.save(order, "mine")
    orders.set_status(order, "mine", FinalStatus.REJECTED)
    orders.save(order, "mine")
    assert saved() == ("mine", "rejected")


def test_an_order_of_another_execution_is_neither_replaced_nor_updated(wait: Wait) -> None:
    order = logic.parse_order(ORDER)
    orders.save(order, "mine")
    with pytest.raises(OrderExists, match="A-17"):
        orders.save(order, "another")
    with pytest.raises(orders.dynamodb.exceptions.ConditionalCheckFailedException):
        orders.set_status(order, "another", FinalStatus.ACCEPTED)
    assert saved() == ("mine", "placed")


# -- events and emails ----------------------------------------------------------------------------


def test_an_event_that_the_bus_rejects_is_a_transient_error(wait: Wait) -> None:
    entry = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
    with Stubber(outbox.events) as bus:
        bus.add_response("put_events", {"FailedEntryCount": 1, "Entries": [entry]})
        with pytest.raises(TransientError, match=r"order_placed .* ThrottlingException") as error:
            outbox.publish("order_placed", logic.parse_order(ORDER), "mine")
    assert is_transient(error.value)


def test_the_idempotency_key_is_stable_and_unique_to_the_effect_and_the_execution() -> None:
    effects = [(execution, name) for execution in ("mine", "another") for name in ("yes", "no")]
    keys = [outbox.key(*effect) for effect in effects]
    assert len(set(keys)) == len(effects)
    assert [outbox.key(*effect) for effect in effects] == keys
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,256}", key) for key in keys), (
        "SES accepts no other tag"
    )


# -- the page -------------------------------------------------------------------------------------


def event(
    body: bytes = YES,
    *,
    method: str = "POST",
    reference: str = REFERENCE,
    headers: Mapping[str, str] = FORM,
) -> dict[str, Any]:
    """Return a request as the HTTP API passes it on."""
    request = loopback.Request(method, f"/approvals/{reference}", headers, body)
    route = f"{method} /approvals/{{reference}}"
    return loopback.event_of(request, route, {"reference": reference})


def handle(event: dict[str, Any]) -> dict[str, Any]:
    context: Any = None
    return page.handler(json.loads(json.dumps(event)), context)


def press(body: bytes = YES, **changes: Any) -> int:
    status: int = handle(event(body, **changes))["statusCode"]
    return status


def test_a_get_makes_no_aws_call_and_always_shows_the_same_page(wait: Wait) -> None:
    with watching(CLIENTS) as calls:
        pages = [
            handle(event(b"", method="GET", reference=reference))
            for reference in (REFERENCE, "x" * 43, "short")
        ]
    assert calls.names == []
    assert pages[0]["statusCode"] == 200
    assert pages[0] == pages[1] == pages[2]
    assert re.findall('value="(.*?)"', pages[0]["body"]) == list(Decision)


@pytest.mark.parametrize(
    "request_",
    [event(b"", method="GET"), event(), event(b"nonsense"), event(reference="x" * 43)],
    ids=["question", "decision", "invalid", "unknown"],
)
def test_no_page_can_be_cached_or_framed_or_leaks_its_link(
    wait: Wait, request_: dict[str, Any]
) -> None:
    headers = handle(request_)["headers"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy)


def test_the_execution_receives_the_decision(wait: Wait) -> None:
    assert press() == 200
    assert logic.parse_decision(wait.result or "") is Decision.ACCEPTED
    assert wait.accepted() == ["success"]


def test_the_same_button_again_succeeds_and_the_other_one_conflicts(wait: Wait) -> None:
    assert [press(NO), press(NO), press(YES)] == [200, 200, 409]
    assert logic.parse_decision(wait.result or "") is Decision.REJECTED


def test_a_decision_after_the_deadline_returns_410(wait: Wait) -> None:
    wait.pass_time(DAY_SECONDS)
    assert press() == 410


def test_a_base64_body_is_decoded(wait: Wait) -> None:
    request = event(headers={"content-type": "application/octet-stream"})
    assert base64.b64decode(request["body"]) == YES
    assert handle(request)["statusCode"] == 200


@pytest.mark.parametrize(
    "changes",
    [
        *({"body": body} for body in ("", None, "decision", "decision=", "decision=perhaps")),
        *({"body": body} for body in ("decision=ACCEPTED", '{"decision": "accepted"}')),
        {"body": "decision=accepted&decision=rejected"},
        {"body": "a=1&b=2&decision=accepted"},
        *({"body": body, "isBase64Encoded": True} for body in ("é", "decision=accepted", "/w==")),
    ],
    ids=repr,
)
def test_an_invalid_form_returns_400_without_an_aws_call(
    wait: Wait, changes: dict[str, Any]
) -> None:
    with watching(CLIENTS) as calls:
        assert handle(event() | changes)["statusCode"] == 400
    assert calls.names == []


@pytest.mark.parametrize("rest", [b"-not", b"&decision=rejected"])
def test_a_body_that_is_too_long_is_rejected_as_a_whole(wait: Wait, rest: bytes) -> None:
    padding = b"x" * (page.MAX_BODY_LENGTH - len(b"&" + YES))
    assert press(padding + b"&" + YES + rest) == 400
    assert wait.accepted() == []


@pytest.mark.parametrize(
    ("reference", "api_calls"),
    [("x" * 43, ["UpdateItem"]), ("short", []), ("x" * 44, []), ("é" * 43, [])],
)
def test_an_unknown_link_returns_404(wait: Wait, reference: str, api_calls: list[str]) -> None:
    with watching(CLIENTS) as calls:
        assert press(reference=reference) == 404
    assert calls.names == api_calls
    assert wait.row().state is State.OPEN


def test_a_reference_for_another_purpose_returns_404(wait: Wait) -> None:
    row = row_name(Purpose.WEBHOOK, "w" * 43)
    callbacks.put(row, "id", owner="me", timeout=9e9)
    assert press(reference="w" * 43) == 404


def test_a_throttled_callback_api_returns_503_and_a_retry_succeeds(wait: Wait) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")
    assert [press(), press()] == [503, 200]
    assert wait.accepted() == ["success"]


def test_a_click_between_two_waits_returns_503_and_asks_for_another_try(wait: Wait) -> None:
    wait.close(received=None, asks_again=True)
    answer = handle(event())
    assert answer["statusCode"] == 503
    assert "try again in a moment" in answer["body"]
    assert wait.row().state is State.BETWEEN


def test_a_decision_that_was_recorded_but_not_sent_wins_over_a_later_one(wait: Wait) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")
    assert [press(YES), press(NO), press(YES)] == [503, 409, 200]
    assert logic.parse_decision(wait.result or "") is Decision.ACCEPTED


def test_a_throttled_table_returns_503_and_a_retry_succeeds(wait: Wait) -> None:
    with Stubber(table.dynamodb) as stub:
        stub.add_client_error("update_item", "ProvisionedThroughputExceededException")
        assert press() == 503
    assert wait.row().state is State.OPEN
    assert press() == 200


# -- leaks ----------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[Log]:
    with listening("approval") as log:
        yield log


def assert_nothing_leaks(wait: Wait, log: Log, *answers: dict[str, Any]) -> None:
    for secret in (REFERENCE, wait.callback_id):
        assert secret not in json.dumps(answers)
        assert secret not in log.text


def test_neither_the_page_nor_the_log_reveals_the_reference_or_the_callback_id(
    wait: Wait, log: Log
) -> None:
    fail_next_calls("SendDurableExecutionCallbackSuccess", "TooManyRequestsException")
    answers = [handle(event(body)) for body in (YES, YES, NO, b"nonsense")]
    assert [answer["statusCode"] for answer in answers] == [503, 200, 409, 400]
    assert "decision not sent yet" in log.text
    assert "decision handled" in log.text
    assert_nothing_leaks(wait, log, *answers)


TEXTS = st.text(max_size=60)
BUTTONS = st.sampled_from(["decision=accepted", "decision=rejected"])
LINK = st.just(f"/approvals/{REFERENCE}")


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@given(
    body=BUTTONS | BUTTONS.map(in_base64) | TEXTS | TEXTS.map(in_base64) | st.none(),
    is_encoded=st.booleans(),
    headers=st.dictionaries(st.sampled_from(["content-type", "Accept", "cookie"]) | TEXTS, TEXTS),
    path=LINK | LINK | TEXTS.map("/approvals/{}".format) | TEXTS,
    method=st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "OPTIONS", "HEAD", ""]),
)
@FEW
def test_no_request_returns_a_500_or_leaks(
    wait: Wait,
    log: Log,
    body: str | None,
    is_encoded: bool,
    headers: dict[str, str],
    path: str,
    method: str,
) -> None:
    request = event() | {"body": body, "isBase64Encoded": is_encoded, "rawPath": path}
    request["headers"] = headers
    request["requestContext"]["http"] |= {"method": method, "path": path}
    answer = handle(request)
    expected = {"POST": {200, 400, 404, 409, 410, 503}, "GET": {200, 404}}
    assert answer["statusCode"] in expected.get(method, {404, 405})
    assert_nothing_leaks(wait, log, answer)
