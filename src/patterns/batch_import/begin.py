"""Begins the import of an object that S3 tells of, once.

EventBridge delivers at least once, and S3 may tell of one upload twice. The business key is bucket,
key and ETag: the same event again finds the execution that it started; other content under the same
key starts another.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from patterns.start import start_once

FUNCTION_VARIABLE = "IMPORT_FUNCTION"
"""Names the environment variable that holds the durable function, with its alias."""

logger = Logger(service="begin")


class Bucket(BaseModel):
    """Where the object is."""

    name: str = Field(min_length=1)


class Object(BaseModel):
    """Which object it is; the ETag is without quotes."""

    key: str = Field(min_length=1)
    etag: str = Field(min_length=1)


class Created(BaseModel):
    """The part of the event's detail that matters here."""

    bucket: Bucket
    object: Object


class ObjectCreated(EventBridgeModel):
    """An "Object Created" event of S3, as EventBridge has it."""

    detail: Created


@event_parser(model=ObjectCreated)
def handler(event: ObjectCreated, _: LambdaContext) -> dict[str, Any]:
    """Begin the import, unless it was begun before.

    Returns:
        `{"execution_arn": …}`.

    Raises:
        StartedDifferently: it was begun before, with another input.
    """
    bucket, key, etag = event.detail.bucket.name, event.detail.object.key, event.detail.object.etag
    wanted = {"bucket": bucket, "key": key, "etag": etag}
    arn = start_once(os.environ[FUNCTION_VARIABLE], f"{bucket}/{key} {etag}", wanted)
    logger.info("import begun", bucket=bucket, key=key)
    return {"execution_arn": arn}
