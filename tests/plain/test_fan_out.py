"""The bookkeeping of a job posting, with nothing but AWS's own runner and moto."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from moto.sesv2.models import sesv2_backends

from patterns import mails
from patterns.fan_out import logic, mail, postings, subscribers
from patterns.fan_out.handler import MAIL_FUNCTION_VARIABLE, handler

dynamodb = boto3.client("dynamodb")
sesv2 = boto3.client("sesv2")

POSTING = {
    "posting_id": "7ade",
    "trade": "caricatures",
    "date": "2026-03-01",
    "location": "Oslo",
}
SELLER = "seller@home.example"
REFUSED = "nobody"
"""moto refuses what is not an address at all, and sends email to all others."""


@pytest.fixture
def runner(
    runner_of: Callable[[Any], DurableFunctionTestRunner],
    create_table: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> DurableFunctionTestRunner:
    create_table("postings", postings.KEY)
    create_table("trades", postings.TRADES_KEY)
    create_table("subscribers", subscribers.KEY, subscribers.SORT_KEY)
    monkeypatch.setenv(postings.TABLE_VARIABLE, "postings")
    monkeypatch.setenv(postings.TRADES_VARIABLE, "trades")
    monkeypatch.setenv(subscribers.TABLE_VARIABLE, "subscribers")
    monkeypatch.setenv(mails.SENDER_VARIABLE, "postings@market.example")
    monkeypatch.setenv(MAIL_FUNCTION_VARIABLE, "posting_mail:live")
    sesv2.create_email_identity(EmailIdentity="postings@market.example")
    post(SELLER)
    # What the handler invokes has to be registered with the runner, by its unqualified name.
    suspended = threading.Event()
    return runner_of(_reporting(suspended)).register_function("posting_mail", _after(suspended))


# The runner rejects an invocation that is suspended by an invoke which has completed meanwhile,
# and retries it after five seconds of real time. So the mail function waits for the suspension.


def _reporting(suspended: threading.Event) -> Callable[[Any, Any], Any]:
    def reporting(event: Any, context: Any) -> Any:
        try:
            return handler(event, context)
        finally:
            suspended.set()

    return reporting


def _after(suspended: threading.Event) -> Callable[[Any, Any], Any]:
    def send(event: Any, context: Any) -> Any:
        suspended.wait(timeout=10)
        return mail.handler(event, context)

    return send


def post(seller: str) -> None:
    item = {
        postings.KEY: logic.parse_announcement(POSTING).slot,
        "posting_id": POSTING["posting_id"],
        "seller": seller,
        "location": POSTING["location"],
    }
    put("postings", item)


def subscribe(*addresses: str) -> None:
    for number, address in enumerate(addresses):
        keys = {subscribers.KEY: POSTING["trade"], subscribers.SORT_KEY: f"s-{number}"}
        put("subscribers", keys | {"address": address})


def put(table: str, item: dict[str, str]) -> None:
    values = {name: {"S": value} for name, value in item.items()}
    dynamodb.put_item(TableName=table, Item=values)


def sent() -> Counter[str]:
    """Count the emails by address."""
    backend = sesv2_backends["123456789012"]["us-east-1"].core_backend
    return Counter(m.destinations["ToAddresses"][0] for m in backend.sent_messages)


def counted() -> int:
    key = {postings.TRADES_KEY: {"S": POSTING["trade"]}}
    item = dynamodb.get_item(TableName="trades", Key=key).get("Item", {})
    return int(item.get("postings", {"N": "0"})["N"])


# The runner runs branches on threads, in an order that differs from run to run: the tests look at
# what was done, and not in which order. A wait or a retry inside a branch may stall it for five
# seconds, for the reason above: the patience of the emails can't be tested here.


def test_every_subscriber_and_the_seller_get_one_email(
    runner: DurableFunctionTestRunner, bodies: list[int]
) -> None:
    subscribe("ada@home.example", "bob@home.example", "eve@home.example", "joe@home.example")
    result = json.loads(str(runner.run(json.dumps(POSTING)).result))
    assert (result["notified"], result["is_confirmed"]) == (4, True)
    assert sent() == Counter(
        [SELLER, "ada@home.example", "bob@home.example", "eve@home.example", "joe@home.example"]
    )
    assert counted() == 1
    assert len(bodies) > 1, "the handler was not replayed"


def test_an_address_that_is_refused_is_a_result(runner: DurableFunctionTestRunner) -> None:
    subscribe("ada@home.example", REFUSED)
    result = json.loads(str(runner.run(json.dumps(POSTING)).result))
    assert (result["notified"], result["not_notified"]) == (1, ["s-1"])
    assert sent() == Counter([SELLER, "ada@home.example"])


def test_a_branch_that_fails_fails_the_execution_after_the_others_have_completed(
    runner: DurableFunctionTestRunner,
) -> None:
    post(REFUSED)
    subscribe("ada@home.example")
    result = runner.run(json.dumps(POSTING))
    assert result.error is not None
    assert str(result.error.type).endswith("BookkeepingFailed")
    assert sent() == Counter(["ada@home.example"])
    assert counted() == 1


def test_an_invalid_posting_fails_the_execution_and_sends_nothing(
    runner: DurableFunctionTestRunner,
) -> None:
    subscribe("ada@home.example")
    result = runner.run(json.dumps(POSTING | {"date": "tomorrow"}))
    assert result.error is not None
    assert str(result.error.message).startswith("date:")
    assert sent() == Counter()
