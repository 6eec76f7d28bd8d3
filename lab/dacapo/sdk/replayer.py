"""Replays a handler from any point of a history: what would it do next?

The handler receives the operations in their state at that point, as Lambda would send them. It
reads them back, and continues to what is not recorded yet. None of that is done: no step runs, no
checkpoint is sent; each *attempt* is recorded, and the handler is suspended there. Branches of
`map` and `parallel` are suspended one by one, so that each of them gets as far as it can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_durable_execution_sdk_python import retries
from aws_durable_execution_sdk_python.exceptions import SuspendExecution
from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import (
    CheckpointOutput,
    CheckpointUpdatedExecutionState,
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationSubType,
    OperationType,
    OperationUpdate,
    StateOutput,
)
from aws_durable_execution_sdk_python.serdes import deserialize

from dacapo.process import source_lines
from dacapo.process.source_lines import Place
from dacapo.scheduling.scheduler import here
from dacapo.scheduling.tasks import InvocationEnded, Sandbox
from dacapo.sdk import operation_hooks, serializers
from dacapo.sdk.installed import is_in_branch
from dacapo.sdk.operation_hooks import Divergence
from dacapo.service import invocation_input, quotas
from dacapo.service.client import Probe
from dacapo.service.execution import InvocationStatus
from dacapo.service.functions import HANDLER_FAILURES, Handler, LambdaContext

Polls = Mapping[tuple[str, int], str]
"""The stored result of each poll, by operation ID and attempt."""
_TOKEN = "replay"  # noqa: S105 - not a secret
_SOON = timedelta(days=1)


class ReplayTimeout(Exception):  # noqa: N818 - what happened
    """A replay took longer than an invocation may."""


@dataclass(frozen=True)
class Attempt:
    """A checkpoint that the handler was about to make, and the line that caused it.

    Parameters:
        update: the checkpoint.
        place: the line.
        is_retry_backoff: whether it is a wait of the SDK's `with_retry`, whose delays have jitter.
    """

    update: OperationUpdate
    place: Place | None
    is_retry_backoff: bool = False


@dataclass
class Trace:
    """The actions of a handler from one point of its history on.

    Parameters:
        reads: IDs of the operations that it read back, in order, with the lines that did.
        attempts: the checkpoints that it was about to make.
        bodies: where the steps and checks are defined that it was about to run, by operation ID.
        output: its output for Lambda; None if it crashed, or returned something else.
        error: the exception that it crashed with, if it did.
        failed_at: the line of the user's code that raised the error that it failed with.
        divergences: the divergences that the SDK detected, swallowed or not.
        suspensions: where it was suspended, outside branches.
        late: the checkpoints that it attempted after it was suspended.
        serializers: the serializers of its own, by operation ID.
        limits: the `max_concurrency` of batches that have one, by ARN and operation ID.
    """

    reads: dict[str, Place | None] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    bodies: dict[str, Place | None] = field(default_factory=dict)
    output: Mapping[str, Any] | None = None
    error: BaseException | None = None
    failed_at: Place | None = None
    divergences: list[Divergence] = field(default_factory=list)
    suspensions: list[str] = field(default_factory=list)
    late: list[Attempt] = field(default_factory=list)
    serializers: dict[str, Any] = field(default_factory=dict, repr=False)
    limits: dict[tuple[str, str], int] = field(default_factory=dict, repr=False)

    @property
    def has_ended(self) -> bool:
        """True if the handler returned or failed, rather than suspended."""
        return self.output is not None and self.output["Status"] != InvocationStatus.PENDING

    @property
    def has_failed(self) -> bool:
        """True if the handler raised an exception that is not a divergence."""
        failed = self.output is not None and self.output["Status"] == InvocationStatus.FAILED
        return failed and not self.divergences


class _ReplayProbe(Probe):
    def __init__(self, trace: Trace, arn: str, polls: Polls, watcher: Probe) -> None:
        self.trace = trace
        self.arn = arn
        self.polls = polls
        self.watcher = watcher

    def on_read(self, operation_id: str) -> None:
        self.watcher.on_read(operation_id)
        if operation_id not in self.trace.reads:
            self.trace.reads[operation_id] = source_lines.current_line()

    def intercept_checkpoint(self, update: OperationUpdate, *, is_sync: bool) -> bool:
        self.watcher.intercept_checkpoint(update, is_sync=is_sync)
        if self.trace.suspensions and is_in_branch():
            raise SuspendExecution("the loser of a race goes on while the others are suspended")
        attempt = Attempt(update, source_lines.current_line(), source_lines.is_called_by(retries))
        (self.trace.late if self.trace.suspensions else self.trace.attempts).append(attempt)
        # A context is entered to see what is in it, and a step that does not wait until its start
        # is stored continues to its body.
        if update.action is OperationAction.START and not is_sync:
            return True
        raise SuspendExecution("the replay ends here")

    def wrap_function(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        if operation.operation_type is not OperationType.STEP:
            return function

        def replace_body(*_: Any) -> Any:
            self.trace.bodies[operation.operation_id] = source_lines.of_function(function)
            stored = self.polls.get((operation.operation_id, attempt))
            if operation.sub_type == OperationSubType.WAIT_FOR_CONDITION and stored is not None:
                return deserialize(None, stored, operation.operation_id, self.arn)
            raise SuspendExecution("the replay ends here")

        return replace_body


class _Client:
    """A service client for the SDK that stores nothing and has nothing to read."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe

    def checkpoint(self, *_: Any, **__: Any) -> CheckpointOutput:
        return CheckpointOutput(None, CheckpointUpdatedExecutionState([]))

    def get_execution_state(self, *_: Any) -> StateOutput:
        return StateOutput([], "")


