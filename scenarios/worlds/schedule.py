"""A queue in which messages wait, and a table for what was read of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import boto3
from moto import mock_aws

from patterns.schedule import before, begin, work

# The world's own, so that tests can count the handlers'.
dynamodb, events, sqs = boto3.client("dynamodb"), boto3.client("events"), boto3.client("sqs")

FUNCTION = "schedule:live"
SCHEDULE = "length of the queue"
READINGS = "readings"
QUEUE = "inbox"
RULE = "read-the-queue"
WAITING = 3
"""How many messages wait."""


@dataclass
class Readings:
    """What a story can do to the queue, and what it can look at afterwards.

    Parameters:
        rows: how often the work was done, by the moment that it was done for, in order of time.
        read: what was read, in the same order.
    """

    rows: Counter[str] = field(default_factory=Counter)
    read: list[int] = field(default_factory=list)

    def lose_queue(self) -> None:
        """Somebody deletes the queue: every reading fails."""
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])

    def make_queue(self) -> str:
        """The queue is there (again), with some messages.

        Returns:
            Its URL, always the same.
        """
        url: str = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        for number in range(WAITING):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))
        return url

    def look(self) -> None:
        """See what was written down."""
        pages = dynamodb.get_paginator("scan").paginate(TableName=READINGS)
        items = [item for page in pages for item in page["Items"]]
        items.sort(key=lambda item: item[work.SORT_KEY]["S"])
        self.rows = Counter()
        for item in items:
            self.rows[item[work.SORT_KEY]["S"]] += int(item["runs"]["N"])
        self.read = [int(item["waiting"]["N"]) for item in items]


@contextmanager
def readings_world() -> Iterator[Readings]:
    """A queue with messages, and nothing read yet."""
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
            begin.FUNCTION_VARIABLE: FUNCTION,
        }
        with patch.dict(os.environ, variables):
            try:
                yield world
            finally:
                world.look()


@contextmanager
def rule_world() -> Iterator[Readings]:
    """The same, with the rule that calls the hand-made function, at the pace of a working day."""
    variables = {before.RULE_VARIABLE: RULE, before.CALENDAR_VARIABLE: "berlin"}
    with readings_world() as world, patch.dict(os.environ, variables):
        put_rule(RULE)
        yield world


def put_rule(name: str, **changes: str) -> None:
    """Make a rule, at the pace of a working day unless told otherwise."""
    settings = {"ScheduleExpression": before.WORKING_DAY_PACE, "Description": "reads the queue"}
    events.put_rule(Name=name, **(settings | changes))
