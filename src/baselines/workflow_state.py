"""Store the state of each order in a row with a version that guards every write."""

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
"""Environment variable with the table name."""
KEY = "workflow_id"
"""Partition key of the table."""

dynamodb = boto3.client("dynamodb")


class Phase(StrEnum):
    """The phase of a workflow, which decides what it does next."""

    RUNNING = "running"
    WAITING = "waiting"
    COMPENSATING = "compensating"
    FINISHED = "finished"


class VersionConflict(Exception):  # noqa: N818 - says what it is
    """Another invocation has saved the workflow since it was read."""


@dataclass(frozen=True)
class State:
    """The state of an order.

    Parameters:
        version: number of writes; 0 for a state that was never saved.
        done: number of steps that are completed and not compensated.
        deadline: when the carrier must have come, in epoch seconds; 0 before the wait.
        ending: how the order ended, or will end once all steps are compensated.
    """

    order: Order
    version: int = 0
    phase: Phase = Phase.RUNNING
    done: int = 0
    deadline: float = 0
    ending: Ending | None = None


def load(workflow_id: str) -> State | None:
    """Load the current state of a workflow; None if there is no such workflow."""
    response = dynamodb.get_item(
        TableName=os.environ[TABLE_VARIABLE], Key={KEY: {"S": workflow_id}}, ConsistentRead=True
    )
    return _state_in(response["Item"]) if "Item" in response else None


def save(state: State) -> None:
    """Save a state as the next version after the one that was read.

    Raises:
        VersionConflict: there is a later version.
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
        raise VersionConflict(
            f"{state.order['order_id']} was saved by another invocation"
        ) from None


def unfinished() -> Iterator[str]:
    """Yield the IDs of the workflows that haven't finished."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=os.environ[TABLE_VARIABLE],
        FilterExpression="phase <> :finished",
        ExpressionAttributeValues={":finished": {"S": Phase.FINISHED.value}},
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
