"""Baseline: a state machine that waits for a task token.

How it works: the state machine (`event_callback.asl.json`) calls `start` with a token. `start`
starts the migration and stores the migration's ARN, the token, and the date. When DMS reports that
the task stopped or failed, EventBridge calls `resolve`, which finds the token by the ARN and
signals success or failure.

Its weak spots:

- An event that arrives between the start and the row finds no token.
- After a lost event, it waits until its timeout, even if the migration ended long ago.
- It trusts the event, so a load that somebody stopped halfway counts as finished.

Widely copied versions store the token without a date, so they mistake an event of the task's
previous run for one of this run. They also answer a token twice, and fail when it is gone.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.event_callback.resolver import FINAL_EVENTS, TaskStateChange
from patterns.migration import logic, task

TABLE_VARIABLE = "TASK_TOKENS_TABLE"
"""Environment variable with the table's name."""
KEY = "task_arn"
"""The table's partition key."""
STOPPED = "REPLICATION_TASK_STOPPED"

logger = Logger(service="event-callback-baseline")
dynamodb = boto3.client("dynamodb")
step_functions = boto3.client("stepfunctions")

_GONE = (
    step_functions.exceptions.TaskTimedOut,
    step_functions.exceptions.TaskDoesNotExist,
    step_functions.exceptions.InvalidToken,
)


def start(event: dict[str, Any], _: LambdaContext) -> None:
    """Start the migration, and store the token to answer when it ends.

    Parameters:
        event: `{"task_arn": …, "task_token": …}`.

    Raises:
        MigrationNotStarted: the task does not exist, or is already running.
    """
    run = task.record_earlier_run(logic.task_arn_of(event))
    task.start(run)
    dynamodb.put_item(
        TableName=os.environ[TABLE_VARIABLE],
        Item={
            KEY: {"S": run["task_arn"]},
            "task_token": {"S": event["task_token"]},
            "created_at": {"S": run["recorded_at"]},
        },
    )


@event_parser(model=TaskStateChange)
def resolve(event: TaskStateChange, _: LambdaContext) -> dict[str, str]:
    """Signal the event's result to the state machine that waits for the task.

    Returns:
        `{"outcome": …}`: how the event was handled.
    """
    task_arn, kind = event.resources[0], event.detail.event_type
    token = _token(task_arn, event.time) if kind in FINAL_EVENTS else None
    outcome = "ignored: nobody waits" if token is None else _signal(token, task_arn, kind)
    logger.info("event handled", task=task_arn, event=kind, outcome=outcome)
    return {"outcome": outcome}


def _token(task_arn: str, at: datetime) -> str | None:
    row = dynamodb.get_item(
        TableName=os.environ[TABLE_VARIABLE], Key={KEY: {"S": task_arn}}, ConsistentRead=True
    ).get("Item")
    if row is None:
        return None
    # Events have a resolution of one second.
    created = datetime.fromisoformat(row["created_at"]["S"]).replace(microsecond=0)
    return row["task_token"]["S"] if at >= created else None


def _signal(token: str, task_arn: str, kind: str) -> str:
    try:
        if kind == STOPPED:
            output = json.dumps({KEY: task_arn})
            step_functions.send_task_success(taskToken=token, output=output)
        else:
            step_functions.send_task_failure(taskToken=token, error="MigrationFailed", cause=kind)
    except _GONE:
        return "ignored: already answered, or timed out"
    return "sent"
