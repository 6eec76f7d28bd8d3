"""Request a migration, and start it once per business key, so that callers can safely retry.

The business key is the task plus the name of the run ("2026-11 cut-over"): requesting the same run
twice starts one execution, and requesting another run starts another.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import BaseModel
from pydantic import Field

from patterns.starting import execution_name, start_once

logger = Logger(service="start-migration")


class MigrationRequest(BaseModel):
    """A request to migrate: a task, and a name for this run of it."""

    task_arn: str = Field(pattern=":task:")
    run: str = Field(min_length=1)


def start_migration(function: str, request: MigrationRequest) -> dict[str, Any]:
    """Start the requested migration, unless it was already started.

    Parameters:
        function: name or ARN of the durable function, with its version or alias.

    Returns:
        `{"execution_name": …, "execution_arn": …}`.

    Raises:
        StartedWithDifferentInput: this run was already started with a different input.
    """
    key = f"{request.task_arn} {request.run}"
    arn = start_once(function, key, {"task_arn": request.task_arn})
    logger.info("migration started", task=request.task_arn, run=request.run)
    return {"execution_name": execution_name(key), "execution_arn": arn}
