"""Where an order stands, kept by hand: a row for each, with a version that guards every write."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import boto3

from patterns.workflow.logic import Ending, Order

TABLE_VARIABLE = "WORKFLOWS_TABLE"
"""Names the environment variable that holds the table."""
KEY = "workflow_id"
"""Its partition key."""

dynamodb = boto3.client("dynamodb")


class Phase(StrEnum):
    """What is to be done next."""

    GOING = "going"
    WAITING = "waiting"
    UNDOING = "undoing"
    OVER = "over"


class Overtaken(Exception):  # noqa: N818 - says what it is
    """Somebody else has moved the workflow on since it was read."""


@dataclass(frozen=True)
class State:
    """Where an order stands.

    Parameters:
        version: counts the writes; 0 for a state that was never written.
        done: how many moves are made, and not undone.
        deadline: when the carrier has to have come, epoch seconds; 0 until it is waited for.
        ending: how the order ended, or will have ended once all is undone.
    """

    order: Order
    version: int = 0
    phase: Phase = Phase.GOING
    done: int = 0
    deadline: float = 0
    ending: Ending | None = None


def load(workflow_id: str) -> State | None:
    """The state of a workflow, as it is now; None if there is no such workflow."""
    found = dynamodb.get_item(
        TableName=os.environ[TABLE_VARIABLE], Key={KEY: {"S": workflow_id}}, ConsistentRead=True
    )
    return _state_in(found["Item"]) if "Item" in found else None


def save(state: State) -> None:
    """Write a state as the next version of the one that was read.

    Raises:
        Overtaken: there is a later version.
    """
    item: dict[str, Any] = {
        KEY: {"S": state.order["order_id"]},
        "version": {"N": str(state.version + 1)},
        "input": {"S": json.dumps(state.order)},
        "phase": {"S": state.phase.value},
        "done": {"N": str(state.done)},
        "deadline": {"N": str(state.deadline)},
        "ending": {"S": state.ending.value if state.ending else ""},
    }
    try:
        dynamodb.put_item(
            TableName=os.environ[TABLE_VARIABLE],
            Item=item,
            ConditionExpression=f"attribute_not_exists({KEY}) OR version = :version",
            ExpressionAttributeValues={":version": {"N": str(state.version)}},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        raise Overtaken(f"{state.order['order_id']} was moved on by somebody else") from None


def unfinished() -> Iterator[str]:
    """The ids of the workflows that are not over."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=os.environ[TABLE_VARIABLE],
        FilterExpression="phase <> :over",
        ExpressionAttributeValues={":over": {"S": Phase.OVER.value}},
    )
    for page in pages:
        yield from (item[KEY]["S"] for item in page["Items"])


def _state_in(item: Mapping[str, Any]) -> State:
    ending = item["ending"]["S"]
    return State(
        order=json.loads(item["input"]["S"]),
        version=int(item["version"]["N"]),
        phase=Phase(item["phase"]["S"]),
        done=int(item["done"]["N"]),
        deadline=float(item["deadline"]["N"]),
        ending=Ending(ending) if ending else None,
    )
