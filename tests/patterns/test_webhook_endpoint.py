"""The endpoint: who can't sign learns nothing, and who can is told what became of the answer."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dacapo import fail_next_calls
from patterns import callback_rows, callbacks
from patterns.callback_rows import State
from patterns.reference import Purpose, row_name
from patterns.webhook_callback import endpoint, keys, signature
from scenarios.worlds import loopback
from scenarios.worlds.transcription import FIRST_KEY, SECRET, TRANSCRIPT
from tests.interference import watching
from tests.logs import Log, listening
from tests.patterns.waiting import DAY_SECONDS, Wait, waiting

REFERENCE = "r" * 43
ROW = row_name(Purpose.WEBHOOK, REFERENCE)
SUCCESS: dict[str, Any] = {"kind": "success", "result": TRANSCRIPT}
FAILURE = {"kind": "failure", "message": "the recording is silent"}
HEARTBEAT = {"kind": "heartbeat"}
OTHER_KEY = "another key, which is as long as a key must be"
CLIENTS = [callback_rows.dynamodb, callbacks.lambda_client]


@pytest.fixture
def wait() -> Iterator[Wait]:
    with waiting(ROW) as (wait, _):
        yield wait


def event(
    message: Any = SUCCESS,
    *,
    key: str = FIRST_KEY,
    at: float | None = None,
    reference: str = REFERENCE,
    signed: bytes | None = None,
) -> dict[str, Any]:
    """A signed request, as the HTTP API hands it on."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    path = f"/callbacks/{reference}"
    headers = signature.headers(
        key, "POST", path, time.time() if at is None else at, body if signed is None else signed
    )
    request = loopback.Request("POST", path, headers | {"content-type": "application/json"}, body)
    return loopback.event_of(request, "POST /callbacks/{reference}", {"reference": reference})


def handle(event: dict[str, Any]) -> tuple[int, str]:
    context: Any = None
    answer = endpoint.handler(event, context)
    return answer["statusCode"], answer["body"]


def status(message: Any = SUCCESS, **changes: Any) -> int:
    return handle(event(message, **changes))[0]


# -- what a sender is told ------------------------------------------------------------------------


def test_a_success_reaches_the_handler_as_it_was_sent(wait: Wait) -> None:
    assert status() == 200
    assert json.loads(wait.result or "") == TRANSCRIPT
    assert wait.row().state is State.DONE


def test_a_failure_reaches_the_handler_with_its_message(wait: Wait) -> None:
    assert status(FAILURE) == 200
    assert wait.callback.callback_details is not None
    assert wait.callback.callback_details.error is not None
    assert wait.callback.callback_details.error.message == FAILURE["message"]


def test_a_sign_of_life_is_passed_on_and_answers_nothing(wait: Wait) -> None:
    assert status(HEARTBEAT) == 200
    assert wait.accepted() == ["heartbeat"]
    assert wait.row().state is State.OPEN


def test_the_same_answer_again_is_fine_and_another_is_a_conflict(wait: Wait) -> None:
    assert [status(), status(), status(FAILURE)] == [200, 200, 409]
    assert wait.accepted() == ["success"]


def test_the_same_answer_in_other_words_is_the_same_answer(wait: Wait) -> None:
    turned = json.dumps({"result": dict(reversed(TRANSCRIPT.items())), "kind": "success"}, indent=2)
    assert [status(), status(turned.encode())] == [200, 200]


def test_an_answer_after_the_deadline_is_gone(wait: Wait) -> None:
    wait.pass_time(DAY_SECONDS)
    assert status() == 410
    assert status(HEARTBEAT) == 410


@pytest.mark.parametrize("reference", ["x" * 43, "short", "x" * 44, "é" * 43])
def test_a_reference_that_nobody_waits_under_is_not_found(wait: Wait, reference: str) -> None:
    assert status(reference=reference) == 404
    assert wait.accepted() == []


def test_a_reference_for_another_purpose_answers_nothing_here(wait: Wait) -> None:
    callbacks.put(
        row_name(Purpose.APPROVAL, "a" * 43), "id", owner="me", deadline=9e9, not_before=0
    )
    assert status(reference="a" * 43) == 404


@pytest.mark.parametrize("message", [SUCCESS, FAILURE, HEARTBEAT], ids=lambda m: m["kind"])
def test_what_the_callback_api_can_not_take_now_is_asked_for_again(
    wait: Wait, message: dict[str, Any]
) -> None:
    call = f"SendDurableExecutionCallback{str(message['kind']).capitalize()}"
    fail_next_calls(call, "TooManyRequestsException")
    assert status(message) == 503
    assert status(message) == 200
    assert wait.accepted() == [message["kind"]]


