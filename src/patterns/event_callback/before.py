"""How people waited for an event before: a state machine that waits for a task token.

The six moves: the state machine (`before.asl.json`) calls `start` with a token; `start` starts the
migration, and stores the migration's ARN, the token and the date; when DMS says that the task has
stopped or failed, EventBridge calls `resolve`; that finds the token by the ARN, and signals success
or failure. Where it is weak: an event that comes between the start and the row finds nobody; a lost
event is waited for until the timeout, although the migration may have ended long ago; and the event
is believed, so a load that somebody stopped half-way has "finished".

Widely copied versions store the token without a date, and so take the event of an earlier run of
the same task for news of this one; they also answer a token twice and fail when it is gone.
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

from patterns.event_callback.resolver import ENDINGS, TaskStateChange
from patterns.migration import logic, task

TABLE_VARIABLE = "TASK_TOKENS_TABLE"
"""Names the environment variable that holds the table."""
KEY = "task_arn"
"""Its partition key."""
STOPPED = "REPLICATION_TASK_STOPPED"

logger = Logger(service="event-callback-before")
dynamodb = boto3.client("dynamodb")
step_functions = boto3.client("stepfunctions")

_GONE = (
    step_functions.exceptions.TaskTimedOut,
    step_functions.exceptions.TaskDoesNotExist,
    step_functions.exceptions.InvalidToken,
)


def start(event: dict[str, Any], _: LambdaContext) -> None:
    """Start the migration, and store the token that its end is to be told with.

    Parameters:
        event: `{"task_arn": …, "task_token": …}`.

    Raises:
        MigrationNotStarted: there is no such task, or it runs already.
    """
    run = task.note_earlier_run(logic.task_arn_of(event))
    task.start(run)
    dynamodb.put_item(
        TableName=os.environ[TABLE_VARIABLE],
        Item={
            KEY: {"S": run["task_arn"]},
            "task_token": {"S": event["task_token"]},
            "created_at": {"S": run["noted_at"]},
        },
    )


@event_parser(model=TaskStateChange)
def resolve(event: TaskStateChange, _: LambdaContext) -> dict[str, str]:
    """Tell the state machine that waits for the task what the event says.

    Returns:
        `{"outcome": …}`: what became of the event.
    """
    task_arn, kind = event.resources[0], event.detail.event_type
    token = _token(task_arn, event.time) if kind in ENDINGS else None
    outcome = "ignored: nobody waits" if token is None else _signal(token, task_arn, kind)
    logger.info("event handled", task=task_arn, event=kind, outcome=outcome)
    return {"outcome": outcome}


def _token(task_arn: str, at: datetime) -> str | None:
    row = dynamodb.get_item(
        TableName=os.environ[TABLE_VARIABLE], Key={KEY: {"S": task_arn}}, ConsistentRead=True
    ).get("Item")
    if row is None:
        return None
    # Events tell whole seconds only.
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
        return "ignored: answered before, or given up"
    return "sent"
