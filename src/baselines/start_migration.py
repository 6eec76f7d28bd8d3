"""Baseline: start a migration in the background, with a function that invokes itself.

A client's call makes the function invoke itself asynchronously and return at once; the second call
does the work. The weaknesses are inherent:

- Nothing deduplicates requests. A client that times out retries, and the work is repeated. Here DMS
  makes starting idempotent, because it rejects a task that is running; but a task that has finished
  in the meantime runs again.
- Lambda may deliver the event twice, and redelivers it if the work fails, with the same result.
- The response says that the request was accepted, and nothing ever says more: work that fails
  permanently ends up in the dead-letter queue, if there is one.
- Any caller that can invoke the function can also send the envelope, and so run the work
  synchronously. The only protection is that the envelope contains nothing but a request, which is
  validated like any other.

Widely copied versions call the deprecated `invoke_async`, which doesn't propagate traces and is
limited to 256 KB; `Invoke` with the type `Event` does the same job. They also wrap the request for
the second call (`{"async": true, "data": …}`), and then pass the wrapper to the work: unwrap it.
"""

from __future__ import annotations

import json
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import BaseModel, parse
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ConfigDict

from patterns.migration import task
from patterns.migration.start import MigrationRequest

ENVELOPE = "in_the_background"
"""The only field of the event that the function sends to itself."""

logger = Logger(service="start-baseline")
lambda_client = boto3.client("lambda")


class Envelope(BaseModel):
    """A request that the function sends to itself."""

    model_config = ConfigDict(extra="forbid")

    in_the_background: MigrationRequest


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Start the requested migration in the background.

    Returns:
        `{"accepted": true}`, at once.

    Raises:
        pydantic.ValidationError: the request is invalid.
        MigrationNotStarted: the task doesn't exist, or is already running.
    """
    if ENVELOPE in event:
        start(parse(event, model=Envelope).in_the_background)
    else:
        request = parse(event, model=MigrationRequest)
        lambda_client.invoke(
            # With its version or alias, so that both calls run the same code.
            FunctionName=context.invoked_function_arn,
            InvocationType="Event",
            Payload=json.dumps({ENVELOPE: request.model_dump()}).encode(),
        )
    return {"accepted": True}


def start(request: MigrationRequest) -> None:
    """Start a migration.

    Raises:
        MigrationNotStarted: the task doesn't exist, or is already running.
    """
    run = task.record_earlier_run(request.task_arn)
    task.start(run)
    logger.info("migration started", task=request.task_arn, run=request.run)
