"""Executions on a deployed stack: start, inspect, and end them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, cast

from aws_durable_execution_sdk_python_testing import DurableFunctionCloudTestRunner
from aws_durable_execution_sdk_python_testing.execution import ExecutionStatus
from aws_durable_execution_sdk_python_testing.runner import DurableFunctionTestResult
from botocore.exceptions import ClientError

from tests.cloud.stack import Stack, poll

RUNS = ("RUNNING", "PAUSING", "PAUSED")


class EndedEarly(Exception):  # noqa: N818 - reads better without Error
    """The execution ended before its callback was submitted; the message is its error's."""


@dataclass
class Execution:
    """An execution that a test started and has to end.

    Parameters:
        arn: the execution's ARN.
        stack: the stack that it runs on.
        runner: the official runner for its function.
        marker: text that occurs only in this execution's input event; None if there is none.
    """

    arn: str
    stack: Stack = field(repr=False)
    runner: DurableFunctionCloudTestRunner = field(repr=False)
    marker: str | None = None
    _has_dead_letter: bool = field(default=False, init=False, repr=False)

    def described(self) -> Mapping[str, Any] | None:
        """Return the service's description of it; None while it is not visible yet."""
        client = self.stack.lambda_client
        try:
            return client.get_durable_execution(DurableExecutionArn=self.arn)
        except client.exceptions.ResourceNotFoundException:
            return None

    def status(self) -> str | None:
        """Return its status; None while it is not visible yet."""
        described = self.described()
        return described["Status"] if described else None

    def wait_until_submitted(self, operation: str, seconds: float = 120) -> None:
        """Wait until the job of a `wait_for_answer` is submitted.

        Parameters:
            operation: name of the wait.
            seconds: how long to wait.

        Raises:
            EndedEarly: the execution ended before that.
        """

        def check() -> bool | None:
            described = self.described() or {"Status": RUNS[0]}
            if self._has_succeeded(f"open {operation}"):
                return True
            if described["Status"] not in RUNS:
                raise EndedEarly(described.get("Error", {}).get("ErrorMessage", "no error"))
            return None

        assert poll(check, seconds), f"{operation}: no callback was submitted within {seconds} s"

    def callback_id(self, operation: str) -> str:
        """Return the callback ID of a `wait_for_answer`, once its invocation has ended."""
        return str(self.runner.wait_for_callback(self.arn, name=operation, timeout=60))

    def result(self, seconds: int = 60) -> DurableFunctionTestResult:
        """Wait for it to end and return its result.

        Parameters:
            seconds: how long to wait.

        Raises:
            TimeoutError: it did not end in time.
        """
        return self.runner.wait_for_result(self.arn, timeout=seconds)

    def returned(self, seconds: int = 60) -> Any:
        """Wait for it to succeed and return what its handler returned."""
        result = self.result(seconds)
        assert result.execution_status is ExecutionStatus.SUCCEEDED, result.error
        return json.loads(str(result.result))

    def stop(self) -> None:
        """Stop it if it is running."""
        # The response to an asynchronous start can arrive before the execution is visible.
        status = poll(self.status, 60)
        assert status is not None, f"{self.arn} was started, but did not become visible"
        if status not in RUNS:
            return
        error = {"ErrorType": "Stopped", "ErrorMessage": "the test is over"}
        try:
            self.stack.lambda_client.stop_durable_execution(
                DurableExecutionArn=self.arn, Error=cast("Any", error)
            )
        except ClientError:
            # It may have just ended.
            if self.status() in RUNS:
                raise

    def end(self) -> None:
        """Stop it if it is running, and remove its dead letter."""
        self.stop()
        if self.status() != ExecutionStatus.SUCCEEDED.value:
            self.has_dead_letter()

    def has_dead_letter(self, seconds: float = 60) -> bool:
        """Check the dead-letter queue for its input event, and remove it.

        Parameters:
            seconds: how long to wait for the event.
        """
        if self.marker is not None and not self._has_dead_letter:
            marker = self.marker
            removed = poll(lambda: self.stack.take_dead_letter(marker), seconds)
            self._has_dead_letter = removed is not None
        return self._has_dead_letter

    def _has_succeeded(self, step: str) -> bool:
        events = [event for event in self._history() if event["EventType"].startswith("Step")]
        ids = {event["Id"] for event in events if event.get("Name") == step}
        return any(e["EventType"] == "StepSucceeded" and e["Id"] in ids for e in events)

    def _history(self) -> Iterator[Mapping[str, Any]]:
        client = self.stack.lambda_client
        paginator = client.get_paginator("get_durable_execution_history")
        try:
            for page in paginator.paginate(DurableExecutionArn=self.arn):
                yield from page["Events"]
        except client.exceptions.ResourceNotFoundException:
            return


class Executions:
    """The executions of one test, which end with it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._ends = ExitStack()

    def start(
        self, function: str, event: Mapping[str, Any], marker: str | None = None
    ) -> Execution:
        """Start an execution.

        Parameters:
            function: name of the output with the durable function.
            event: the input event.
            marker: text that occurs in no other event; None if there is none.
        """
        # The runner's type is text, but it JSON-encodes any input, text too.
        # Don't use `run`: it invokes synchronously, which limits the execution to 15 minutes, and
        # after one minute boto3 times out and invokes again.
        arn = self._stack.runner(function).run_async(cast("Any", dict(event)))
        assert arn, f"{function} is not a durable function"
        return self.adopt(function, arn, marker)

    def adopt(self, function: str, arn: str, marker: str | None = None) -> Execution:
        """Return an execution that was started elsewhere, and end it with the test."""
        execution = Execution(arn, self._stack, self._stack.runner(function), marker)
        self._ends.callback(execution.end)
        return execution

    def end(self) -> None:
        """End all of them."""
        self._ends.close()