def test_a_table_that_throttles_is_asked_for_again(wait: Wait) -> None:
    with Stubber(callback_rows.dynamodb) as table:
        table.add_client_error("update_item", "ProvisionedThroughputExceededException")
        assert status() == 503
    assert wait.row().state is State.OPEN
    assert status() == 200


# -- who may speak --------------------------------------------------------------------------------


def without(header: str) -> dict[str, Any]:
    request = event()
    del request["headers"][header]
    return request


REFUSED = {
    "no signature": lambda: without("x-signature"),
    "no timestamp": lambda: without("x-timestamp"),
    "another key": lambda: event(key=OTHER_KEY),
    "another body": lambda: event(signed=b"{}"),
    "another path": lambda: event() | {"rawPath": "/callbacks/" + "x" * 43},
    "an empty signature": lambda: with_header("x-signature", ""),
    "a signature that is no text": lambda: with_header("x-signature", "é\udc80"),
    "a timestamp that is no number": lambda: with_header("x-timestamp", "²"),
    "a timestamp that was changed": lambda: with_header("x-timestamp", str(int(time.time()) + 1)),
    "a body that is not base64": lambda: event() | {"isBase64Encoded": True, "body": "é"},
    "six minutes ago": lambda: event(at=time.time() - 360),
    "in six minutes": lambda: event(at=time.time() + 360),
    "too large": lambda: event(b"x" * (endpoint.LARGEST_BODY_BYTES + 1), key=OTHER_KEY),
    "nonsense": lambda: event(b"nonsense", key=OTHER_KEY),
    "an unknown reference": lambda: event(reference="x" * 43, key=OTHER_KEY),
}


def with_header(name: str, value: str) -> dict[str, Any]:
    request = event()
    request["headers"][name] = value
    return request


@pytest.mark.parametrize("what", REFUSED)
def test_whatever_is_not_signed_gets_the_same_answer_and_nothing_is_looked_up(
    wait: Wait, what: str
) -> None:
    with watching(CLIENTS) as calls:
        refused = handle(REFUSED[what]())
    assert refused == (401, '{"statusCode":401,"message":"not signed"}')
    assert calls.made == []


@pytest.mark.parametrize("skew", [-300, 300])
def test_a_clock_that_is_five_minutes_off_is_borne(wait: Wait, skew: int) -> None:
    assert status(at=time.time() + skew) == 200


def test_a_body_that_comes_in_base64_is_the_same_body(wait: Wait) -> None:
    request = event()
    request["body"] = base64.b64encode(request["body"].encode()).decode()
    assert handle(request | {"isBase64Encoded": True})[0] == 200


def test_a_body_that_is_too_large_is_refused_if_it_is_signed(wait: Wait) -> None:
    padded = json.dumps(SUCCESS).encode().ljust(endpoint.LARGEST_BODY_BYTES)
    assert status(padded + b" ") == 413
    assert status(padded) == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b"{}", "kind: must be success, failure or heartbeat"),
        (b'{"kind": "approve"}', "kind: must be success, failure or heartbeat"),
        (b'{"kind": "success"}', "result: missing"),
        (b'{"kind": "success", "result": {"words": 1}}', "result.transcript: missing"),
        (
            b'{"kind": "success", "result": {"transcript": "x", "words": "1"}}',
            "result.words: not as documented",
        ),
        (
            b'{"kind": "success", "result": {"transcript": "x", "words": 1e999}}',
            "result.words: not as documented",
        ),
        (b'{"kind": "failure", "message": ""}', "message: not as documented"),
    ],
)
def test_a_body_that_is_not_as_documented_is_refused_with_the_field_named(
    wait: Wait, body: bytes, says: str
) -> None:
    code, text = handle(event(body))
    assert (code, json.loads(text)["message"]) == (400, says)
    assert wait.row().state is State.OPEN


# -- keys -----------------------------------------------------------------------------------------


def rotate(**content: Any) -> None:
    boto3.client("secretsmanager").put_secret_value(
        SecretId=SECRET, SecretString=json.dumps(content)
    )


