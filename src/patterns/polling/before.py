"""How people waited by asking before: a function on a schedule, and how far it got in a table.

`begin` starts a migration and writes down that somebody waits for it. `look` runs every few minutes
for as long as the rule is enabled, looks at every migration that is under way, and writes down how
it ended. The schedule never ends, so it costs something while nobody waits for anything; what is to
be done *after* the migration has to be started by somebody who reads the table; and whoever dies
between two moves of `begin` leaves a row behind that leads nowhere.

The other hand-made way is a state machine: `before.asl.json`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.migration import logic, task
from patterns.migration.logic import Run, Standing

TABLE_VARIABLE = "MIGRATIONS_TABLE"
"""Names the environment variable that holds the table."""
KEY = "task_arn"
"""Its partition key."""

logger = Logger(service="polling-before")
dynamodb = boto3.client("dynamodb")


def begin(event: dict[str, Any], _: LambdaContext) -> dict[str, str]:
    """Start a full load, and write down that it is waited for.

    Parameters:
        event: `{"task_arn": …}`, the DMS replication task to start.

    Raises:
        MigrationNotStarted: there is no such task, or it runs already.
    """
    run = task.note_earlier_run(logic.task_arn_of(event))
    _put(run)
    task.start(run)
    return {KEY: run["task_arn"]}


def look(_event: dict[str, Any], _: LambdaContext) -> dict[str, int]:
    """Look at every migration that is under way, and write down how it ended."""
    looked = 0
    for run in _under_way():
        looked += 1
        standing = task.look(run)
        if logic.has_ended(standing):
            _end(run, standing)
            logger.info("migration ended", task=run["task_arn"], state=standing["state"])
    return {"looked": looked}


def _put(run: Run) -> None:
    dynamodb.put_item(
        TableName=os.environ[TABLE_VARIABLE],
        Item={
            KEY: {"S": run["task_arn"]},
            "noted_at": {"S": run["noted_at"]},
            "earlier_start": {"S": run["earlier_start"] or ""},
            "state": {"S": "under way"},
        },
    )


def _under_way() -> Iterator[Run]:
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=os.environ[TABLE_VARIABLE],
        FilterExpression="#state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": "under way"}},
        ConsistentRead=True,
    )
    for page in pages:
        yield from map(_run_of, page["Items"])


def _run_of(item: Mapping[str, Any]) -> Run:
    return {
        "task_arn": item[KEY]["S"],
        "noted_at": item["noted_at"]["S"],
        "earlier_start": item["earlier_start"]["S"] or None,
    }


def _end(run: Run, standing: Standing) -> None:
    dynamodb.update_item(
        TableName=os.environ[TABLE_VARIABLE],
        Key={KEY: {"S": run["task_arn"]}},
        UpdateExpression="SET #state = :state, reason = :reason",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={
            ":state": {"S": standing["state"]},
            ":reason": {"S": standing["reason"]},
        },
    )
