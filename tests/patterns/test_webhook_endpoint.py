"""The endpoint: unsigned requests learn nothing, signed ones learn how they were handled."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dacapo import fail_next_calls
from patterns import callbacks
from patterns.callbacks import service, table
from patterns.callbacks.reference import Purpose, row_name
from patterns.callbacks.table import State
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
STRANGERS_KEY = "a key that a stranger guessed, and which is wrong"
OTHER_KEY = "another key, which is as long as a key must be"
CLIENTS = [table.dynamodb, service.lambda_client]


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
    """Return a signed request, as the HTTP API sends it to the function."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    path = f"/callbacks/{reference}"
    headers = signature.headers(
        key, "POST", path, time.time() if at is None else at, body if signed is None else signed
    )
    request = loopback.Request("POST", path, headers | {"content-type": "application/json"}, body)
    return loopback.event_of(request, "POST /callbacks/{reference}", {"reference": reference})


def handle(event: dict[str, Any]) -> tuple[int, str]:
    context: Any = None
    response = endpoint.handler(event, context)
    return response["statusCode"], response["body"]


def status(message: Any = SUCCESS, **changes: Any) -> int:
    return handle(event(message, **changes))[0]


# -- responses to the sender ----------------------------------------------------------------------


def test_a_success_reaches_the_handler_unchanged(wait: Wait) -> None:
    assert status() == 200
    assert json.loads(wait.result or "") == TRANSCRIPT
    assert wait.row().state is State.DONE


def test_a_failure_reaches_the_handler_with_its_message(wait: Wait) -> None:
    assert status(FAILURE) == 200
    assert wait.callback.callback_details is not None
    assert wait.callback.callback_details.error is not None
    assert wait.callback.callback_details.error.message == FAILURE["message"]


def test_a_heartbeat_is_delivered_and_answers_nothing(wait: Wait) -> None:
    assert status(HEARTBEAT) == 200
    assert wait.accepted() == ["heartbeat"]
    assert wait.row().state is State.OPEN


def test_a_repeated_answer_is_accepted_and_a_different_one_is_a_conflict(wait: Wait) -> None:
    assert [status(), status(), status(FAILURE)] == [200, 200, 409]
    assert wait.accepted() == ["success"]


def test_the_same_answer_in_another_serialization_is_the_same_answer(wait: Wait) -> None:
    reordered = json.dumps(
        {"result": dict(reversed(TRANSCRIPT.items())), "kind": "success"}, indent=2
    )
    assert [status(), status(reordered.encode())] == [200, 200]


def test_an_answer_after_the_deadline_is_gone(wait: Wait) -> None:
    wait.pass_time(DAY_SECONDS)
    assert status() == 410
    assert status(HEARTBEAT) == 410


@pytest.mark.parametrize("reference", ["x" * 43, "short", "x" * 44, "é" * 43])
def test_an_unknown_reference_is_not_found(wait: Wait, reference: str) -> None:
    assert status(reference=reference) == 404
    assert wait.accepted() == []


def test_a_reference_for_another_purpose_is_not_found(wait: Wait) -> None:
    callbacks.put(row_name(Purpose.APPROVAL, "a" * 43), "id", owner="me", timeout=9e9)
    assert status(reference="a" * 43) == 404


@pytest.mark.parametrize("message", [SUCCESS, FAILURE, HEARTBEAT], ids=lambda m: m["kind"])
def test_the_sender_is_asked_to_retry_if_the_callback_api_throttles(
    wait: Wait, message: dict[str, Any]
) -> None:
    call = f"SendDurableExecutionCallback{str(message['kind']).capitalize()}"
    fail_next_calls(call, "TooManyRequestsException")
    assert status(message) == 503
    assert status(message) == 200
    assert wait.accepted() == [message["kind"]]


def test_the_sender_is_asked_to_retry_if_the_table_throttles(wait: Wait) -> None:
    with Stubber(table.dynamodb) as stub:
        stub.add_client_error("update_item", "ProvisionedThroughputExceededException")
        assert status() == 503
    assert wait.row().state is State.OPEN
    assert status() == 200


# -- authentication -------------------------------------------------------------------------------


def without(header: str) -> dict[str, Any]:
    request = event()
    del request["headers"][header]
    return request


