"""Start a migration that polls its task, once per task and run."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext

from patterns.migration.request import MigrationRequest, start_migration

FUNCTION_VARIABLE = "MIGRATION_FUNCTION"
"""Environment variable with the durable function, qualified with its alias."""


@event_parser(model=MigrationRequest)
def handler(event: MigrationRequest, _: LambdaContext) -> dict[str, Any]:
    """Start the requested migration, or find it if it is already started.

    Returns:
        `{"execution_name": …, "execution_arn": …}`.

    Raises:
        StartedWithDifferentInput: this run was already started with a different input.
    """
    return start_migration(os.environ[FUNCTION_VARIABLE], event)
