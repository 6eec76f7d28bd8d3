"""Start a preorder, once per order ID; repeating a request has no further effect.

The event holds no version. A starter that added one would have to be deployed after the handler
that knows it, or old code would ignore it, and new code would believe it. And a request that is
repeated after that deployment would be another input under the same name, which is rejected.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.starting import start_once
from patterns.versioned.logic import parse_preorder

FUNCTION_VARIABLE = "VERSIONED_FUNCTION"
"""Environment variable with the durable function, qualified with `$LATEST`."""

logger = Logger(service="versioned")


def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, str]:
    """Start the preorder, or find it if it is already started.

    Parameters:
        event: a `Preorder`.

    Returns:
        `{"execution_arn": …}`.

    Raises:
        InvalidPreorder: the event isn't a valid preorder; nothing was started.
        StartedWithDifferentInput: another preorder was started under this ID.
    """
    preorder = parse_preorder(event)
    arn = start_once(os.environ[FUNCTION_VARIABLE], preorder.order_id, preorder.to_json())
    logger.info("preorder submitted", order_id=preorder.order_id)
    return {"execution_arn": arn}
