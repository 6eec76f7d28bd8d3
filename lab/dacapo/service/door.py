"""The SDK's door to the service: its service-client protocol, in process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aws_durable_execution_sdk_python.exceptions import CheckpointError, GetExecutionStateError
from aws_durable_execution_sdk_python.lambda_service import (
    CheckpointOutput,
    OperationUpdate,
    StateOutput,
)

from dacapo.service.checkpoints import Checkpoints
from dacapo.service.errors import ServiceError

if TYPE_CHECKING:
    from dacapo.service.execution import Execution


class Door:
    """What one invocation sees of the service (the SDK's `DurableServiceClient`).

    Parameters:
        execution: whose invocation this is.
    """

    def __init__(self, checkpoints: Checkpoints, execution: Execution) -> None:
        self._checkpoints = checkpoints
        self._execution = execution
        self.flush: Callable[[], None] = lambda: None
        """Sends what the SDK still holds back; the SDK's state of this invocation sets it."""
        self.fault: Exception | None = None
        """An error of the service's own, which the SDK would take for one that passes."""

    def settle(self) -> None:
        """Bring what the handler has done so far to the service."""
        self.flush()

    def checkpoint(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        updates: list[OperationUpdate],
        client_token: str | None,  # noqa: ARG002 - the SDK never sends one
    ) -> CheckpointOutput:
        """Store updates; see `Checkpoints.store`."""
        try:
            with self._faults_kept():
                return self._checkpoints.store(durable_execution_arn, checkpoint_token, updates)
        except ServiceError as refused:
            error = refused.as_client_error("CheckpointDurableExecution")
            raise CheckpointError.from_exception(error) from None

    def get_execution_state(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        next_marker: str,
        max_items: int = 1000,
    ) -> StateOutput:
        """Read a page of the state; see `Checkpoints.read`."""
        try:
            with self._faults_kept():
                return self._checkpoints.read(
                    durable_execution_arn, checkpoint_token, next_marker, max_items
                )
        except ServiceError as refused:
            error = refused.as_client_error("GetDurableExecutionState")
            raise GetExecutionStateError.from_exception(error) from None

    @contextmanager
    def _faults_kept(self) -> Iterator[None]:
        try:
            yield
        except ServiceError:
            raise
        except Exception as error:
            self.fault = error
            raise
