"""Starts a migration in the background, by hand: a function that invokes itself asynchronously.

Called synchronously it invokes itself as an event and answers at once; called by itself it works.
What it is weak in, by nature:

- Nothing tells two requests apart. A client that got no answer asks again, and the work is done
  again: what makes starting idempotent here is DMS, which refuses a task that runs. A task that has
  ended meanwhile is run once more.
- Lambda may deliver the event twice, and delivers it again if the work fails, with the same result.
- The answer says that the request was taken, and that is the last that anybody hears: a work that
  fails for good is in the dead-letter queue, if there is one.
- Whoever may invoke the function can send the envelope as well, and so have the work done while he
  waits. All that protects is that the envelope holds a request, which is validated like any other,
  and nothing that is believed.

Widely copied versions call `invoke_async`, which is deprecated: it neither propagates traces nor
takes more than 256 KB, and `Invoke` with the type `Event` does the same. And they wrap the request
for the second call (`{"async": true, "data": …}`), but hand the work the wrapping: unwrap it.
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
from patterns.starter import MigrationRequest

ENVELOPE = "in_the_background"
"""The one field of the event that the function sends to itself."""

logger = Logger(service="start-before")
lambda_client = boto3.client("lambda")


class Envelope(BaseModel):
    """A request on its way from the function to itself."""

    model_config = ConfigDict(extra="forbid")

    in_the_background: MigrationRequest


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Start the migration that is asked for: not now, but soon.

    Returns:
        `{"taken": true}`, at once.

    Raises:
        pydantic.ValidationError: nothing is asked for.
        MigrationNotStarted: there is no such task, or it runs already.
    """
    if ENVELOPE in event:
        start(parse(event, model=Envelope).in_the_background)
    else:
        request = parse(event, model=MigrationRequest)
        lambda_client.invoke(
            # With its version or alias, so that the second call finds the code of the first.
            FunctionName=context.invoked_function_arn,
            InvocationType="Event",
            Payload=json.dumps({ENVELOPE: request.model_dump()}).encode(),
        )
    return {"taken": True}


def start(request: MigrationRequest) -> None:
    """Start a migration.

    Raises:
        MigrationNotStarted: there is no such task, or it runs already.
    """
    run = task.note_earlier_run(request.task_arn)
    task.start(run)
    logger.info("migration started", task=request.task_arn, run=request.run)
