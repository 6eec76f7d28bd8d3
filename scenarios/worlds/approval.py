"""The world of the approval pattern: a shop, a customer, and a reviewer who decides on a page.

Emails are collected at SES, events in a queue behind the event bus.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.sesv2.models import sesv2_backends

from patterns.approval import handler, logic, orders, outbox
from patterns.callbacks import table
from patterns.callbacks.reference import Purpose, row_name
from scenarios.worlds import beyond_moto, loopback
from scenarios.worlds.loopback import Reply
from scenarios.worlds.registry import (
    create_table,
    dynamodb,
    reference_key,
    registry,
    stored_row,
    sweep,
)

events, sesv2, sqs = boto3.client("events"), boto3.client("sesv2"), boto3.client("sqs")

PAGE = "approval"
ORDERS = "orders"
SENDER = "orders@shop.example"
CUSTOMER = "customer@home.example"
REVIEWER = "reviewer@shop.example"
ORDER = {
    "order_id": "A-17",
    "items": ["desk", "lamp"],
    "customer": CUSTOMER,
    "reviewer": REVIEWER,
}
FORM = {"content-type": "application/x-www-form-urlencoded"}
ASK_AGAIN = (HTTPStatus.TOO_MANY_REQUESTS, *(s for s in HTTPStatus if s >= 500))  # noqa: PLR2004
"""Statuses with which the page, or the API in front of it, asks for another try."""
PATIENCE_SECONDS = 24 * 3600
"""How long the reviewer looks for the email, and presses again after an error page."""
_LINK = re.compile(r"https?://\S+")


@dataclass
class ApprovalWorld:
    """The reviewer's actions, and the state of the world after the run.

    Parameters:
        replies: HTTP status of each reply from the page.
        accepted: the decisions that the page replied to with 200, in order.
        status: status of the order; None if there is no order.
        events: detail type of each event on the bus, in order.
        emails: recipient and subject of each email, in order.
        row: the registry's row for the question.
        reference: the reference in the link to the reviewer; "" if there was none.
    """

    replies: list[int] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    status: str | None = None
    events: list[str] = field(default_factory=list)
    emails: list[tuple[str, str]] = field(default_factory=list)
    row: table.Row | None = None
    reference: str = ""

    @property
    def link(self) -> str:
        """The link in the email to the reviewer."""
        # A submitter that crashed after its email sends another one, with the same link.
        (link,) = {match[0] for _, _, body in _sent() if (match := _LINK.search(body))}
        return link

    def press(self, decision: str) -> Reply:
        """Press a button on the page."""
        reply = self._reply("POST", f"decision={decision}".encode())
        if reply.status == HTTPStatus.OK:
            self.accepted.append(decision)
        return reply

    def decide(self, decision: str) -> None:
        """Press a button once the email is there, and again after an error page, ever later."""
        started, first_press = time.time(), None
        while (now := time.time()) < started + PATIENCE_SECONDS:
            if has_link():
                first_press = first_press or now
                if self.press(decision).status not in ASK_AGAIN:
                    return
            time.sleep(max(30, (now - (first_press or now)) / 10))

    def accept(self) -> None:
        """Press Accept."""
        self.decide("accepted")

    def reject(self) -> None:
        """Press Reject."""
        self.decide("rejected")

    def sweep(self) -> None:
        """Run the function that delivers what senders have given up."""
        sweep()

    def tamper(self) -> None:
        """Submit a value that neither button sends."""
        self.press("perhaps")

    def open_link(self) -> None:
        """Open the link without pressing a button, as email scanners do."""
        self._reply("GET", b"")

    def _reply(self, method: str, body: bytes) -> Reply:
        reply = loopback.send(method, self.link, body, FORM)
        self.replies.append(reply.status)
        return reply


@contextmanager
def approval_world(*, order_exists: bool = False) -> Iterator[ApprovalWorld]:
    """Context manager that sets up an orders table, a bus, email, a page, and an empty registry.

    Parameters:
        order_exists: another execution has already placed an order with this ID.
    """
    world = ApprovalWorld()
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        stack.enter_context(registry())
        stack.enter_context(reference_key())
        create_table(ORDERS, orders.KEY)
        sesv2.create_email_identity(EmailIdentity=SENDER)
        queue = _bus_with_queue()
        routes = {"GET /approvals/{reference}": PAGE, "POST /approvals/{reference}": PAGE}
        variables = {
            orders.TABLE_VARIABLE: ORDERS,
            outbox.BUS_VARIABLE: "shop",
            outbox.SENDER_VARIABLE: SENDER,
            handler.URL_VARIABLE: stack.enter_context(loopback.http_api(routes)),
        }
        stack.enter_context(patch.dict(os.environ, variables))
        if order_exists:
            orders.save(logic.parse_order(ORDER), "another execution")
        try:
            yield world
        finally:
            _record_state(world, queue)


def _sent() -> list[tuple[str, str, str]]:
    # moto's SES v2 keeps its emails in a v1 backend, which is not always the registered one.
    sent = sesv2_backends[beyond_moto.ACCOUNT][beyond_moto.REGION].core_backend.sent_messages
    return [(m.destinations["ToAddresses"][0], m.subject, m.body) for m in sent]


def _bus_with_queue() -> str:
    url: str = sqs.create_queue(QueueName="published")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    events.create_event_bus(Name="shop")
    pattern = json.dumps({"source": [outbox.SOURCE]})
    events.put_rule(Name="all", EventBusName="shop", EventPattern=pattern)
    target = {"Id": "queue", "Arn": arn["QueueArn"]}
    events.put_targets(Rule="all", EventBusName="shop", Targets=[target])
    return url


def _record_state(world: ApprovalWorld, queue: str) -> None:
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            world.events.append(json.loads(message["Body"])["detail-type"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    world.status = stored_status()
    world.emails = sent_emails()
    world.row = question_row(world)
    world.reference = world.link.rpartition("/")[2] if has_link() else ""


def stored_status() -> str | None:
    """Return the status of the order; None if there is no order."""
    order = dynamodb.get_item(TableName=ORDERS, Key={orders.KEY: {"S": ORDER["order_id"]}})
    return order["Item"]["status"]["S"] if "Item" in order else None


def sent_emails() -> list[tuple[str, str]]:
    """List recipient and subject of each email, in order."""
    return [(to, subject) for to, subject, _ in _sent()]


def has_link() -> bool:
    """Return whether the reviewer has received a link."""
    return any(_LINK.search(body) for _, _, body in _sent())


def question_row(world: ApprovalWorld) -> table.Row | None:
    """Return the registry's row for the question; None if there is none."""
    if not has_link():
        return None
    return stored_row(row_name(Purpose.APPROVAL, world.link.rpartition("/")[2]))
