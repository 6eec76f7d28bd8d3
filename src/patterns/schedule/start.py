"""Start a schedule, once per name; repeating a request has no further effect.

This function adds the durable function, qualified with its alias, to the plan, so that the schedule
knows what to hand over to. The durable function can't determine its own alias: the ARN that it
receives ends in the version that it runs on, which is fixed for the life of an execution. Its alias
can't be in its environment either, because the alias points to the version, and the environment is
part of the version.

It looks for a running execution first. Lambda keeps the name of the first execution only as long as
its history, some weeks, while the schedule may run for years.
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
from patterns.starting import StartedWithDifferentInput, start_once
from patterns.transient import HTTP_CLIENT

FUNCTION_VARIABLE = "SCHEDULE_FUNCTION"
"""Environment variable with the durable function, qualified with its alias."""

RUNNING = ("RUNNING", "PAUSING", "PAUSED")
"""Statuses of executions that are running or will resume."""

logger = Logger(service="schedule-start")
# Type stubs know fewer statuses than the API.
lambda_client: Any = boto3.client("lambda", config=HTTP_CLIENT)


@event_parser(model=Request)
def handler(event: Request, _: LambdaContext) -> dict[str, Any]:
    """Start the schedule, or find it if it is already started.

    Returns:
        `{"execution_arn": …}`: the running execution, or the first one of the schedule.

    Raises:
        StartedWithDifferentInput: a schedule of this name was started with other settings.
    """
    plan = Plan(function=os.environ[FUNCTION_VARIABLE], **event.model_dump())
    arn = _running(plan, event)
    if arn is None:
        arn = start_once(plan.function, plan.key, plan.to_json())
        logger.info("schedule started", schedule=plan.name, calendar=plan.calendar)
    return {"execution_arn": arn}


def _running(plan: Plan, request: Request) -> str | None:
    # Listed without the alias, because the execution may run on an older version.
    pages = lambda_client.get_paginator("list_durable_executions_by_function").paginate(
        FunctionName=plan.function.rpartition(":")[0], Statuses=RUNNING
    )
    for execution in (one for page in pages for one in page["DurableExecutions"]):
        arn: str = execution["DurableExecutionArn"]
        started = lambda_client.get_durable_execution(DurableExecutionArn=arn)
        payload = json.loads(started["InputPayload"])
        if payload.get("name") == plan.name:
            if any(payload.get(key) != value for key, value in request.to_json().items()):
                raise StartedWithDifferentInput(
                    f"{plan.name!r} is already running with other settings"
                )
            return arn
    return None
