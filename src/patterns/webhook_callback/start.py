"""Start a transcription, once per recording and job; repeating a request has no further effect.

The business key is the recording plus the name of the job: requesting the same job twice starts one
execution, and requesting another job of the same recording has it transcribed again.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from patterns.starting import execution_name, start_once

FUNCTION_VARIABLE = "TRANSCRIPTION_FUNCTION"
"""Environment variable with the durable function, qualified with its alias."""

logger = Logger(service="start-transcription")


class TranscriptionRequest(BaseModel):
    """A request for a transcript.

    Parameters:
        recording: URI of the recording.
        job: name of the job, unique for this recording.
    """

    recording: str = Field(min_length=1)
    job: str = Field(min_length=1)


@event_parser(model=TranscriptionRequest)
def handler(event: TranscriptionRequest, _: LambdaContext) -> dict[str, Any]:
    """Start the transcription, or find it if it is already started.

    Returns:
        `{"execution_name": …, "execution_arn": …}`.

    Raises:
        StartedWithDifferentInput: this job was already started with a different input.
    """
    key = f"{event.recording} {event.job}"
    arn = start_once(os.environ[FUNCTION_VARIABLE], key, {"recording": event.recording})
    logger.info("transcription started", job=event.job)
    return {"execution_name": execution_name(key), "execution_arn": arn}
