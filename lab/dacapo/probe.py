"""Whoever wants to know what an invocation does puts a `Probe` on its service client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import OperationUpdate


class Probe:
    """Is told what an invocation does; this one lets it."""

    def reads(self, operation_id: str) -> None:
        """The handler reads back what it recorded of an operation."""

    def takes(self, update: OperationUpdate, *, is_sync: bool) -> bool:
        """Whether the probe keeps a checkpoint to itself, so that it is not sent."""
        _ = update, is_sync
        return False

    def around(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        """What is called instead of a function of the handler's: a step, a poll, a child's body."""
        _ = operation, attempt
        return function

    def gives(self, operation: OperationIdentifier, value: object) -> None:
        """The handler is given what an operation came to."""
