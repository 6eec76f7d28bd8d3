"""A world with messages in a queue, and a table for the readings of its length."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.dynamodb.responses import DynamoHandler

from baselines import schedule as baseline
from patterns.schedule import start, work

# The world's own, so that tests can count the handlers'.
dynamodb, events, sqs = boto3.client("dynamodb"), boto3.client("events"), boto3.client("sqs")

FUNCTION = "schedule:live"
SCHEDULE = "length of the queue"
READINGS = "readings"
QUEUE = "inbox"
RULE = "read-the-queue"
WAITING = 3
"""Number of messages in the queue."""


@dataclass
class Readings:
    """A world: the actions of a scenario on the queue, and the readings to inspect afterward.

    Parameters:
        writes: how often the table was written per moment.
        rows: the same, in chronological order, of the moments that have a reading.
        read: the readings, in the same order.
    """

    writes: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    read: list[int] = field(default_factory=list)

    def lose_queue(self) -> None:
        """Delete the queue, so that every reading fails."""
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])

    def make_queue(self) -> str:
        """Create or recreate the queue, with some messages.

        Returns:
            The URL of the queue, which is always the same.
        """
        url: str = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        for number in range(WAITING):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))
        return url

    def counting(self) -> AbstractContextManager[object]:
        """Context manager that counts the writes to the table."""
        update_item = DynamoHandler.update_item

        def write(handler: DynamoHandler) -> Any:
            reply = update_item(handler)
            self.writes[handler.body["Key"][work.SORT_KEY]["S"]] += 1
            return reply

        return patch.object(DynamoHandler, "update_item", write)

    def refresh(self) -> None:
        """Read the recorded readings."""
        pages = dynamodb.get_paginator("scan").paginate(TableName=READINGS)
        items = [item for page in pages for item in page["Items"]]
        items.sort(key=lambda item: item[work.SORT_KEY]["S"])
        moments = [item[work.SORT_KEY]["S"] for item in items]
        self.rows = Counter({at: self.writes[at] for at in moments})
        self.read = [int(item["waiting"]["N"]) for item in items]


@contextmanager
def readings_world() -> Iterator[Readings]:
    """Context manager that sets up a queue with messages and no readings."""
    world = Readings()
    with mock_aws():
        dynamodb.create_table(
            TableName=READINGS,
            KeySchema=[
                {"AttributeName": work.KEY, "KeyType": "HASH"},
                {"AttributeName": work.SORT_KEY, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": work.KEY, "AttributeType": "S"},
                {"AttributeName": work.SORT_KEY, "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        variables = {
            work.TABLE_VARIABLE: READINGS,
            work.QUEUE_VARIABLE: world.make_queue(),
            start.FUNCTION_VARIABLE: FUNCTION,
        }
        with patch.dict(os.environ, variables), world.counting():
            try:
                yield world
            finally:
                world.refresh()


@contextmanager
def rule_world() -> Iterator[Readings]:
    """Context manager that adds the baseline's rule, at the pace of a working day."""
    variables = {baseline.RULE_VARIABLE: RULE, baseline.CALENDAR_VARIABLE: "berlin"}
    with readings_world() as world, patch.dict(os.environ, variables):
        put_rule(RULE)
        yield world


def put_rule(name: str, **changes: str) -> None:
    """Create a rule, by default at the pace of a working day."""
    settings = {"ScheduleExpression": baseline.WORKING_DAY_PACE, "Description": "reads the queue"}
    events.put_rule(Name=name, **(settings | changes))
