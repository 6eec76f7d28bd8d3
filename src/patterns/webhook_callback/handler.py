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
from typing import Any, TypedDict

from aws_durable_execution_sdk_python import (
    CallbackExternalError,
    CallbackTimeoutError,
    DurableContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, StepConfig, WaitForCallbackConfig

from patterns import callbacks
from patterns.callbacks import InvalidAnswer
from patterns.callbacks.reference import Purpose, derive, row_name
from patterns.transient import retry_transient
from patterns.webhook_callback import partner
from patterns.webhook_callback.messages import Transcript

URL_VARIABLE = "CALLBACK_URL"
"""Environment variable with the base URL of our endpoint, without a trailing slash."""
ANSWER_TIMEOUT = Duration.from_hours(24)
HEARTBEAT_TIMEOUT = Duration.from_hours(1)
"""Longest silence we accept from the vendor between heartbeats.

During an outage of our own, no heartbeat gets through either: choose it longer than the outages
that a wait has to survive.
"""
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
        row: key of the callback's row in the registry.
    """

    key: str
    recording: str
    row: str


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
    job: Job = context.step(
        lambda _: _prepare(owner, recording), name="prepare the job", config=_STEP
    )
    try:
        return _wait_for_transcript(context, job, owner).model_dump()
    except StepError as error:
        raise NoTranscript(f"the job could not be submitted: {error.message}") from error
    except CallbackTimeoutError as error:
        raise NoTranscript("the vendor went silent, or did not answer in time") from error
    except CallbackExternalError as error:
        raise NoTranscript(f"the vendor reported: {error.message}") from error
    except InvalidAnswer as error:
        raise NoTranscript("the answer is not a transcript") from error


def job_key(execution: str) -> str:
    """Return the idempotency key of an execution's job."""
    return hashlib.sha256(f"{execution} {WAIT}".encode()).hexdigest()


def _prepare(owner: str, recording: str) -> Job:
    return {
        "key": job_key(owner),
        "recording": recording,
        # Now, so that closing the row needs no KMS. The row's key is a hash: the reference itself
        # must not be in the history.
        "row": row_name(Purpose.WEBHOOK, derive(Purpose.WEBHOOK, owner, WAIT)),
    }


def _wait_for_transcript(context: DurableContext, job: Job, owner: str) -> Transcript:
    def submit() -> None:
        # A retry derives the same reference, so the vendor sees one job with one URL.
        reference = derive(Purpose.WEBHOOK, owner, WAIT)
        url = f"{os.environ[URL_VARIABLE]}/callbacks/{reference}"
        partner.submit(job["key"], job["recording"], url)

    return callbacks.wait_for_answer(
        context,
        submit,
        name=WAIT,
        row=job["row"],
        config=_WAIT,
        parse=Transcript.model_validate_json,
    )
