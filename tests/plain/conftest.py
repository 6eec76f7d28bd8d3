"""What each test here needs: a harmless AWS configuration, moto, and AWS's own runner.

Copy this file along with a test. With `skip_time`, which is its default, the runner skips waits,
polls, and the delays of retries. Four things are as slow as on AWS, or different:

- Timeouts and heartbeats of callbacks take real time: a test shortens them.
- The timeout of an execution counts skipped time. Its default of 300 s ends an execution that waits
  for an hour: a test passes `execution_timeout`.
- The process's clock doesn't move: a step that reads it doesn't see that hours were skipped.
- Nothing outside can act "after two hours": see `before`.
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
from moto import mock_aws  # before the patterns: it sees only clients that are created later


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
        boto3.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in kinds],  # type: ignore[typeddict-item]
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )

    return create


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
