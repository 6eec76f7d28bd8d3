"""A marketplace: its leeds, the subscribers of a trade, mail, and an API to post leeds to.

What leaves the house is collected where it arrives: mails at SES, the count in its table.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from moto import mock_aws

from patterns import mails
from patterns.fan_out import add_leed, before, handler, leeds, logic, subscribers
from scenarios.worlds import loopback
from scenarios.worlds.post_office import PostOffice, post_office
from scenarios.worlds.registry import create_table, dynamodb

API, BOOKKEEPING, MAIL = "add_leed", "fan_out", "leed_mail"
CONTROLLER = "leed_controller"
LEEDS, SUBSCRIBERS, TRADES = "leeds", "subscribers", "trades"
SENDER = "leeds@market.example"
SELLER, RIVAL = "seller@home.example", "rival@home.example"
LEED_ID = "1eed" * 8
LEED = {"leed_id": LEED_ID, "trade": "caricatures", "date": "2026-03-01", "location": "Oslo"}
POSTING = {name: value for name, value in LEED.items() if name != "leed_id"} | {"seller": SELLER}
FOUR = 4
"""Subscribers, unless a story says otherwise: one more than are written to at once."""
JSON = {"content-type": "application/json"}


def address(number: int) -> str:
    """Where the subscriber of this number, from 0, is written to."""
    return f"reader{number:03}@home.example"


def subscriber(number: int) -> str:
    """The id of the subscriber of this number, from 0."""
    return f"s-{number:03}"


@dataclass
class Marketplace:
    """What a story can do, and what it can look at afterwards.

    Parameters:
        office: SES.
        replies: what the API answered, status by status.
        leeds: how many there are, when the run ended.
        counted: how many of the trade were counted, when the run ended.
    """

    office: PostOffice
    replies: list[int] = field(default_factory=list)
    leeds: int = 0
    counted: int = 0

    @property
    def told(self) -> Counter[str]:
        """How many mails each subscriber got, by address."""
        return Counter(m.to for m in self.office.letters if m.subject.startswith("New leed"))

    @property
    def confirmed(self) -> Counter[str]:
        """How many confirmations each seller got, by address."""
        return Counter(m.to for m in self.office.letters if m.subject.startswith("Your leed"))

    def post(self, **changes: Any) -> loopback.Reply:
        """Post the leed, over HTTP."""
        body = json.dumps(POSTING | changes).encode()
        with loopback.http_api({"POST /leeds": API}) as url:
            reply = loopback.send("POST", f"{url}/leeds", body, JSON)
        self.replies.append(reply.status)
        return reply

    def unsubscribe(self, number: int) -> None:
        """Somebody has had enough."""
        dynamodb.delete_item(TableName=SUBSCRIBERS, Key=_subscription(number))


@contextmanager
def marketplace_world(
    *,
    readers: int = FOUR,
    refused: Collection[str] = (),
    closed_for: float = 0,
    is_posted: bool = True,
) -> Iterator[Marketplace]:
    """A marketplace.

    Parameters:
        readers: how many subscribers the trade has.
        refused: addresses that SES refuses.
        closed_for: how long SES sends nothing, seconds.
        is_posted: whether the leed is in its table already.
    """
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        create_table(LEEDS, leeds.KEY)
        create_table(TRADES, leeds.TRADES_KEY)
        create_table(SUBSCRIBERS, subscribers.KEY, subscribers.SORT_KEY)
        _subscribe(readers)
        world = Marketplace(stack.enter_context(post_office(SENDER)))
        world.office.refused = set(refused)
        world.office.close_for(closed_for)
        stack.enter_context(patch.dict(os.environ, _variables()))
        if is_posted:
            _store()
        try:
            yield world
        finally:
            _look(world)


def _variables() -> Mapping[str, str]:
    return {
        leeds.TABLE_VARIABLE: LEEDS,
        leeds.TRADES_VARIABLE: TRADES,
        subscribers.TABLE_VARIABLE: SUBSCRIBERS,
        mails.SENDER_VARIABLE: SENDER,
        handler.MAIL_FUNCTION_VARIABLE: f"{MAIL}:live",
        add_leed.BOOKKEEPING_VARIABLE: f"{BOOKKEEPING}:live",
        before.CONTROLLER_VARIABLE: CONTROLLER,
    }


def _subscription(number: int) -> dict[str, Any]:
    return {
        subscribers.KEY: {"S": LEED["trade"]},
        subscribers.SORT_KEY: {"S": subscriber(number)},
    }


def _subscribe(readers: int) -> None:
    items = [_subscription(n) | {"address": {"S": address(n)}} for n in range(readers)]
    for first in range(0, readers, 25):
        requests: list[Any] = [{"PutRequest": {"Item": i}} for i in items[first : first + 25]]
        dynamodb.batch_write_item(RequestItems={SUBSCRIBERS: requests})


def _store() -> None:
    item = {
        leeds.KEY: {"S": logic.announcement_of(LEED).slot},
        "leed_id": {"S": LEED_ID},
        "seller": {"S": SELLER},
        "location": {"S": LEED["location"]},
    }
    dynamodb.put_item(TableName=LEEDS, Item=item)


def _look(world: Marketplace) -> None:
    world.leeds = dynamodb.scan(TableName=LEEDS, Select="COUNT")["Count"]
    key = {leeds.TRADES_KEY: {"S": LEED["trade"]}}
    found = dynamodb.get_item(TableName=TRADES, Key=key).get("Item")
    world.counted = int(found["leeds"]["N"]) if found else 0
