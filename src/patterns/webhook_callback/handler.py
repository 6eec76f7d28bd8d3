"""Wait for a vendor that has an API, sends no events, but calls back a URL that we give it.

This example shows:

- **An opaque URL.** It holds a reference, not the callback ID. The reference is derived
  (`reference`), so a retried submitter sends the same URL, and the vendor sees one job.
- **No early answers.** The registry row that maps the reference to the callback is put *before*
  the job is submitted, so no answer can arrive too early.
- **Heartbeats.** The vendor has a day to answer, and must send a heartbeat every hour. We notice a
  silent vendor after an hour, not after a day.

Cost: one wait and two invocations, however long the vendor takes, plus one request to the endpoint
per heartbeat.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any, TypedDict

from aws_durable_execution_sdk_python import (
    CallbackError,
    CallbackExternalError,
    CallbackSubmitterError,
    CallbackTimeoutError,
    DurableContext,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, StepConfig, WaitForCallbackConfig
from aws_durable_execution_sdk_python.types import WaitForCallbackContext
from pydantic import ValidationError

from patterns import callbacks
from patterns.callbacks import answers
from patterns.callbacks.answers import Answer
from patterns.callbacks.reference import Purpose, derive, row_name
from patterns.transient import retry_transient
from patterns.webhook_callback import partner
from patterns.webhook_callback.messages import Transcript

URL_VARIABLE = "CALLBACK_URL"
"""Environment variable with the base URL of our endpoint, without a trailing slash."""
ANSWER_TIMEOUT = Duration.from_hours(24)
HEARTBEAT_TIMEOUT = Duration.from_hours(1)
"""Longest silence we accept from the vendor between heartbeats."""
WAIT = "transcript"

_STEP = StepConfig(retry_strategy=retry_transient)
_WAIT = WaitForCallbackConfig(
    timeout=ANSWER_TIMEOUT, heartbeat_timeout=HEARTBEAT_TIMEOUT, retry_strategy=retry_transient
)


class NoTranscript(Exception):  # noqa: N818 - the execution's ErrorType should read as a fact
    """The job produced no transcript; the message gives the reason."""


class Job(TypedDict):
    """A job for the vendor.

    Parameters:
        key: the idempotency key.
        recording: URI of the recording.
        deadline: when the wait is over at the latest, epoch seconds.
    """

    key: str
    recording: str
    deadline: float


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Have the vendor transcribe a recording.

    Parameters:
        event: `{"recording": …}`, the URI of the recording.

    Returns:
        `{"transcript": …, "words": …}`.

    Raises:
        NoTranscript: the vendor rejected the job, failed, went silent, or sent an invalid answer.
    """
    recording = event.get("recording")
    if not isinstance(recording, str) or not recording:
        raise NoTranscript('the input needs "recording", the URI of a recording')
    owner = context.execution_context.durable_execution_arn
    job: Job = context.step(lambda _: _prepare(owner, recording), name="prepare the job")
    answer = _wait_for_answer(context, job, owner)
    try:
        return Transcript.model_validate_json(answer).model_dump()
    except ValidationError:
        raise NoTranscript("the answer is not a transcript") from None


def _prepare(owner: str, recording: str) -> Job:
    # Computed in a step, before the callback exists: it replays as the same value, and it is never
    # later than the deadline of the service itself.
    return {
        "key": hashlib.sha256(f"{owner} {WAIT}".encode()).hexdigest(),
        "recording": recording,
        "deadline": time.time() + ANSWER_TIMEOUT.to_seconds(),
    }


def _wait_for_answer(context: DurableContext, job: Job, owner: str) -> str:
    def submit(callback_id: str, _: WaitForCallbackContext) -> None:
        reference = derive(Purpose.WEBHOOK, owner, WAIT)
        callbacks.put(
            row_name(Purpose.WEBHOOK, reference),
            callback_id,
            owner=owner,
            deadline=job["deadline"],
            not_before=0,
        )
        url = f"{os.environ[URL_VARIABLE]}/callbacks/{reference}"
        partner.submit(job["key"], job["recording"], url)

    result: str | None = None
    failure: CallbackError | None = None
    try:
        result = context.wait_for_callback(submit, name=WAIT, config=_WAIT)
    except CallbackError as error:
        failure = error
    answer = answers.received(result, failure)
    context.step(lambda _: _close(owner, answer), name="close the callback", config=_STEP)
    if failure is not None:
        raise NoTranscript(_reason(failure)) from failure
    return result or ""


def _close(owner: str, answer: Answer | None) -> None:
    reference = derive(Purpose.WEBHOOK, owner, WAIT)
    callbacks.close(row_name(Purpose.WEBHOOK, reference), owner=owner, received=answer)


def _reason(failure: CallbackError) -> str:
    match failure:
        case CallbackTimeoutError():
            return "the vendor went silent, or did not answer in time"
        case CallbackExternalError():
            return f"the vendor reported: {failure.message}"
        case CallbackSubmitterError():
            return f"the job could not be submitted: {failure.message}"
        case _:
            return str(failure)
