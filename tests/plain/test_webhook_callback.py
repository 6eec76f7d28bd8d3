"""A vendor that calls back, with nothing but AWS's own runner, moto, and botocore's stubs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.stub import ANY, Stubber

from patterns.callbacks import reference, service, table
from patterns.webhook_callback import endpoint, keys, partner, signature
from patterns.webhook_callback import handler as webhook

kms = boto3.client("kms")
secrets_manager = boto3.client("secretsmanager")

EVENT = json.dumps({"recording": "s3://recordings/call-17.mp3"})
TRANSCRIPT = {"transcript": "s3://transcripts/call-17.txt", "words": 812}
SIGNING_KEY = "a key that is as long as a key has to be"


class Vendor(BaseHTTPRequestHandler):
    """The vendor's API: accepts every job, after `busy` responses with 503."""

    jobs: list[dict[str, Any]]
    requests: int
    busy: int
    accepted: threading.Event

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        job = json.loads(self.rfile.read(length))
        Vendor.requests += 1
        is_busy = Vendor.requests <= Vendor.busy
        if not is_busy:
            Vendor.jobs.append(job)
            Vendor.accepted.set()
        self.send_response(503 if is_busy else 202)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def vendor() -> Iterator[type[Vendor]]:
    """Serve the vendor's API on loopback."""
    Vendor.jobs, Vendor.requests, Vendor.busy = [], 0, 0
    Vendor.accepted = threading.Event()
    with HTTPServer(("127.0.0.1", 0), Vendor) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv(partner.URL_VARIABLE, f"http://127.0.0.1:{server.server_port}")
            yield Vendor
        server.shutdown()


@pytest.fixture
def runner(
    runner_of: Callable[[Any], DurableFunctionTestRunner],
    create_table: Callable[..., None],
    vendor: type[Vendor],
    monkeypatch: pytest.MonkeyPatch,
) -> DurableFunctionTestRunner:
    create_table("callbacks", table.KEY)
    key = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")
    secret = json.dumps({"current": SIGNING_KEY})
    secrets_manager.create_secret(Name="signing-key", SecretString=secret)
    keys.forget()
    monkeypatch.setenv(table.TABLE_VARIABLE, "callbacks")
    monkeypatch.setenv(reference.KEY_VARIABLE, key["KeyMetadata"]["KeyId"])
    monkeypatch.setenv(keys.SECRET_VARIABLE, "signing-key")
    monkeypatch.setenv(webhook.URL_VARIABLE, "https://api.example")
    return runner_of(webhook.handler)


@pytest.fixture
def lambda_api(stub: Callable[[Any], Stubber]) -> Stubber:
    """Stub the API that answers callbacks: moto doesn't know it, and the runner serves no HTTP."""
    return stub(service.lambda_client)


def start(runner: DurableFunctionTestRunner) -> tuple[str, str]:
    """Start the execution; return its ARN, and the ID of its callback once it is open."""
    arn = runner.run_async(EVENT)
    return arn, runner.wait_for_callback(arn)


def call_back(vendor: type[Vendor], message: dict[str, Any], key: str = SIGNING_KEY) -> int:
    """Call the URL of the only job, as the vendor does; return the status of the response."""
    (job,) = vendor.jobs
    path, body = urlsplit(job["callback_url"]).path, json.dumps(message)
    request = {
        "version": "2.0",
        "rawPath": path,
        "requestContext": {"http": {"method": "POST", "path": path}, "stage": "$default"},
        "headers": signature.headers(key, "POST", path, time.time(), body.encode()),
        "body": body,
    }
    context: Any = SimpleNamespace(function_name="endpoint", aws_request_id="1")
    return int(endpoint.handler(request, context)["statusCode"])


def test_a_signed_transcript_completes_the_execution(
    runner: DurableFunctionTestRunner,
    bodies: list[int],
    vendor: type[Vendor],
    lambda_api: Stubber,
) -> None:
    arn, callback_id = start(runner)
    answer = json.dumps(TRANSCRIPT, sort_keys=True)
    parameters = {"CallbackId": callback_id, "Result": answer}
    lambda_api.add_response("send_durable_execution_callback_success", {}, parameters)
    message = {"kind": "success", "result": TRANSCRIPT}
    assert call_back(vendor, message, key="f" * 40) == 401
    assert call_back(vendor, message) == 200
    assert call_back(vendor, message) == 200, "a repeated answer was refused"
    # What the endpoint sent reached the stub, once; hand it to the runner.
    runner.send_callback_success(callback_id, answer.encode())
    assert json.loads(str(runner.wait_for_result(arn).result)) == TRANSCRIPT
    assert len(bodies) == 2, "the handler was not replayed"
    assert len(vendor.jobs) == 1


def test_a_vendor_that_is_busy_gets_the_job_once(
    runner: DurableFunctionTestRunner,
    bodies: list[int],
    vendor: type[Vendor],
    lambda_api: Stubber,
) -> None:
    vendor.busy = 2
    for _ in range(vendor.busy):  # before each retry, the step keeps its callback open
        parameters = {"CallbackId": ANY}
        lambda_api.add_response("send_durable_execution_callback_heartbeat", {}, parameters)
    arn, callback_id = start(runner)
    # The runner calls a callback ready although its submitter has failed and will be retried.
    assert vendor.accepted.wait(timeout=10)
    runner.send_callback_success(callback_id, json.dumps(TRANSCRIPT).encode())
    assert json.loads(str(runner.wait_for_result(arn).result)) == TRANSCRIPT
    assert (len(vendor.jobs), vendor.requests) == (1, 3)
    assert len(bodies) >= 3, "the submitter was not retried"


def test_a_failure_ends_the_execution_with_the_vendors_reason(
    runner: DurableFunctionTestRunner,
) -> None:
    arn, callback_id = start(runner)
    error = ErrorObject("the recording is silent", None, None, None)
    runner.send_callback_failure(callback_id, error)
    result = runner.wait_for_result(arn)
    assert result.error is not None
    assert "the recording is silent" in str(result.error.message)


def test_a_heartbeat_is_passed_on_and_answers_nothing(
    runner: DurableFunctionTestRunner, vendor: type[Vendor], lambda_api: Stubber
) -> None:
    arn, callback_id = start(runner)
    parameters = {"CallbackId": callback_id}
    lambda_api.add_response("send_durable_execution_callback_heartbeat", {}, parameters)
    assert call_back(vendor, {"kind": "heartbeat"}) == 200
    runner.send_callback_heartbeat(callback_id)
    runner.send_callback_success(callback_id, json.dumps(TRANSCRIPT).encode())
    assert json.loads(str(runner.wait_for_result(arn).result)) == TRANSCRIPT


def test_silence_ends_the_execution_long_before_the_answer_is_due(
    runner: DurableFunctionTestRunner,
    bodies: list[int],
    vendor: type[Vendor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The runner skips waits but not heartbeat timeouts: those take real time, so keep it short.
    impatient = WaitForCallbackConfig(
        timeout=Duration.from_hours(1), heartbeat_timeout=Duration.from_seconds(1)
    )
    monkeypatch.setattr(webhook, "_WAIT", impatient)
    result = runner.run(EVENT)
    assert result.error is not None
    assert str(result.error.type).endswith("NoTranscript")
    assert call_back(vendor, {"kind": "success", "result": TRANSCRIPT}) == 410
    assert len(bodies) == 2, "the handler was not replayed"
