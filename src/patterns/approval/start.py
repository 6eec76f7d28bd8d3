"""Start the approval of an order, once per order ID; repeating a request has no further effect."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.approval import logic
from patterns.starting import execution_name, start_once

FUNCTION_VARIABLE = "APPROVAL_FUNCTION"
"""Environment variable with the durable function, qualified with its alias."""

logger = Logger(service="start-approval")


def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Start the approval, or find it if it is already started.

    Parameters:
        event: an `Order`.

    Returns:
        `{"execution_name": …, "execution_arn": …}`.

    Raises:
        InvalidOrder: the event is not a valid order; nothing was started.
        StartedWithDifferentInput: another order was started under this ID.
    """
    order = logic.parse_order(event)
    arn = start_once(os.environ[FUNCTION_VARIABLE], order["order_id"], order)
    logger.info("approval started", order_id=order["order_id"])
    return {"execution_name": execution_name(order["order_id"]), "execution_arn": arn}
