"""What operations of the SDK do in a handler: diverge, suspend, and go on where they would not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from aws_durable_execution_sdk_python import context
from aws_durable_execution_sdk_python.concurrency import executor
from aws_durable_execution_sdk_python.exceptions import (
    NonDeterministicExecutionError,
    SuspendExecution,
)
from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import Operation
from aws_durable_execution_sdk_python.operation.base import OperationExecutor

Ask = Callable[..., Any]


@contextmanager
def divergences() -> Iterator[list[str]]:
    """While this lasts, collects each divergence that the SDK finds, swallowed or not."""
    found: list[str] = []
    validate = OperationIdentifier.validate_checkpoint

    def told(self: OperationIdentifier, checkpoint: Operation | None) -> None:
        try:
            validate(self, checkpoint)
        except NonDeterministicExecutionError as error:
            found.append(str(error))
            raise

    with patch.object(OperationIdentifier, "validate_checkpoint", told):
        yield found


@contextmanager
def suspensions() -> Iterator[list[str]]:
    """While this lasts, collects each suspension of a handler, outside its branches."""
    found: list[str] = []

    def told(ask: Ask, branches: _Branches) -> Ask:
        def asking(self: Any, *arguments: Any, **named: Any) -> Any:
            try:
                return ask(self, *arguments, **named)
            except SuspendExecution as suspension:
                if not branches.depth:
                    found.append(str(suspension))
                raise

        return asking

    with _asking(told):
        yield found


@contextmanager
def uninterrupted() -> Iterator[None]:
    """While this lasts, an invocation is not suspended where something can still happen.

    Where the SDK would suspend the handler, time passes until something has changed for it, and
    the operation is asked again. In a branch of `map` or `parallel` the SDK suspends as ever: the
    other branches have to come first, and the batch as a whole is asked again.
    """

    def again(ask: Ask, branches: _Branches) -> Ask:
        def asking(self: Any, *arguments: Any, **named: Any) -> Any:
            while True:
                try:
                    return ask(self, *arguments, **named)
                except SuspendExecution:
                    client = self.state._service_client  # noqa: SLF001
                    if branches.depth or not client.advance():
                        raise
                    # An empty checkpoint brings what has changed back.
                    self.state.create_checkpoint()

        return asking

    with _asking(again):
        yield


class _Branches(threading.local):
    """How many branches a thread is in."""

    depth = 0


@contextmanager
def _asking(around: Callable[[Ask, _Branches], Ask]) -> Iterator[None]:
    """Put something around all that suspends."""
    branches = _Branches()
    work = executor.ConcurrentExecutor._branch_worker  # noqa: SLF001

    def branch(self: Any, *arguments: Any, **named: Any) -> None:
        branches.depth += 1
        try:
            work(self, *arguments, **named)
        finally:
            branches.depth -= 1

    with (
        patch.object(executor.ConcurrentExecutor, "_branch_worker", branch),
        patch.object(OperationExecutor, "process", around(OperationExecutor.process, branches)),
        patch.object(context.Callback, "result", around(context.Callback.result, branches)),
    ):
        yield
