"""Start an order, once per order ID, and report its status; repeating a request is harmless.

This needs no storage: the execution is named after the order, so a request for an order that is
running or has ended finds its execution.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.starting import execution_name, start_once
from patterns.transient import HTTP_CLIENT
from patterns.workflow import logic

FUNCTION_VARIABLE = "WORKFLOW_FUNCTION"
"""Environment variable with the durable function, qualified with its alias."""

logger = Logger(service="workflow")
lambda_client = boto3.client("lambda", config=HTTP_CLIENT)


def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Start the order, or find it if it is already started.

    Parameters:
        event: an `Order`.

    Returns:
        `{"execution_name": …, "status": …}`, with the status as in the Lambda API. A succeeded
        execution adds `ending`, a failed one adds `error`.

    Raises:
        InvalidOrder: the event isn't a valid order; nothing was started.
        StartedWithDifferentInput: another order was started under this ID.
    """
    order = logic.parse_order(event)
    arn = start_once(os.environ[FUNCTION_VARIABLE], order["order_id"], order)
    execution: Mapping[str, Any] = lambda_client.get_durable_execution(DurableExecutionArn=arn)
    logger.info("order submitted", order_id=order["order_id"], status=execution["Status"])
    reply = {"execution_name": execution_name(order["order_id"]), "status": execution["Status"]}
    if "Result" in execution:
        reply["ending"] = json.loads(execution["Result"])["ending"]
    if "Error" in execution:
        reply["error"] = execution["Error"].get("ErrorMessage", "")
    return reply