UNSIGNED = {
    "no signature": lambda: without("x-signature"),
    "no timestamp": lambda: without("x-timestamp"),
    "another key": lambda: event(key=OTHER_KEY),
    "another body": lambda: event(signed=b"{}"),
    "another path": lambda: event() | {"rawPath": "/callbacks/" + "x" * 43},
    "an empty signature": lambda: with_header("x-signature", ""),
    "a signature that is not text": lambda: with_header("x-signature", "é\udc80"),
    "a timestamp that is not a number": lambda: with_header("x-timestamp", "²"),
    "a changed timestamp": lambda: with_header("x-timestamp", str(int(time.time()) + 1)),
    "a body that is not base64": lambda: event() | {"isBase64Encoded": True, "body": "é"},
    "six minutes ago": lambda: event(at=time.time() - 360),
    "in six minutes": lambda: event(at=time.time() + 360),
    "too large": lambda: event(b"x" * (callbacks.MAX_BODY_BYTES + 1), key=OTHER_KEY),
    "an invalid body": lambda: event(b"nonsense", key=OTHER_KEY),
    "an unknown reference": lambda: event(reference="x" * 43, key=OTHER_KEY),
}


def with_header(name: str, value: str) -> dict[str, Any]:
    request = event()
    request["headers"][name] = value
    return request


@pytest.mark.parametrize("case", UNSIGNED)
def test_every_unsigned_request_gets_the_same_response_and_causes_no_calls(
    wait: Wait, case: str
) -> None:
    with watching(CLIENTS) as calls:
        response = handle(UNSIGNED[case]())
    assert response == (401, '{"statusCode":401,"message":"invalid signature"}')
    assert calls.names == []


@pytest.mark.parametrize("skew", [-300, 300])
def test_a_clock_that_is_five_minutes_off_is_tolerated(wait: Wait, skew: int) -> None:
    assert status(at=time.time() + skew) == 200


def test_a_base64_body_is_decoded(wait: Wait) -> None:
    request = event()
    request["body"] = base64.b64encode(request["body"].encode()).decode()
    assert handle(request | {"isBase64Encoded": True})[0] == 200


def test_a_signed_body_that_is_too_large_is_rejected(wait: Wait) -> None:
    padded = json.dumps(SUCCESS).encode().ljust(callbacks.MAX_BODY_BYTES)
    assert status(padded + b" ") == 413
    assert status(padded) == 200


@pytest.mark.parametrize(
    ("body", "problem"),
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
            "result.words: invalid",
        ),
        (
            b'{"kind": "success", "result": {"transcript": "x", "words": 1e999}}',
            "result.words: invalid",
        ),
        (b'{"kind": "failure", "message": ""}', "message: invalid"),
    ],
)
def test_an_invalid_body_is_rejected_with_the_name_of_the_field(
    wait: Wait, body: bytes, problem: str
) -> None:
    code, text = handle(event(body))
    assert (code, json.loads(text)["message"]) == (400, problem)
    assert wait.row().state is State.OPEN


# -- keys -----------------------------------------------------------------------------------------


def rotate(**content: Any) -> None:
    boto3.client("secretsmanager").put_secret_value(
        SecretId=SECRET, SecretString=json.dumps(content)
    )


def test_both_keys_are_accepted_during_a_rotation_and_only_the_new_one_afterwards(
    wait: Wait,
) -> None:
    rotate(current=OTHER_KEY, previous=FIRST_KEY, since=time.time())
    assert status(HEARTBEAT, key=FIRST_KEY) == 200
    assert status(HEARTBEAT, key=OTHER_KEY) == 200
    wait.pass_time(keys.OVERLAP_SECONDS)
    assert status(HEARTBEAT, key=FIRST_KEY) == 401
    assert status(HEARTBEAT, key=OTHER_KEY) == 200


def test_a_key_that_was_rotated_since_it_was_cached_is_fetched_again(wait: Wait) -> None:
    assert status(HEARTBEAT) == 200
    rotate(current=OTHER_KEY)
    assert status(HEARTBEAT, key=OTHER_KEY) == 200


def test_bad_signatures_cause_at_most_one_fetch_of_the_secret_a_minute(wait: Wait) -> None:
    """Only a fetch shows that a signature is wrong; without one, it may be that of a newer key."""
    status(HEARTBEAT)
    with watching([keys.secrets_manager]) as calls:
        assert [status(key=OTHER_KEY) for _ in range(5)] == [401, 503, 503, 503, 503]
    assert calls.names == ["GetSecretValue"]
    wait.pass_time(60)
    with watching([keys.secrets_manager]) as calls:
        assert status(key=OTHER_KEY) == 401
    assert calls.names == ["GetSecretValue"]


def test_a_vendor_whose_key_changed_gets_no_401_because_of_a_strangers_requests(
    wait: Wait,
) -> None:
    status(HEARTBEAT)
    assert status(key=STRANGERS_KEY) == 401
    rotate(current=OTHER_KEY)
    assert status(HEARTBEAT, key=OTHER_KEY) == 503
    statuses = []
    while 200 not in statuses:
        wait.pass_time(10)
        assert status(key=STRANGERS_KEY) in (401, 503)
        statuses.append(status(HEARTBEAT, key=OTHER_KEY))
    assert set(statuses) <= {200, 503}
    assert len(statuses) <= 6, "learned within a minute"


