"""A marketplace: its job postings, the subscribers of a trade, mail, and an API to post jobs.

Side effects are collected where they arrive: emails at SES, the count in its table.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from moto import mock_aws

from baselines import fan_out as baseline
from patterns import mails
from patterns.fan_out import handler, logic, postings, start, subscribers
from scenarios.worlds import loopback
from scenarios.worlds.post_office import PostOffice, post_office
from scenarios.worlds.registry import create_table, dynamodb

API, BOOKKEEPING, MAIL = "add_posting", "fan_out", "posting_mail"
CONTROLLER = "posting_controller"
POSTINGS, SUBSCRIBERS, TRADES = "postings", "subscribers", "trades"
SENDER = "postings@market.example"
SELLER, RIVAL = "seller@home.example", "rival@home.example"
POSTING_ID = "7ade" * 8
POSTING = {
    "posting_id": POSTING_ID,
    "trade": "caricatures",
    "date": "2026-03-01",
    "location": "Oslo",
}
POSTING_REQUEST = {name: value for name, value in POSTING.items() if name != "posting_id"} | {
    "seller": SELLER
}
READERS = 4
"""Default number of subscribers: one more than the number of concurrent emails."""
JSON = {"content-type": "application/json"}


def address(number: int) -> str:
    """Return the email address of the subscriber with this number; numbers start at 0."""
    return f"reader{number:03}@home.example"


def subscriber(number: int) -> str:
    """Return the ID of the subscriber with this number; numbers start at 0."""
    return f"s-{number:03}"


@dataclass
class Marketplace:
    """A world: the actions of a scenario on the marketplace, and the state to inspect afterward.

    Parameters:
        office: the simulated SES.
        replies: the status codes of the API's responses.
        latencies: virtual seconds until each of them.
        postings: the number of postings when they were last counted: at the end of the run.
        counted: the trade's count of postings then.
    """

    office: PostOffice
    replies: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    postings: int = 0
    counted: int = 0

    @property
    def notified(self) -> Counter[str]:
        """Number of emails per subscriber, by address."""
        return Counter(m.to for m in self.office.letters if m.subject.startswith("New job posting"))

    @property
    def confirmed(self) -> Counter[str]:
        """Number of confirmations per seller, by address."""
        return Counter(m.to for m in self.office.letters if m.subject.startswith("Your job"))

    def post(self, **changes: Any) -> loopback.Reply:
        """Post the job over HTTP."""
        body, started = json.dumps(POSTING_REQUEST | changes).encode(), time.time()
        with loopback.http_api({"POST /postings": API}) as url:
            reply = loopback.send("POST", f"{url}/postings", body, JSON)
        self.replies.append(reply.status)
        self.latencies.append(time.time() - started)
        return reply

    def refresh(self) -> None:
        """Count the postings, and read the trade's count of them."""
        self.postings = dynamodb.scan(TableName=POSTINGS, Select="COUNT")["Count"]
        key = {postings.TRADES_KEY: {"S": POSTING["trade"]}}
        trade = dynamodb.get_item(TableName=TRADES, Key=key).get("Item")
        self.counted = int(trade["postings"]["N"]) if trade else 0

    def unsubscribe(self, number: int) -> None:
        """Unsubscribe a subscriber."""
        dynamodb.delete_item(TableName=SUBSCRIBERS, Key=_subscription(number))


@contextmanager
def marketplace_world(
    *,
    readers: int = READERS,
    refused: Collection[str] = (),
    closed_for: float = 0,
    is_posted: bool = True,
) -> Iterator[Marketplace]:
    """Context manager that sets up a marketplace.

    Parameters:
        readers: the number of subscribers of the trade.
        refused: addresses that SES rejects.
        closed_for: seconds during which SES sends nothing.
        is_posted: True if the posting is already in its table.
    """
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        create_table(POSTINGS, postings.KEY)
        create_table(TRADES, postings.TRADES_KEY)
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
            world.refresh()


def _variables() -> Mapping[str, str]:
    return {
        postings.TABLE_VARIABLE: POSTINGS,
        postings.TRADES_VARIABLE: TRADES,
        subscribers.TABLE_VARIABLE: SUBSCRIBERS,
        mails.SENDER_VARIABLE: SENDER,
        handler.MAIL_FUNCTION_VARIABLE: f"{MAIL}:live",
        start.BOOKKEEPING_VARIABLE: f"{BOOKKEEPING}:live",
        baseline.CONTROLLER_VARIABLE: CONTROLLER,
    }


def _subscription(number: int) -> dict[str, Any]:
    return {
        subscribers.KEY: {"S": POSTING["trade"]},
        subscribers.SORT_KEY: {"S": subscriber(number)},
    }


def _subscribe(readers: int) -> None:
    items = [_subscription(n) | {"address": {"S": address(n)}} for n in range(readers)]
    for first in range(0, readers, 25):
        requests: list[Any] = [{"PutRequest": {"Item": i}} for i in items[first : first + 25]]
        dynamodb.batch_write_item(RequestItems={SUBSCRIBERS: requests})


def _store() -> None:
    item = {
        postings.KEY: {"S": logic.parse_announcement(POSTING).slot},
        "posting_id": {"S": POSTING_ID},
        "seller": {"S": SELLER},
        "location": {"S": POSTING["location"]},
    }
    dynamodb.put_item(TableName=POSTINGS, Item=item)
