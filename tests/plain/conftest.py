"""What each test here needs: a harmless AWS configuration, moto, and AWS's own runner.

Copy this file along with a test. The runner skips waits, polls, and the delays of retries. It has
limits that a test can't do anything about, except to say so where one bites:

- Timeouts and heartbeats of callbacks take real time: a test shortens them. So does the timeout of
  an execution, which is why no test notices an ExecutionTimeout that is shorter than the waits.
- The process's clock doesn't move: a step that reads it doesn't see that hours were skipped.
- Nothing outside can act "after two hours": see `before`.
- Branches run on threads, in an order that no seed decides.
- An invocation always runs to its end, so no test shows what a crash between two calls does.
- Quotas aren't enforced: 3,000 operations, or 256 KB for the result of a step.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

# Importing a pattern creates its clients, so set the region and credentials first.
os.environ.update(
    AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"
)

import boto3
import pytest
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.stub import Stubber
from moto import mock_aws  # before the patterns: it sees only clients that are created later

# Made once: creating a client is slower than all that a test does with it.
dynamodb = boto3.client("dynamodb")


@pytest.fixture
def aws() -> Iterator[None]:
    """Simulate AWS with moto, empty at first."""
    with mock_aws():
        yield


@pytest.fixture
def create_table(aws: None) -> Callable[..., None]:
    """Return a function that creates a table: its name, its key, and its sort key if it has one."""

    def create(name: str, *keys: str) -> None:
        kinds = zip(keys, ("HASH", "RANGE"), strict=False)
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in kinds],  # type: ignore[typeddict-item]
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )

    return create


@pytest.fixture
def stub() -> Iterator[Callable[[Any], Stubber]]:
    """Return a function that stubs a client.

    Each response is used once, in order, so a step that runs twice is noticed.
    """
    with ExitStack() as stack:

        def create(client: Any) -> Stubber:
            stubber = stack.enter_context(Stubber(client))
            stack.callback(stubber.assert_no_pending_responses)
            return stubber

        yield create


@pytest.fixture
def bodies() -> list[int]:
    """Return the numbers of the invocations so far: in each one, the handler's body ran."""
    return []


@pytest.fixture
def before() -> dict[int, Callable[[], object]]:
    """Return what happens outside before the handler's nth invocation, by n: empty at first.

    The runner skips waits instead of passing time, so this is how the world acts during one.
    """
    return {}


@pytest.fixture
def runner_of(
    bodies: list[int], before: dict[int, Callable[[], object]]
) -> Iterator[Callable[[Any], DurableFunctionTestRunner]]:
    """Return a function that makes a runner for a handler, whose invocations it counts."""
    with ExitStack() as stack:

        def create(handler: Any) -> DurableFunctionTestRunner:
            def counted(event: Any, context: Any) -> Any:
                bodies.append(len(bodies) + 1)
                before.get(bodies[-1], lambda: None)()
                return handler(event, context)

            # By default, wait_for_callback asks for the callback only once a second.
            runner = DurableFunctionTestRunner(counted, poll_interval=0.05)
            stack.callback(runner.close)
            return runner

        yield create