def test_a_valid_request_is_accepted_at_once_while_a_stranger_sends_others(wait: Wait) -> None:
    for _ in range(3):
        assert status(key=STRANGERS_KEY) in (401, 503)
        assert status(HEARTBEAT) == 200


UNVERIFIABLE = (
    *("no signature", "no timestamp", "an empty signature", "a timestamp that is not a number"),
    *("a body that is not base64", "six minutes ago", "in six minutes"),
)


@pytest.mark.parametrize("name", UNVERIFIABLE)
def test_an_unsigned_or_malformed_request_is_a_401_and_costs_no_fetch(
    wait: Wait, name: str
) -> None:
    request = UNSIGNED[name]()
    with watching([keys.secrets_manager]) as calls:
        assert handle(request)[0] == 401
    assert calls.names == []


def test_after_a_failed_refresh_a_signed_request_is_a_503_until_the_next_one_succeeds(
    wait: Wait,
) -> None:
    assert status(HEARTBEAT) == 200
    rotate(current=OTHER_KEY)
    with fetches_failing():
        assert status(HEARTBEAT, key=OTHER_KEY) == 503
        assert status(HEARTBEAT) == 200, "the cached keys still count"
    assert status(HEARTBEAT, key=OTHER_KEY) == 503
    wait.pass_time(keys.FAILURE_SECONDS)
    assert status(HEARTBEAT, key=OTHER_KEY) == 200


@contextmanager
def fetches_failing() -> Iterator[None]:
    with Stubber(keys.secrets_manager) as stubber:
        for _ in range(10):
            stubber.add_client_error("get_secret_value", "InternalServiceError", "", 500)
        yield


def test_while_the_secret_is_unreadable_it_is_fetched_every_five_seconds_at_most(
    wait: Wait,
) -> None:
    boto3.client("secretsmanager").delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    with watching([keys.secrets_manager]) as calls:
        assert [status() for _ in range(20)] == [503] * 20
    assert calls.names == ["GetSecretValue"]
    wait.pass_time(keys.FAILURE_SECONDS)
    with watching([keys.secrets_manager]) as calls:
        assert [status() for _ in range(20)] == [503] * 20
    assert calls.names == ["GetSecretValue"]


def test_an_outage_of_five_hours_turns_no_signed_request_into_a_401(wait: Wait) -> None:
    assert status(HEARTBEAT) == 200
    with Stubber(keys.secrets_manager) as stubber:
        for _ in range(100):
            stubber.add_client_error("get_secret_value", "InternalServiceError", "", 500)
        for _ in range(30):
            wait.pass_time(600)
            assert status(HEARTBEAT) == 503
    wait.pass_time(keys.FAILURE_SECONDS)
    assert status(HEARTBEAT) == 200


def test_valid_signatures_cause_one_fetch_of_the_secret_in_five_minutes(wait: Wait) -> None:
    with watching([keys.secrets_manager]) as calls:
        for _ in range(6):
            assert status(HEARTBEAT) == 200
            wait.pass_time(59)
    assert calls.names == ["GetSecretValue"]


@pytest.mark.parametrize(
    "content", [{}, {"current": ""}, {"current": "short"}, {"current": None}, ["no", "keys"]]
)
def test_a_secret_without_valid_keys_rejects_everybody_with_a_503(
    wait: Wait, content: Any, caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("secretsmanager").put_secret_value(
        SecretId=SECRET, SecretString=json.dumps(content)
    )
    with caplog.at_level(logging.ERROR):
        assert status(key="") == 503
    assert [record.reason for record in caplog.records] == ["the secret holds no valid keys"]  # type: ignore[attr-defined]


def test_a_secret_that_cannot_be_read_rejects_everybody_with_a_503(wait: Wait) -> None:
    boto3.client("secretsmanager").delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    assert status() == 503
    assert wait.row().state is State.OPEN


# -- random requests ------------------------------------------------------------------------------

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
def test_a_random_unsigned_request_neither_answers_a_callback_nor_causes_a_500(
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
def test_a_random_signed_body_causes_no_500_and_answers_only_with_the_right_key(
    wait: Wait, log: Log, body: bytes, key: str
) -> None:
    number = len(wait.accepted())
    code, text = handle(event(body, key=key))
    assert code in ({200, 400, 409, 410} if key == FIRST_KEY else {401, 503})
    if code != 200:
        assert len(wait.accepted()) == number
    assert_nothing_leaks(wait, text + log.text)


def assert_nothing_leaks(wait: Wait, text: str) -> None:
    for secret in (REFERENCE, wait.callback_id, FIRST_KEY):
        assert secret not in text
