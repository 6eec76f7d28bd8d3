"""A deployed stack: its outputs, its tables, its queue and its HTTP API.

Real time is the subject here, so there is waiting; but every wait has an end.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from unittest.mock import patch

import boto3
import urllib3
from aws_durable_execution_sdk_python_testing import DurableFunctionCloudTestRunner

PAUSE_SECONDS = 2
"""Between two looks; the service allows 15 reads of histories a second, to the whole account."""
MOST_REQUESTS = 5
"""How often a request is sent that can't be taken now."""

Found = TypeVar("Found")


def look_for(look: Callable[[], Found | None], seconds: float) -> Found | None:
    """Look until there is something, for about so long at the most; None if there never was."""
    for _ in range(max(1, math.ceil(seconds / PAUSE_SECONDS))):
        found = look()
        if found is not None:
            return found
        time.sleep(PAUSE_SECONDS)
    return None


@dataclass(frozen=True)
class Reply:
    """What a request was answered."""

    status: int
    text: str


def send(
    method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Reply:
    """Send a request; one that can't be taken now is sent again, as its sender is asked to."""
    with urllib3.PoolManager(timeout=30, retries=False) as http:

        def once() -> Reply:
            answer = http.request(method, url, body=body, headers=headers, redirect=False)
            return Reply(answer.status, answer.data.decode())

        for _ in range(MOST_REQUESTS - 1):
            reply = once()
            if reply.status not in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
                return reply
            time.sleep(PAUSE_SECONDS)
        return once()


class Stack:
    """What CloudFormation tells of a stack, and what the tests do with it."""

    def __init__(self, name: str) -> None:
        self.lambda_client = boto3.client("lambda")
        self._dynamodb = boto3.client("dynamodb")
        self._sqs = boto3.client("sqs")
        self._runners: dict[str, DurableFunctionCloudTestRunner] = {}
        self._name = name
        cloudformation = boto3.client("cloudformation")
        (described,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        cloudformation.close()
        self._outputs = {o["OutputKey"]: o["OutputValue"] for o in described.get("Outputs", [])}
        self._parameters = {
            p["ParameterKey"]: p["ParameterValue"] for p in described.get("Parameters", [])
        }

    def output(self, name: str) -> str:
        """An output's value."""
        assert name in self._outputs, f"the stack {self._name} has no output {name}: deploy it anew"
        return str(self._outputs[name])

    def parameter(self, name: str) -> str:
        """The value that a parameter was deployed with."""
        return str(self._parameters[name])

    def url(self, path: str) -> str:
        """Where a path of the HTTP API is."""
        return f"{self.output('HttpApiUrl').rstrip('/')}/{path}"

    def item(self, table: str, key: str, value: str) -> Mapping[str, Any] | None:
        """An item of the table that an output names, as the last write left it."""
        answer = self._dynamodb.get_item(
            TableName=self.output(table), Key={key: {"S": value}}, ConsistentRead=True
        )
        return answer.get("Item")

    def forget(self, table: str, key: str, value: str) -> None:
        """Delete an item that a test has caused."""
        self._dynamodb.delete_item(TableName=self.output(table), Key={key: {"S": value}})

    def reference(self, purpose: str, execution: str, operation: str) -> str:
        """The reference that whoever is asked by an execution is given."""
        from patterns import reference  # noqa: PLC0415 - to make its client, a region is needed

        with patch.dict(os.environ, {reference.KEY_VARIABLE: self.output("ReferenceKey")}):
            derived = reference.derive(reference.Purpose(purpose), execution, operation)
        reference.kms.close()
        return derived

    def runner(self, function: str) -> DurableFunctionCloudTestRunner:
        """The official runner for the function that an output names."""
        if function not in self._runners:
            self._runners[function] = DurableFunctionCloudTestRunner(
                self.output(function),
                region=self.lambda_client.meta.region_name,
                poll_interval=PAUSE_SECONDS,
            )
        return self._runners[function]

    def take_dead_letter(self, text: str) -> bool | None:
        """Take the event that holds this text out of the executions' queue; None if it is not seen.

        Others' letters are hidden by this for some seconds, and stay.
        """
        queue = self.output("ExecutionDeadLetters")
        seen = self._sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=5, WaitTimeSeconds=1
        )
        for letter in seen.get("Messages", []):
            if text in letter["Body"]:
                self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=letter["ReceiptHandle"])
                return True
        return None

    def close(self) -> None:
        """Close all connections."""
        for client in (self.lambda_client, self._dynamodb, self._sqs):
            client.close()
        for runner in self._runners.values():
            runner.lambda_client.close()
