"""A vendor calls a webhook: an answer, a heartbeat, a rejected message, a failure.

The test is the vendor; the API at PartnerUrl only has to accept the job.
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
from tests.cloud.stack import Reply, Stack, Stacks, send

RETRIES_SECONDS = 240
"""How long to retry an unavailable vendor (patterns.transient)."""
NOT_SUBMITTED = "the job could not be submitted"
TRANSCRIPT = {"transcript": "s3://transcripts/test.txt", "words": 812}
FINISHED = {"kind": "success", "result": TRANSCRIPT}
OTHER_RESULT = {"kind": "success", "result": TRANSCRIPT | {"words": 813}}
MALFORMED = {"kind": "success", "result": {"transcript": 17, "words": 812}}
JSON = {"content-type": "application/json"}


@dataclass
class Job:
    """A submitted job and its callback URL."""

    execution: Execution
    url: str = field(repr=False)
    key: str = field(repr=False)

    def send(self, message: Mapping[str, Any], key: str | None = None) -> Reply:
        """Send a message to the URL, signed with the vendor's key or another one."""
        body = json.dumps(message).encode()
        path = urlsplit(self.url).path
        signed = signature.headers(key or self.key, "POST", path, time.time(), body)
        return send("POST", self.url, body, JSON | signed)


@pytest.fixture(scope="module")
def stack(stacks: Stacks) -> Stack:
    """Provide the pattern's stack."""
    return stacks.of("WebhookCallback")


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    """Provide the key that the vendor signs with now."""
    from patterns.webhook_callback.keys import Keys  # noqa: PLC0415 - its client needs a region

    secrets_manager = boto3.client("secretsmanager")
    secret = secrets_manager.get_secret_value(SecretId=stack.output("SigningSecret"))
    secrets_manager.close()
    return Keys.model_validate_json(secret["SecretString"]).in_use(time.time())


@pytest.fixture(scope="module")
def rejections() -> list[str]:
    """Collect why the vendor rejected a job, so that only one test has to find out."""
    return []


@pytest.fixture
def job(stack: Stack, executions: Executions, key: str, rejections: list[str]) -> Job:
    if rejections:
        pytest.skip(rejections[0])
    recording = f"s3://recordings/{uuid.uuid4()}.mp3"
    event = {"recording": recording}
    execution = executions.start("WebhookCallbackFunction", event, marker=recording)
    try:
        execution.wait_until_submitted("transcript", RETRIES_SECONDS)
    except EndedEarly as error:
        if not str(error).startswith(NOT_SUBMITTED):
            raise
        rejections.append(f"PartnerUrl, {stack.parameter('PartnerUrl')}, accepts no job: {error}")
        pytest.skip(rejections[0])
    reference = stack.reference("webhook", execution.arn, "transcript")
    return Job(execution, stack.url("WebhookUrl", f"callbacks/{reference}"), key)


def test_an_answer_ends_the_wait_and_only_the_same_answer_is_accepted_again(job: Job) -> None:
    replies = [job.send(message).status for message in (FINISHED, FINISHED, OTHER_RESULT)]
    assert replies == [HTTPStatus.OK, HTTPStatus.OK, HTTPStatus.CONFLICT]
    assert job.execution.returned() == TRANSCRIPT


def test_a_heartbeat_is_accepted_and_does_not_end_the_wait(job: Job) -> None:
    assert job.send({"kind": "heartbeat"}).status == HTTPStatus.OK
    assert job.execution.status() == "RUNNING"
    assert job.send(FINISHED).status == HTTPStatus.OK
    assert job.execution.returned() == TRANSCRIPT


def test_a_message_with_a_missing_or_wrong_signature_is_rejected_and_the_wait_continues(
    job: Job,
) -> None:
    unsigned = send("POST", job.url, json.dumps(OTHER_RESULT).encode(), JSON)
    assert unsigned.status == HTTPStatus.UNAUTHORIZED
    assert job.send(OTHER_RESULT, key="the wrong key").status == HTTPStatus.UNAUTHORIZED
    assert job.send(FINISHED).status == HTTPStatus.OK
    assert job.execution.returned() == TRANSCRIPT


def test_a_malformed_message_is_rejected_by_field_and_the_wait_continues(job: Job) -> None:
    reply = job.send(MALFORMED)
    assert reply.status == HTTPStatus.BAD_REQUEST
    assert "result.transcript: invalid" in reply.text
    assert job.send(FINISHED).status == HTTPStatus.OK
    assert job.execution.returned() == TRANSCRIPT


def test_a_failed_job_fails_the_execution_with_the_vendors_reason(job: Job) -> None:
    failure = {"kind": "failure", "message": "the recording is silent"}
    assert job.send(failure).status == HTTPStatus.OK
    result = job.execution.result()
    assert result.execution_status is ExecutionStatus.FAILED
    assert result.error is not None
    assert result.error.message == "the vendor reported: the recording is silent"
