"""Begins a schedule, once per name; whoever asks may ask again.

It puts into the plan which function is to go on, with its alias. The durable function can't know
that by itself: what it is told of its own name ends in the version on which it runs, and that is
fixed for the life of an execution. And its own alias can't stand in its environment, because the
alias leads to the version, and the environment is part of the version.

It looks for a running execution first. The name of the first one is good for as long as Lambda
keeps its history, some weeks; the schedule may run for years.
"""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.schedule.plan import Plan, Request
from patterns.start import StartedDifferently, start_once

FUNCTION_VARIABLE = "SCHEDULE_FUNCTION"
"""Names the environment variable that holds the durable function, with its alias."""

RUNNING = ("RUNNING", "PAUSING", "PAUSED")
"""Statuses of an execution that goes on, sooner or later."""

logger = Logger(service="begin")
lambda_client: Any = boto3.client("lambda")  # type stubs know fewer statuses than the API


@event_parser(model=Request)
def handler(event: Request, _: LambdaContext) -> dict[str, Any]:
    """Begin the schedule that is asked for, unless it has begun before.

    Returns:
        `{"execution_arn": …}`: the execution that runs, or its first one.

    Raises:
        StartedDifferently: a schedule of this name was begun otherwise.
    """
    plan = Plan(function=os.environ[FUNCTION_VARIABLE], **event.model_dump())
    arn = _running(plan, event)
    if arn is None:
        arn = start_once(plan.function, plan.key, plan.to_json())
        logger.info("schedule begun", schedule=plan.name, calendar=plan.calendar)
    return {"execution_arn": arn}


def _running(plan: Plan, request: Request) -> str | None:
    # Listed without its alias, because it may run on an older version.
    pages = lambda_client.get_paginator("list_durable_executions_by_function").paginate(
        FunctionName=plan.function.rpartition(":")[0], Statuses=RUNNING
    )
    for execution in (found for page in pages for found in page["DurableExecutions"]):
        arn: str = execution["DurableExecutionArn"]
        started = lambda_client.get_durable_execution(DurableExecutionArn=arn)
        given = json.loads(started["InputPayload"])
        if given.get("name") == plan.name:
            if any(given.get(key) != value for key, value in request.to_json().items()):
                raise StartedDifferently(f"{plan.name!r} runs already, otherwise than asked for")
            return arn
    return None
