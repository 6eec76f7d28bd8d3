"""The SDK's door to the service: its service-client protocol, in process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from aws_durable_execution_sdk_python.exceptions import CheckpointError, GetExecutionStateError
from aws_durable_execution_sdk_python.lambda_service import (
    CheckpointOutput,
    CheckpointUpdatedExecutionState,
    OperationUpdate,
    StateOutput,
)

from dacapo.probe import Probe
from dacapo.service.checkpoints import Checkpoints
from dacapo.service.errors import ServiceError

if TYPE_CHECKING:
    from dacapo.service.execution import Execution


class Crash(Exception):  # noqa: N818 - what happens, not a fault
    """The process is taken away: the invocation dies, and what it held in memory is gone."""


class Interference:
    """What comes between an invocation and the service; this does nothing."""

    def before(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """A batch is about to be stored; raising `Crash` has the invocation die before it is."""

    def after(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """A batch was stored; raising `Crash` has the invocation die before it knows."""

    def interrupts(self, execution: Execution, updates: Sequence[OperationUpdate]) -> bool:
        """Whether the invocation is to end here, as if it had to wait, and be made again."""
        _ = execution, updates
        return False


class Door:
    """What one invocation sees of the service (the SDK's `DurableServiceClient`).

    Parameters:
        execution: whose invocation this is.
        interference: what comes between the two.
        probe: is told what the invocation does.
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
        self.fault: Exception | None = None
        """An error of the service's own, which the SDK would take for one that passes."""

    def settle(self) -> None:
        """Bring what the handler has done so far to the service.

        Whoever asks for it (a server of the world, say) is not told that it failed: the handler is,
        at its next checkpoint.
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
            with self._faults_kept():
                self._interference.before(self._execution, updates)
                output = self._checkpoints.store(durable_execution_arn, checkpoint_token, updates)
                self._interference.after(self._execution, updates)
        except Crash as crash:
            raise CheckpointError(str(crash)) from None
        except ServiceError as refused:
            error = refused.as_client_error("CheckpointDurableExecution")
            raise CheckpointError.from_exception(error) from None
        if output.checkpoint_token and self._interference.interrupts(self._execution, updates):
            # Without a token the SDK ends the invocation; the changes have it made again.
            self._execution.changed.update(dict.fromkeys(u.operation_id for u in updates))
            return CheckpointOutput(None, CheckpointUpdatedExecutionState([]))
        return output

    def advance(self) -> bool:
        """Let time pass until something has changed for this execution; whether it has."""
        return self._checkpoints.wait_for_change(self._execution)

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
        except (Crash, ServiceError):
            raise
        except Exception as error:
            self.fault = error
            raise
