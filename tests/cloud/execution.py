"""An execution on a deployed stack, from its start to its end, whoever ends it."""

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

from tests.cloud.stack import Stack, look_for

RUNS = ("RUNNING", "PAUSING", "PAUSED")


class EndedEarly(Exception):  # noqa: N818 - says what it is
    """The execution has ended before anybody was asked; the message is its error's."""


@dataclass
class Execution:
    """An execution that a test has started, and has to end.

    Parameters:
        marker: text in its event that is in no other event; None if there is none.
    """

    arn: str
    stack: Stack = field(repr=False)
    runner: DurableFunctionCloudTestRunner = field(repr=False)
    marker: str | None = None
    _has_left_a_letter: bool = field(default=False, init=False, repr=False)

    def described(self) -> Mapping[str, Any] | None:
        """What the service tells of it; None if it can't be seen yet."""
        client = self.stack.lambda_client
        try:
            return client.get_durable_execution(DurableExecutionArn=self.arn)
        except client.exceptions.ResourceNotFoundException:
            return None

    def status(self) -> str | None:
        """Its status; None if it can't be seen yet."""
        described = self.described()
        return described["Status"] if described else None

    def wait_until_asked(self, operation: str, seconds: float = 120) -> None:
        """Wait until the submitter of a `wait_for_callback` is through: who answers is known now.

        Raises:
            EndedEarly: it has ended without having asked.
        """

        def look() -> bool | None:
            described = self.described() or {"Status": RUNS[0]}
            if self._has_succeeded(f"{operation} submitter"):
                return True
            if described["Status"] not in RUNS:
                raise EndedEarly(described.get("Error", {}).get("ErrorMessage", "no error"))
            return None

        assert look_for(look, seconds), f"{operation}: nobody was asked within {seconds} s"

    def callback_id(self, operation: str) -> str:
        """The id of the callback of a `wait_for_callback`, once its invocation is through."""
        name = f"{operation} create callback id"
        return str(self.runner.wait_for_callback(self.arn, name=name, timeout=60))

    def result(self, seconds: int = 60) -> DurableFunctionTestResult:
        """How it ended.

        Raises:
            TimeoutError: it has not ended by then.
        """
        return self.runner.wait_for_result(self.arn, timeout=seconds)

    def returned(self, seconds: int = 60) -> Any:
        """What its handler returned."""
        result = self.result(seconds)
        assert result.execution_status is ExecutionStatus.SUCCEEDED, result.error
        return json.loads(str(result.result))

    def stop(self) -> None:
        """Stop it, if it runs."""
        # The answer to an asynchronous start can be there before the execution is.
        status = look_for(self.status, 60)
        assert status is not None, f"{self.arn} was started, and is nowhere to be seen"
        if status not in RUNS:
            return
        error = {"ErrorType": "Stopped", "ErrorMessage": "the test is over"}
        try:
            self.stack.lambda_client.stop_durable_execution(
                DurableExecutionArn=self.arn, Error=cast("Any", error)
            )
        except ClientError:
            # It may have ended by itself just now.
            if self.status() in RUNS:
                raise

    def end(self) -> None:
        """Stop it, if it runs, and leave no letter of its end behind."""
        self.stop()
        if self.status() != ExecutionStatus.SUCCEEDED.value:
            self.has_left_a_letter()

    def has_left_a_letter(self, seconds: float = 60) -> bool:
        """Whether its event came into the queue for those that did not succeed; it is taken out."""
        if self.marker is not None and not self._has_left_a_letter:
            marker = self.marker
            found = look_for(lambda: self.stack.take_dead_letter(marker), seconds)
            self._has_left_a_letter = found is not None
        return self._has_left_a_letter

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
    """The executions of one test; all of them are ended with it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._ends = ExitStack()

    def start(
        self, function: str, event: Mapping[str, Any], marker: str | None = None
    ) -> Execution:
        """Start one of the durable function that an output names.

        Parameters:
            marker: text in the event that is in no other event; None if there is none.
        """
        # By its type the runner takes text, but it encodes what it is given as JSON, text as well.
        # And not by `run`, which invokes synchronously: that bounds the execution to 15 minutes,
        # and after one of them boto3 loses patience and invokes again.
        arn = self._stack.runner(function).run_async(cast("Any", dict(event)))
        assert arn, f"{function} is no durable function"
        return self.take_over(function, arn, marker)

    def take_over(self, function: str, arn: str, marker: str | None = None) -> Execution:
        """See to the end of one that was started otherwise."""
        execution = Execution(arn, self._stack, self._stack.runner(function), marker)
        self._ends.callback(execution.end)
        return execution

    def end(self) -> None:
        """End all of them."""
        self._ends.close()
