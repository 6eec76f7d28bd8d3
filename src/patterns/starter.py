"""Starts a migration once per business key; whoever asks may ask again.

The business key is the task and the run that is asked for ("2026-11 cut-over"): asking twice for
one run starts one execution, asking for another run starts another.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from patterns.start import execution_name, start_once

FUNCTION_VARIABLE = "MIGRATION_FUNCTION"
"""Names the environment variable that holds the durable function, with its alias."""

logger = Logger(service="starter")


class MigrationRequest(BaseModel):
    """What is asked for: a task, and a name for this run of it."""

    task_arn: str = Field(pattern=":task:")
    run: str = Field(min_length=1)


@event_parser(model=MigrationRequest)
def handler(event: MigrationRequest, _: LambdaContext) -> dict[str, Any]:
    """Start the migration that is asked for, unless it was started before.

    Returns:
        `{"execution_name": …, "execution_arn": …}`.

    Raises:
        StartedDifferently: this run was started before, with another input.
    """
    key = f"{event.task_arn} {event.run}"
    arn = start_once(os.environ[FUNCTION_VARIABLE], key, {"task_arn": event.task_arn})
    logger.info("migration started", task=event.task_arn, run=event.run)
    return {"execution_name": execution_name(key), "execution_arn": arn}
