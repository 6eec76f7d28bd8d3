"""Wait for a third party that has an API and sends no events, but calls a URL that it was given.

Look at three things:

- The URL holds a reference, not the callback id: it is derived (`reference`), so a submitter that
  comes again gives out the same URL, and the agency sees one job.
- The row that leads from the reference to the callback is put *before* the job is ordered, so no
  answer can come too early.
- The agency has a day, and has to give a sign of life every hour. A silent agency is noticed after
  an hour, not after a day.

What it costs: one wait, two invocations, however long the agency takes, and a call of the endpoint
for each sign of life.
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

from patterns import callback_answers, callbacks
from patterns.callback_answers import Answer
from patterns.reference import Purpose, derive, row_name
from patterns.transient import retry_transient
from patterns.webhook_callback import partner
from patterns.webhook_callback.messages import Transcript

URL_VARIABLE = "CALLBACK_URL"
"""Names the environment variable that holds where the endpoint is, without a slash at the end."""
ANSWER_TIMEOUT = Duration.from_hours(24)
SILENCE_TIMEOUT = Duration.from_hours(1)
"""How long the agency may give no sign of life."""
WAIT = "transcript"

_STEP = StepConfig(retry_strategy=retry_transient)
_WAIT = WaitForCallbackConfig(
    timeout=ANSWER_TIMEOUT, heartbeat_timeout=SILENCE_TIMEOUT, retry_strategy=retry_transient
)


class NoTranscript(Exception):  # noqa: N818 - says what it is
    """There is no transcript; the message says why."""


class Job(TypedDict):
    """What is ordered: under which key, of what, and until when an answer counts."""

    key: str
    recording: str
    deadline: float


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Have a recording transcribed.

    Parameters:
        event: `{"recording": …}`, where the recording is.

    Returns:
        `{"transcript": …, "words": …}`.

    Raises:
        NoTranscript: the agency refused the job, failed, fell silent, or gave a useless answer.
    """
    recording = event.get("recording")
    if not isinstance(recording, str) or not recording:
        raise NoTranscript("the event names no recording: give {'recording': 's3://…'}")
    owner = context.execution_context.durable_execution_arn
    job: Job = context.step(lambda _: _prepare(owner, recording), name="prepare the job")
    answer = _wait_for_answer(context, job, owner)
    try:
        return Transcript.model_validate_json(answer).model_dump()
    except ValidationError:
        raise NoTranscript("the answer is no transcript") from None


def _prepare(owner: str, recording: str) -> Job:
    # The deadline is reckoned from a moment before the callback is made, and recorded here: it is
    # never later than the service's own.
    return {
        "key": hashlib.sha256(f"{owner} {WAIT}".encode()).hexdigest(),
        "recording": recording,
        "deadline": time.time() + ANSWER_TIMEOUT.to_seconds(),
    }


def _wait_for_answer(context: DurableContext, job: Job, owner: str) -> str:
    def order(callback_id: str, _: WaitForCallbackContext) -> None:
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

    answer: str | None = None
    failure: CallbackError | None = None
    try:
        answer = context.wait_for_callback(order, name=WAIT, config=_WAIT)
    except CallbackError as error:
        failure = error
    got = callback_answers.received(answer, failure)
    context.step(lambda _: _close(owner, got), name="close the callback", config=_STEP)
    if failure is not None:
        raise NoTranscript(_reason(failure)) from failure
    return answer or ""


def _close(owner: str, got: Answer | None) -> None:
    reference = derive(Purpose.WEBHOOK, owner, WAIT)
    callbacks.close(row_name(Purpose.WEBHOOK, reference), owner=owner, got=got)


def _reason(failure: CallbackError) -> str:
    match failure:
        case CallbackTimeoutError():
            return "the agency gave no sign of life, or no answer in time"
        case CallbackExternalError():
            return f"the agency says: {failure.message}"
        case CallbackSubmitterError():
            return f"the job could not be ordered: {failure.message}"
        case _:
            return str(failure)