def replay(
    handler: Handler,
    arn: str,
    operations: Sequence[Operation],
    polls: Polls | None = None,
    frozen_results: Mapping[str, bytes] | None = None,
    watcher: Probe | None = None,
) -> Trace:
    """Call a handler with these operations, and record what it attempts.

    A simulation has to be running in this thread.

    Parameters:
        handler: the durable handler.
        arn: ARN of the execution.
        operations: their states at the point to replay from, including the EXECUTION operation.
        polls: results of polls; one without an entry is suspended before it runs.
        frozen_results: what serializers gave when it was recorded; see `serializers.serializers`.
        watcher: is notified of what is read back, and of each attempt.
    """
    trace = Trace()
    client: Any = _Client(_ReplayProbe(trace, arn, polls or {}, watcher or Probe()))
    state = StateOutput([_not_due(operation) for operation in operations], "")
    function = arn.partition("/")[0]
    name = function.split(":")[6]
    with (
        operation_hooks.divergences() as trace.divergences,
        operation_hooks.suspensions() as trace.suspensions,
        operation_hooks.concurrency_limits() as trace.limits,
        serializers.serializers(trace.serializers.__setitem__, frozen_results),
        operation_hooks.failures() as failed,
        invocation_input.sent(arn, _TOKEN, state, [], client) as event,
    ):
        context = LambdaContext("replay", name, invoked_function_arn=function)
        _call(handler, event, context, trace)
    error = (trace.output or {}).get("Error")
    trace.failed_at = operation_hooks.place_of(error and ErrorObject.from_dict(error), failed)
    return trace


def _call(handler: Handler, event: Any, context: LambdaContext, trace: Trace) -> None:
    """Call a handler in a task of its own, and wait for it as long as Lambda would."""
    scheduler = here()
    if scheduler is None:
        raise RuntimeError("a replay needs a simulation that is running")
    sandbox, done = Sandbox(), scheduler.waiter()

    def leave(status: int) -> None:
        trace.error = SystemExit(status)
        sandbox.end()
        raise InvocationEnded

    def call() -> None:
        try:
            output = handler(event, context)
            is_of_sdk = isinstance(output, Mapping) and "Status" in output
            trace.output = output if is_of_sdk else None
        except HANDLER_FAILURES as error:
            trace.error = error
        finally:
            done.wake()

    sandbox.on_exit = leave
    scheduler.start("a replay", event["DurableExecutionArn"], call, sandbox)
    if not done.wait(quotas.INVOCATION):
        trace.error = ReplayTimeout(f"the replay takes longer than {quotas.INVOCATION}")
        sandbox.end()
        scheduler.run_ready()


def _not_due(operation: Operation) -> Operation:
    """Return the operation, with its end in the future if it waits.

    The service decides when a wait is over; if one looked overdue, the SDK would check it again and
    again.
    """
    wait, step = operation.wait_details, operation.step_details
    if operation.status is OperationStatus.STARTED and wait:
        wait = replace(wait, scheduled_end_timestamp=datetime.now(UTC) + _SOON)
        return replace(operation, wait_details=wait)
    if operation.status is OperationStatus.PENDING and step:
        step = replace(step, next_attempt_timestamp=datetime.now(UTC) + _SOON)
        return replace(operation, step_details=step)
    return operation
