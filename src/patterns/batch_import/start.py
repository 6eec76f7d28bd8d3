"""Start one import for each object that S3 announces.

EventBridge delivers at least once, and S3 may announce an upload twice. The business key is bucket,
key, and ETag: a duplicate event finds the execution that the first one started, and new content
under the same key starts another.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from patterns.starting import start_once

FUNCTION_VARIABLE = "IMPORT_FUNCTION"
"""Environment variable with the durable function, qualified with its alias."""

logger = Logger(service="batch-import-start")


class Bucket(BaseModel):
    """The bucket that holds the object."""

    name: str = Field(min_length=1)


class Object(BaseModel):
    """The object; its ETag has no quotes."""

    key: str = Field(min_length=1)
    etag: str = Field(min_length=1)


class Created(BaseModel):
    """The part of the event's detail that this function uses."""

    bucket: Bucket
    object: Object


class ObjectCreated(EventBridgeModel):
    """An S3 "Object Created" event from EventBridge."""

    detail: Created


@event_parser(model=ObjectCreated)
def handler(event: ObjectCreated, _: LambdaContext) -> dict[str, Any]:
    """Start the import, or find the execution if it is already started.

    Returns:
        `{"execution_arn": …}`.

    Raises:
        StartedWithDifferentInput: the import was started before with a different input.
    """
    bucket, key, etag = event.detail.bucket.name, event.detail.object.key, event.detail.object.etag
    wanted = {"bucket": bucket, "key": key, "etag": etag}
    arn = start_once(os.environ[FUNCTION_VARIABLE], f"{bucket}/{key} {etag}", wanted)
    logger.info("import started", bucket=bucket, key=key)
    return {"execution_arn": arn}
