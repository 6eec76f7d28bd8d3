"""The deployed stack of a pattern: its outputs, tables, queue and HTTP API.

These tests run in real time, so they wait; but every wait is bounded.
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
import pytest
import urllib3
from aws_durable_execution_sdk_python_testing import DurableFunctionCloudTestRunner

PAUSE_SECONDS = 2
"""Interval between polls; the service allows 15 history reads per second and account."""
MAX_ATTEMPTS = 5
"""How often to send a request that is throttled or can't be served yet."""

Result = TypeVar("Result")


def poll(check: Callable[[], Result | None], seconds: float) -> Result | None:
    """Call a function until it returns something; None if it never does.

    Parameters:
        check: the function to call.
        seconds: about how long to poll.
    """
    for _ in range(max(1, math.ceil(seconds / PAUSE_SECONDS))):
        result = check()
        if result is not None:
            return result
        time.sleep(PAUSE_SECONDS)  # a real stack works in real time
    return None


@dataclass(frozen=True)
class Reply:
    """An HTTP response."""

    status: int
    text: str


def send(
    method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Reply:
    """Send a request, and retry it on 429 and 503, as the API asks its callers to."""
    with urllib3.PoolManager(timeout=30, retries=False) as http:

        def once() -> Reply:
            response = http.request(method, url, body=body, headers=headers, redirect=False)
            return Reply(response.status, response.data.decode())

        for _ in range(MAX_ATTEMPTS - 1):
            reply = once()
            if reply.status not in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
                return reply
            time.sleep(PAUSE_SECONDS)  # a real API asks for a pause
        return once()


class Stacks:
    """The stacks of the patterns: nested in one stack, or a single one that is deployed alone."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._opened: dict[str, Stack] = {}
        cloudformation = boto3.client("cloudformation")
        listed = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        cloudformation.close()
        self._nested = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in listed
            if resource["ResourceType"] == "AWS::CloudFormation::Stack"
        }
        self._alone = {resource["LogicalResourceId"] for resource in listed}

    def of(self, pattern: str) -> Stack:
        """Return a pattern's stack; skip the test if the pattern is not deployed.

        Parameters:
            pattern: logical ID of its stack in the template that nests all, for example `Approval`.
        """
        if pattern not in self._nested and f"{pattern}Function" not in self._alone:
            pytest.skip(f"the stack {self._name} does not have the pattern {pattern}")
        if pattern not in self._opened:
            self._opened[pattern] = Stack(self._nested.get(pattern, self._name))
        return self._opened[pattern]

    def close(self) -> None:
        """Close all connections."""
        for stack in self._opened.values():
            stack.close()


class Stack:
    """A deployed CloudFormation stack of one pattern, and the tests' access to it.

    Parameters:
        name: the stack's name or ARN.
    """

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
        """Return an output's value."""
        assert name in self._outputs, f"the stack {self._name} has no output {name}: redeploy it"
        return str(self._outputs[name])

    def parameter(self, name: str) -> str:
        """Return the value that a parameter was deployed with."""
        return str(self._parameters[name])

    def url(self, output: str, path: str) -> str:
        """Return the URL of a path of the HTTP API.

        Parameters:
            output: name of the output with the API's URL.
            path: the path, without a leading slash.
        """
        return f"{self.output(output).rstrip('/')}/{path}"

    def item(self, table: str, key: str, value: str) -> Mapping[str, Any] | None:
        """Read an item, with strong consistency; None if there is none.

        Parameters:
            table: name of the output with the table.
            key: name of the partition key.
            value: value of the partition key.
        """
        response = self._dynamodb.get_item(
            TableName=self.output(table), Key={key: {"S": value}}, ConsistentRead=True
        )
        return response.get("Item")

    def delete_item(self, table: str, key: str, value: str) -> None:
        """Delete an item that a test created."""
        self._dynamodb.delete_item(TableName=self.output(table), Key={key: {"S": value}})

    def reference(self, purpose: str, execution: str, operation: str) -> str:
        """Derive the reference that an execution sends instead of a callback ID.

        Parameters:
            purpose: the reference's purpose, as in `patterns.callbacks.reference.Purpose`.
            execution: ARN of the execution.
            operation: name of its wait.
        """
        from patterns.callbacks import reference  # noqa: PLC0415 - its client needs a region

        with patch.dict(os.environ, {reference.KEY_VARIABLE: self.output("ReferenceKey")}):
            derived = reference.derive(reference.Purpose(purpose), execution, operation)
        reference.kms.close()
        return derived

    def runner(self, function: str) -> DurableFunctionCloudTestRunner:
        """Return the official runner for the function in an output."""
        if function not in self._runners:
            self._runners[function] = DurableFunctionCloudTestRunner(
                self.output(function),
                region=self.lambda_client.meta.region_name,
                poll_interval=PAUSE_SECONDS,
            )
        return self._runners[function]

    def take_dead_letter(self, text: str) -> bool | None:
        """Delete the dead letter that contains a text; None if there is none yet.

        Other dead letters are hidden for 5 seconds, and stay in the queue.
        """
        queue = self.output("ExecutionDeadLetterQueue")
        received = self._sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=5, WaitTimeSeconds=1
        )
        for message in received.get("Messages", []):
            if text in message["Body"]:
                self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                return True
        return None

    def close(self) -> None:
        """Close all connections."""
        for client in (self.lambda_client, self._dynamodb, self._sqs):
            client.close()
        for runner in self._runners.values():
            runner.lambda_client.close()
