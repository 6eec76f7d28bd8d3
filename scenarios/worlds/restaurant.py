"""A restaurant that gets mail and presses buttons, a guest who gets mail, and the shop around them.

What leaves the house is collected where it arrives: mails at SES, events in a queue of their bus.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.sesv2.models import sesv2_backends

from patterns import callback_rows
from patterns.approval import handler, logic, orders, outbox
from patterns.reference import Purpose, row_name
from scenarios.worlds import beyond_moto, loopback
from scenarios.worlds.loopback import Reply
from scenarios.worlds.registry import create_table, dynamodb, reference_key, registry

events, sesv2, sqs = boto3.client("events"), boto3.client("sesv2"), boto3.client("sqs")

PAGE = "approval"
ORDERS = "orders"
SENDER = "orders@shop.example"
GUEST = "guest@home.example"
RESTAURANT = "kitchen@restaurant.example"
ORDER = {
    "order_id": "A-17",
    "items": ["soup", "bread"],
    "guest": GUEST,
    "restaurant": RESTAURANT,
}
FORM = {"content-type": "application/x-www-form-urlencoded"}
_LINK = re.compile(r"https?://\S+")


@dataclass
class Restaurant:
    """What a story can do with the question, and what it can look at afterwards.

    Parameters:
        replies: what the page answered, status by status.
        status: of the order, when the run ended; None if there is none.
        events: what the bus delivered, by name, in order.
        mails: receiver and subject of each that was sent, in order.
        row: the registry's row of the question.
    """

    replies: list[int] = field(default_factory=list)
    status: str | None = None
    events: list[str] = field(default_factory=list)
    mails: list[tuple[str, str]] = field(default_factory=list)
    row: callback_rows.Row | None = None

    @property
    def link(self) -> str:
        """The link in the mail that asks."""
        # A submitter that died after its mail asks again, with the same link.
        (link,) = {match[0] for _, _, body in _sent() if (match := _LINK.search(body))}
        return link

    def press(self, decision: str) -> Reply:
        """Press a button of the page."""
        return self._reply("POST", f"decision={decision}".encode())

    def accept(self) -> None:
        """The restaurant presses Yes."""
        self.press("accepted")

    def reject(self) -> None:
        """The restaurant presses No."""
        self.press("rejected")

    def fiddle(self) -> None:
        """Somebody sends the page what no button of it sends."""
        self.press("perhaps")

    def fetch(self) -> None:
        """A mail scanner fetches the link, as it does with all links."""
        self._reply("GET", b"")

    def _reply(self, method: str, body: bytes) -> Reply:
        reply = loopback.send(method, self.link, body, FORM)
        self.replies.append(reply.status)
        return reply


@contextmanager
def restaurant_world(*, order_exists: bool = False) -> Iterator[Restaurant]:
    """The shop: a table of orders, a bus, mail, a page and an empty registry.

    Parameters:
        order_exists: whether another execution has placed an order of this id.
    """
    world = Restaurant()
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
            orders.save(logic.order_of(ORDER), "another execution")
        try:
            yield world
        finally:
            _look(world, queue)


def _sent() -> list[tuple[str, str, str]]:
    # The version 2 API keeps its mails with a backend of version 1, not always the registered one.
    sent = sesv2_backends[beyond_moto.ACCOUNT][beyond_moto.REGION].core_backend.sent_messages
    return [(m.destinations["ToAddresses"][0], m.subject, m.body) for m in sent]


def _bus_with_queue() -> str:
    url: str = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    events.create_event_bus(Name="shop")
    pattern = json.dumps({"source": [outbox.SOURCE]})
    events.put_rule(Name="all", EventBusName="shop", EventPattern=pattern)
    target = {"Id": "queue", "Arn": arn["QueueArn"]}
    events.put_targets(Rule="all", EventBusName="shop", Targets=[target])
    return url


def _look(world: Restaurant, queue: str) -> None:
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            world.events.append(json.loads(message["Body"])["detail-type"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    found = dynamodb.get_item(TableName=ORDERS, Key={orders.KEY: {"S": ORDER["order_id"]}})
    world.status = found["Item"]["status"]["S"] if "Item" in found else None
    world.mails = [(to, subject) for to, subject, _ in _sent()]
    if any(_LINK.search(body) for _, _, body in _sent()):
        given = world.link.rpartition("/")[2]
        world.row = callback_rows.read(row_name(Purpose.APPROVAL, given))
