"""The SDK's connection to the service, with hooks that observe it or interfere with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from aws_durable_execution_sdk_python.exceptions import CheckpointError, GetExecutionStateError
from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import (
    CheckpointOutput,
    CheckpointUpdatedExecutionState,
    OperationUpdate,
    StateOutput,
)

from dacapo.service.checkpoints import Checkpoints
from dacapo.service.errors import ServiceError, invalid

if TYPE_CHECKING:
    from dacapo.service.execution import Execution

_UNKNOWN_TOKEN = invalid("Invalid checkpoint token: it is not the token of this invocation.")


class Probe:
    """Hooks into one invocation on the SDK's side; these do nothing."""

    def on_read(self, operation_id: str) -> None:
        """Handle that the handler reads an operation back from its history."""

    def intercept_checkpoint(self, update: OperationUpdate, *, is_sync: bool) -> bool:
        """Return True to drop a checkpoint instead of sending it.

        Parameters:
            update: the checkpoint.
            is_sync: whether the handler waits until it is stored.
        """
        _ = update, is_sync
        return False

    def wrap_function(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Return the function to call in place of a step, a check or a child context's body.

        Parameters:
            operation: the operation that it belongs to.
            attempt: number of the attempt, from 1.
            function: the handler's function.
        """
        _ = operation, attempt
        return function

    def on_result(self, operation: OperationIdentifier, value: object) -> None:
        """Handle the result that an operation returns to the handler."""


class Crash(Exception):  # noqa: N818 - an event, not an error
    """A simulated process crash: the invocation dies, and its memory is lost."""


class Interference:
    """Hooks between an invocation and the service, around each checkpoint; these do nothing."""

    def before_store(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Run before a batch is stored; raise `Crash` to crash before it is."""

    def after_store(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Run after a batch is stored; raise `Crash` to crash before the handler knows."""

    def should_suspend(self, execution: Execution, updates: Sequence[OperationUpdate]) -> bool:
        """Return True to suspend the invocation here, as if it had to wait, and resume it."""
        _ = execution, updates
        return False


class ServiceClient:
    """The service as one invocation sees it: the SDK's `DurableServiceClient`.

    Parameters:
        checkpoints: the service.
        execution: the execution that is invoked.
        interference: hooks around each checkpoint.
        probe: hooks on the SDK's side.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        execution: Execution,
        interference: Interference | None = None,
        probe: Probe | None = None,
    ) -> None:
        self._checkpoints = checkpoints
        self._execution = execution
        self._interference = interference or Interference()
        self.probe = probe
        self.flush: Callable[[], None] = lambda: None
        """Sends what the SDK still holds back; the SDK's state of this invocation sets it."""
        self.park: Callable[[], bool] | None = None
        """Ends this invocation and begins the next one with the handler where it is; returns False
        if there is no next one. None if the handler is to be replayed instead."""
        self.crash: Crash | None = None
        """The simulated crash of this invocation: from then on it stores nothing."""
        self.fault: Exception | None = None
        """A bug in the service itself, which the SDK would take for a transient error."""

    def try_flush(self) -> None:
        """Store what the handler has checkpointed so far; ignore errors.

        An error belongs to the handler, which gets it at its next checkpoint, and not to the
        caller (a server of the world, for example).
        """
        with suppress(BaseException):
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
            with self._recording_faults():
                self._interference.before_store(self._execution, updates)
                output = self._checkpoints.store(durable_execution_arn, checkpoint_token, updates)
                self._interference.after_store(self._execution, updates)
        except Crash as crash:
            self.crash = crash
            raise CheckpointError(str(crash)) from None
        except ServiceError as refused:
            error = refused.as_client_error("CheckpointDurableExecution")
            raise CheckpointError.from_exception(error) from None
        if output.checkpoint_token and self._interference.should_suspend(self._execution, updates):
            # Without a token the SDK ends the invocation; the changes cause the next one.
            self._execution.changed.update(dict.fromkeys(u.operation_id for u in updates))
            return CheckpointOutput(None, CheckpointUpdatedExecutionState([]))
        return output

    def get_execution_state(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        next_marker: str,
        max_items: int = 1000,
    ) -> StateOutput:
        """Read a page of the state; see `Checkpoints.read`."""
        try:
            with self._recording_faults():
                return self._checkpoints.read(
                    durable_execution_arn, checkpoint_token, next_marker, max_items
                )
        except ServiceError as refused:
            error = refused.as_client_error("GetDurableExecutionState")
            raise GetExecutionStateError.from_exception(error) from None

    @contextmanager
    def _recording_faults(self) -> Iterator[None]:
        try:
            yield
        except (Crash, ServiceError):
            raise
        except Exception as error:
            self.fault = error
            raise


class RefusingClient:
    """The service as an invocation sees it whose checkpoint token it did not issue."""

    def checkpoint(self, *_: Any, **__: Any) -> CheckpointOutput:
        """Raise the error of a service that does not know the token."""
        error = _UNKNOWN_TOKEN.as_client_error("CheckpointDurableExecution")
        raise CheckpointError.from_exception(error)

    def get_execution_state(self, *_: Any, **__: Any) -> StateOutput:
        """Raise the error of a service that does not know the token."""
        error = _UNKNOWN_TOKEN.as_client_error("GetDurableExecutionState")
        raise GetExecutionStateError.from_exception(error)
