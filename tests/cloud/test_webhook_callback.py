"""A third party calls a URL: an answer, a sign of life, a refusal, a failure.

The third party is this test; the API at PartnerUrl only has to take the job.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from aws_durable_execution_sdk_python_testing.execution import ExecutionStatus

from patterns.webhook_callback import signature
from tests.cloud.execution import EndedEarly, Execution, Executions
from tests.cloud.stack import Reply, Stack, send

RETRIES_SECONDS = 240
"""How long a partner that is busy or can't be reached is asked again (patterns.transient)."""
NOT_ORDERED = "the job could not be ordered"
TRANSCRIPT = {"transcript": "s3://transcripts/test.txt", "words": 812}
FINISHED = {"kind": "success", "result": TRANSCRIPT}
OTHERWISE = {"kind": "success", "result": TRANSCRIPT | {"words": 813}}
MALFORMED = {"kind": "success", "result": {"transcript": 17, "words": 812}}
JSON = {"content-type": "application/json"}


@dataclass
class Job:
    """A job that was ordered, and whose callback URL can be called."""

    execution: Execution
    url: str = field(repr=False)
    key: str = field(repr=False)

    def say(self, message: Mapping[str, Any], key: str | None = None) -> Reply:
        """Call the URL, signed with the agency's key, or with another one."""
        body = json.dumps(message).encode()
        path = urlsplit(self.url).path
        signed = signature.headers(key or self.key, "POST", path, time.time(), body)
        return send("POST", self.url, body, JSON | signed)


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    """The key that the agency signs with now."""
    from patterns.webhook_callback.keys import Keys  # noqa: PLC0415 - its client needs a region

    secrets_manager = boto3.client("secretsmanager")
    secret = secrets_manager.get_secret_value(SecretId=stack.output("SigningSecret"))
    secrets_manager.close()
    return Keys.model_validate_json(secret["SecretString"]).in_use(time.time())


@pytest.fixture(scope="module")
def refusals() -> list[str]:
    """Why the partner took no job; once is enough to know."""
    return []


@pytest.fixture
def job(stack: Stack, executions: Executions, key: str, refusals: list[str]) -> Job:
    if refusals:
        pytest.skip(refusals[0])
    recording = f"s3://recordings/{uuid.uuid4()}.mp3"
    event = {"recording": recording}
    execution = executions.start("WebhookCallbackFunction", event, marker=recording)
    try:
        execution.wait_until_asked("transcript", RETRIES_SECONDS)
    except EndedEarly as error:
        if not str(error).startswith(NOT_ORDERED):
            raise
        refusals.append(f"PartnerUrl, {stack.parameter('PartnerUrl')}, takes no job: {error}")
        pytest.skip(refusals[0])
    reference = stack.reference("webhook", execution.arn, "transcript")
    return Job(execution, stack.url(f"callbacks/{reference}"), key)


def test_an_answer_ends_the_wait_and_is_taken_again_but_no_other_is(job: Job) -> None:
    replies = [job.say(message).status for message in (FINISHED, FINISHED, OTHERWISE)]
    assert replies == [HTTPStatus.OK, HTTPStatus.OK, HTTPStatus.CONFLICT]
    assert job.execution.returned() == TRANSCRIPT


def test_a_sign_of_life_is_taken_and_ends_nothing(job: Job) -> None:
    assert job.say({"kind": "heartbeat"}).status == HTTPStatus.OK
    assert job.execution.status() == "RUNNING"
    assert job.say(FINISHED).status == HTTPStatus.OK
    assert job.execution.returned() == TRANSCRIPT


def test_whoever_does_not_sign_with_the_key_is_refused_and_the_wait_goes_on(job: Job) -> None:
    unsigned = send("POST", job.url, json.dumps(OTHERWISE).encode(), JSON)
    assert unsigned.status == HTTPStatus.UNAUTHORIZED
    assert job.say(OTHERWISE, key="a key that is not the one").status == HTTPStatus.UNAUTHORIZED
    assert job.say(FINISHED).status == HTTPStatus.OK
    assert job.execution.returned() == TRANSCRIPT


def test_what_is_not_as_documented_is_refused_by_field_and_the_wait_goes_on(job: Job) -> None:
    refused = job.say(MALFORMED)
    assert refused.status == HTTPStatus.BAD_REQUEST
    assert "result.transcript: not as documented" in refused.text
    assert job.say(FINISHED).status == HTTPStatus.OK
    assert job.execution.returned() == TRANSCRIPT


def test_a_job_that_fails_fails_the_execution_with_the_agencys_reason(job: Job) -> None:
    failure = {"kind": "failure", "message": "the recording is silent"}
    assert job.say(failure).status == HTTPStatus.OK
    result = job.execution.result()
    assert result.execution_status is ExecutionStatus.FAILED
    assert result.error is not None
    assert result.error.message == "the agency says: the recording is silent"