def test_during_a_rotation_both_keys_count_and_afterwards_the_new_one(wait: Wait) -> None:
    rotate(current=OTHER_KEY, previous=FIRST_KEY, since=time.time())
    assert status(HEARTBEAT, key=FIRST_KEY) == 200
    assert status(HEARTBEAT, key=OTHER_KEY) == 200
    wait.pass_time(keys.OVERLAP_SECONDS)
    assert status(HEARTBEAT, key=FIRST_KEY) == 401
    assert status(HEARTBEAT, key=OTHER_KEY) == 200


def test_a_key_that_was_rotated_since_it_was_fetched_is_fetched_again(wait: Wait) -> None:
    assert status(HEARTBEAT) == 200
    rotate(current=OTHER_KEY)
    assert status(HEARTBEAT, key=OTHER_KEY) == 200


def test_wrong_signatures_have_the_secret_fetched_once_a_minute_at_the_most(wait: Wait) -> None:
    status(HEARTBEAT)
    with watching([keys.provider.client]) as calls:
        for _ in range(5):
            assert status(key=OTHER_KEY) == 401
    assert calls.made == ["GetSecretValue"]
    wait.pass_time(60)
    with watching([keys.provider.client]) as calls:
        assert status(key=OTHER_KEY) == 401
    assert calls.made == ["GetSecretValue"]


def test_right_signatures_have_the_secret_fetched_once_in_five_minutes(wait: Wait) -> None:
    with watching([keys.provider.client]) as calls:
        for _ in range(6):
            assert status(HEARTBEAT) == 200
            wait.pass_time(59)
    assert calls.made == ["GetSecretValue"]


@pytest.mark.parametrize(
    "content", [{}, {"current": ""}, {"current": "short"}, {"current": None}, ["no", "keys"]]
)
def test_without_keys_nobody_is_let_in_and_everybody_asked_to_come_again(
    wait: Wait, content: Any, caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("secretsmanager").put_secret_value(
        SecretId=SECRET, SecretString=json.dumps(content)
    )
    with caplog.at_level(logging.ERROR):
        assert status(key="") == 503
    assert [record.reason for record in caplog.records] == ["the secret does not hold keys"]  # type: ignore[attr-defined]


def test_a_secret_that_can_not_be_read_lets_nobody_in(wait: Wait) -> None:
    boto3.client("secretsmanager").delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    assert status() == 503
    assert wait.row().state is State.OPEN


# -- anything at all ------------------------------------------------------------------------------

texts = st.text(max_size=60)
bodies = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([SUCCESS, FAILURE, HEARTBEAT]).map(lambda m: json.dumps(m).encode()),
    st.recursive(
        st.none() | st.booleans() | st.floats() | texts,
        lambda values: st.lists(values) | st.dictionaries(texts, values),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)
FEW = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


@pytest.fixture
def log() -> Iterator[Log]:
    with listening("webhook") as log:
        yield log


@given(
    body=st.one_of(texts, bodies.map(lambda body: base64.b64encode(body).decode()), st.none()),
    encoded=st.booleans(),
    headers=st.dictionaries(
        st.sampled_from(["x-signature", "X-Timestamp", "x-timestamp", "content-type"]), texts
    ),
    path=st.sampled_from([f"/callbacks/{REFERENCE}", "/callbacks/", "/"]) | texts,
    method=st.sampled_from(["POST", "GET", "PUT", "OPTIONS", "HEAD", ""]),
)
@FEW
def test_no_request_without_a_signature_answers_anything_or_ends_in_a_500(
    wait: Wait,
    log: Log,
    body: str | None,
    encoded: bool,
    headers: dict[str, str],
    path: str,
    method: str,
) -> None:
    request = event() | {"body": body, "isBase64Encoded": encoded, "rawPath": path}
    request["headers"] = headers
    request["requestContext"]["http"] |= {"method": method, "path": path}
    code, text = handle(request)
    assert code in {401, 404}
    assert wait.accepted() == []
    assert_nothing_leaks(wait, text + log.text)


@given(body=bodies, key=st.sampled_from([FIRST_KEY, OTHER_KEY]))
@FEW
def test_no_signed_body_ends_in_a_500_and_only_the_right_key_answers(
    wait: Wait, log: Log, body: bytes, key: str
) -> None:
    before = len(wait.accepted())
    code, text = handle(event(body, key=key))
    assert code in ({200, 400, 409, 410} if key == FIRST_KEY else {401})
    if code != 200:
        assert len(wait.accepted()) == before
    assert_nothing_leaks(wait, text + log.text)


def assert_nothing_leaks(wait: Wait, text: str) -> None:
    for secret in (REFERENCE, wait.callback_id, FIRST_KEY):
        assert secret not in text
