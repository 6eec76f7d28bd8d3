"""Start a migration once per business key, so that callers can safely retry.

The business key is the task plus the name of the run ("2026-11 cut-over"): requesting the same run
twice starts one execution, and requesting another run starts another. `polling` and
`event_callback` start in the same way; only their functions differ.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from patterns.starting import execution_name, start_once

FUNCTION_VARIABLE = "MIGRATION_FUNCTION"
"""Environment variable with the durable function, qualified with its alias."""

logger = Logger(service="start-migration")


class MigrationRequest(BaseModel):
    """A request to migrate: a task, and a name for this run of it."""

    task_arn: str = Field(pattern=":task:")
    run: str = Field(min_length=1)


@event_parser(model=MigrationRequest)
def handler(event: MigrationRequest, _: LambdaContext) -> dict[str, Any]:
    """Start the requested migration, or find it if it is already started.

    Returns:
        `{"execution_name": …, "execution_arn": …}`.

    Raises:
        StartedWithDifferentInput: this run was already started with a different input.
    """
    key = f"{event.task_arn} {event.run}"
    arn = start_once(os.environ[FUNCTION_VARIABLE], key, {"task_arn": event.task_arn})
    logger.info("migration started", task=event.task_arn, run=event.run)
    return {"execution_name": execution_name(key), "execution_arn": arn}
