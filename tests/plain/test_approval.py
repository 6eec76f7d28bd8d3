"""A person's decision, with nothing but AWS's own runner, moto, and botocore's stubs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.stub import Stubber
from moto.sesv2.models import sesv2_backends

from patterns.approval import handler as approval
from patterns.approval import orders, outbox, page
from patterns.callbacks import reference, service, table

dynamodb = boto3.client("dynamodb")
events = boto3.client("events")
kms = boto3.client("kms")
sesv2 = boto3.client("sesv2")

SENDER, REVIEWER, CUSTOMER = "orders@shop.example", "rita@shop.example", "carl@home.example"
ORDER = {"order_id": "A-17", "items": ["desk"], "customer": CUSTOMER, "reviewer": REVIEWER}


@pytest.fixture
def runner(
    runner_of: Callable[[Any], DurableFunctionTestRunner],
    create_table: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> DurableFunctionTestRunner:
    create_table("callbacks", table.KEY)
    create_table("orders", orders.KEY)
    key = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")
    sesv2.create_email_identity(EmailIdentity=SENDER)
    events.create_event_bus(Name="shop")
    monkeypatch.setenv(table.TABLE_VARIABLE, "callbacks")
    monkeypatch.setenv(orders.TABLE_VARIABLE, "orders")
    monkeypatch.setenv(reference.KEY_VARIABLE, key["KeyMetadata"]["KeyId"])
    monkeypatch.setenv(outbox.SENDER_VARIABLE, SENDER)
    monkeypatch.setenv(outbox.BUS_VARIABLE, "shop")
    monkeypatch.setenv(approval.URL_VARIABLE, "https://shop.example")
    return runner_of(approval.handler)


@pytest.fixture
def lambda_api(stub: Callable[[Any], Stubber]) -> Stubber:
    """Stub the API that answers callbacks: moto doesn't know it, and the runner serves no HTTP."""
    return stub(service.lambda_client)


def start(runner: DurableFunctionTestRunner) -> tuple[str, str]:
    """Start the execution; return its ARN, and the ID of its callback once it is open."""
    arn = runner.run_async(json.dumps(ORDER))
    return arn, runner.wait_for_callback(arn)


def emails() -> list[tuple[str, str, str]]:
    """Return the recipient, subject, and text of each email."""
    sent = sesv2_backends["123456789012"]["us-east-1"].core_backend.sent_messages
    return [(m.destinations["ToAddresses"][0], m.subject, m.body) for m in sent]


def press(button: str) -> int:
    """Press a button on the page behind the link in the reviewer's email; return its status."""
    (link,) = {match[0] for _, _, text in emails() if (match := re.search(r"https://\S+", text))}
    request = {
        "version": "2.0",
        "rawPath": urlsplit(link).path,
        "requestContext": {"http": {"method": "POST"}, "stage": "$default"},
        "headers": {"content-type": "application/x-www-form-urlencoded"},
        "body": f"decision={button}",
    }
    context: Any = SimpleNamespace(function_name="page", aws_request_id="1")
    return int(page.handler(request, context)["statusCode"])


def status() -> str:
    key = {orders.KEY: {"S": "A-17"}}
    return str(dynamodb.get_item(TableName="orders", Key=key)["Item"]["status"]["S"])


@pytest.mark.parametrize("decision", ["accepted", "rejected"])
def test_the_button_that_is_pressed_decides(
    runner: DurableFunctionTestRunner, bodies: list[int], lambda_api: Stubber, decision: str
) -> None:
    arn, callback_id = start(runner)
    answer = json.dumps({"decision": decision})
    lambda_api.add_response(
        "send_durable_execution_callback_success",
        {},
        {"CallbackId": callback_id, "Result": answer},
    )
    assert press(decision) == 200
    # What the page sent reached the stub; hand it to the runner.
    runner.send_callback_success(callback_id, answer.encode())
    result = runner.wait_for_result(arn)
    assert json.loads(str(result.result)) == {"order_id": "A-17", "status": decision}
    assert status() == decision
    assert [to for to, _, _ in emails()] == [REVIEWER, CUSTOMER]
    assert len(bodies) == 2, "the handler was not replayed"


def test_an_answer_that_is_not_a_decision_approves_nothing(
    runner: DurableFunctionTestRunner, bodies: list[int]
) -> None:
    arn, callback_id = start(runner)
    assert press("perhaps") == 400
    runner.send_callback_success(callback_id, b'"perhaps"')  # as somebody who bypasses the page
    # With a name: without one, the runner may find the first callback again, which is closed.
    second = runner.wait_for_callback(arn, name="decision 2")
    runner.send_callback_success(second, b'{"decision": "rejected"}')
    result = runner.wait_for_result(arn)
    assert json.loads(str(result.result))["status"] == "rejected"
    assert [to for to, _, _ in emails()] == [REVIEWER, CUSTOMER], "the reviewer was asked twice"
    assert len(bodies) == 3, "the handler was not replayed"


def test_a_failed_callback_leaves_the_order_unanswered(runner: DurableFunctionTestRunner) -> None:
    arn, callback_id = start(runner)
    runner.send_callback_failure(callback_id, ErrorObject("enough", None, None, None))
    result = runner.wait_for_result(arn)
    assert json.loads(str(result.result))["status"] == "unanswered"


def test_silence_cancels_the_order_and_notifies_both(
    runner: DurableFunctionTestRunner, bodies: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The runner skips waits but not callback timeouts: those take real time, so keep it short.
    monkeypatch.setattr(approval, "ANSWER_TIMEOUT", Duration.from_seconds(1))
    result = runner.run(json.dumps(ORDER))
    assert json.loads(str(result.result))["status"] == "unanswered"
    assert status() == "unanswered"
    assert [to for to, _, _ in emails()] == [REVIEWER, CUSTOMER, REVIEWER]
    assert press("accepted") == 410
    assert len(bodies) == 2, "the handler was not replayed"
