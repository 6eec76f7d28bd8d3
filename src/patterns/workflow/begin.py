"""Begins an order, once for each order id, and tells how it stands; whoever asks may ask again.

Nothing is kept for this: the execution is named after the order, so to ask for an order that is
under way, or over, finds its execution.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.start import execution_name, start_once
from patterns.workflow import logic

FUNCTION_VARIABLE = "WORKFLOW_FUNCTION"
"""Names the environment variable that holds the durable function, with its alias."""

logger = Logger(service="workflow")
lambda_client = boto3.client("lambda")


def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Begin the order that is asked for, unless it was begun before.

    Parameters:
        event: an `Order`.

    Returns:
        `{"execution_name": …, "status": …}`, the status as the Lambda API names it; with `ending`
        once it has succeeded, with `error` once it has failed.

    Raises:
        InvalidOrder: the event is no order; nothing was begun.
        StartedDifferently: another order was begun under this id.
    """
    order = logic.order_of(event)
    arn = start_once(os.environ[FUNCTION_VARIABLE], order["order_id"], order)
    found: Mapping[str, Any] = lambda_client.get_durable_execution(DurableExecutionArn=arn)
    logger.info("order asked for", order_id=order["order_id"], status=found["Status"])
    told = {"execution_name": execution_name(order["order_id"]), "status": found["Status"]}
    if "Result" in found:
        told["ending"] = json.loads(found["Result"])["ending"]
    if "Error" in found:
        told["error"] = found["Error"].get("ErrorMessage", "")
    return told
