"""Baseline: a function on a schedule that polls, with its progress in a table.

`begin` starts a migration and records it as under way. `check` runs every few minutes for as long
as the rule is enabled, polls every migration that is under way, and records how it ended.

Its weak spots:

- The schedule never stops, so it costs something even when there is nothing to wait for.
- Work *after* the migration has to be started by somebody who reads the table.
- If `begin` crashes before the start, its row stays under way forever.

The other baseline is a state machine: `polling.asl.json`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.migration import logic, task
from patterns.migration.logic import Run, TaskStatus

TABLE_VARIABLE = "MIGRATIONS_TABLE"
"""Environment variable with the table's name."""
KEY = "task_arn"
"""The table's partition key."""

logger = Logger(service="polling-baseline")
dynamodb = boto3.client("dynamodb")


def begin(event: dict[str, Any], _: LambdaContext) -> dict[str, str]:
    """Start a full load, and record it as under way.

    Parameters:
        event: `{"task_arn": …}`, the DMS replication task to start.

    Raises:
        MigrationNotStarted: the task does not exist, or is already running.
    """
    run = task.record_earlier_run(logic.task_arn_of(event))
    _put(run)
    task.start(run)
    return {KEY: run["task_arn"]}


def check(_event: dict[str, Any], _: LambdaContext) -> dict[str, int]:
    """Check every migration that is under way, and record how it ended.

    Returns:
        `{"checked": …}`: the number of migrations checked.
    """
    count = 0
    for run in _under_way():
        count += 1
        status = task.check(run)
        if logic.has_ended(status):
            _end(run, status)
            logger.info("migration ended", task=run["task_arn"], state=status["state"])
    return {"checked": count}


def _put(run: Run) -> None:
    dynamodb.put_item(
        TableName=os.environ[TABLE_VARIABLE],
        Item={
            KEY: {"S": run["task_arn"]},
            "recorded_at": {"S": run["recorded_at"]},
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
        "recorded_at": item["recorded_at"]["S"],
        "earlier_start": item["earlier_start"]["S"] or None,
    }


def _end(run: Run, status: TaskStatus) -> None:
    dynamodb.update_item(
        TableName=os.environ[TABLE_VARIABLE],
        Key={KEY: {"S": run["task_arn"]}},
        UpdateExpression="SET #state = :state, reason = :reason",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={
            ":state": {"S": status["state"]},
            ":reason": {"S": status["reason"]},
        },
    )
