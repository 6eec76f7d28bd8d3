"""Calls a handler again from any point of a history: what would it do next?

The handler is given the operations as they were at that point, as Lambda would give them. It reads
them back, and goes on to what it has not done yet. Nothing of that is done: no step runs, no
checkpoint is sent; what it *attempts* is noted, and there it is suspended. Branches of `map` and
`parallel` are suspended one by one, so all of them get as far as they can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_durable_execution_sdk_python import retries
from aws_durable_execution_sdk_python.exceptions import SuspendExecution
from aws_durable_execution_sdk_python.execution import (
    DurableExecutionInvocationInputWithClient,
    InitialExecutionState,
)
from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import (
    CheckpointOutput,
    CheckpointUpdatedExecutionState,
    Operation,
    OperationAction,
    OperationStatus,
    OperationSubType,
    OperationType,
    OperationUpdate,
    StateOutput,
)
from aws_durable_execution_sdk_python.serdes import deserialize

from dacapo import places
from dacapo.places import Place
from dacapo.probe import Probe
from dacapo.sdk_internals import operations as internals
from dacapo.sdk_internals.operations import Divergence
from dacapo.service.functions import Died, Handler, LambdaContext

Polls = Mapping[tuple[str, int], str]
"""What each poll found, as it was stored, by operation id and attempt."""
_SOON = timedelta(days=1)


@dataclass(frozen=True)
class Attempt:
    """Something that the handler was about to checkpoint, and the line that wanted it.

    Parameters:
        is_pause_of_retry: whether it is the SDK's `with_retry` that wants it, whose pauses are
            jittered.
    """

    update: OperationUpdate
    place: Place | None
    is_pause_of_retry: bool = False


@dataclass
class Trace:
    """What a handler did from a point of its history on.

    Parameters:
        reads: ids of the operations that it read back, in order.
        attempts: what it was about to checkpoint.
        bodies: where the steps and polls are written that it was about to run, by operation id.
        output: what it answered to Lambda; None if it died.
        died: how it died, if it did.
        divergences: what the SDK found to be other than recorded, swallowed or not.
        suspensions: where it was suspended, outside branches.
        late: what it attempted although it had been suspended.
    """

    reads: dict[str, None] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    bodies: dict[str, Place | None] = field(default_factory=dict)
    output: Mapping[str, Any] | None = None
    died: BaseException | None = None
    divergences: list[Divergence] = field(default_factory=list)
    suspensions: list[str] = field(default_factory=list)
    late: list[Attempt] = field(default_factory=list)

    @property
    def has_ended(self) -> bool:
        """Whether the handler returned or failed, rather than waiting for something."""
        return self.output is not None and self.output["Status"] != "PENDING"


class _Rewinder(Probe):
    def __init__(self, trace: Trace, arn: str, polls: Polls) -> None:
        self.trace = trace
        self.arn = arn
        self.polls = polls

    def reads(self, operation_id: str) -> None:
        self.trace.reads[operation_id] = None

    def takes(self, update: OperationUpdate, *, is_sync: bool) -> bool:
        attempt = Attempt(update, places.acting(), places.is_called_by(retries))
        (self.trace.late if self.trace.suspensions else self.trace.attempts).append(attempt)
        # A context is entered to see what is in it, and a step that does not wait for its start to
        # be stored goes on to its body.
        if update.action is OperationAction.START and not is_sync:
            return True
        raise SuspendExecution("the replay ends here")

    def around(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        if operation.operation_type is not OperationType.STEP:
            return function

        def instead(*_: Any) -> Any:
            self.trace.bodies[operation.operation_id] = places.of_function(function)
            found = self.polls.get((operation.operation_id, attempt))
            if operation.sub_type == OperationSubType.WAIT_FOR_CONDITION and found is not None:
                return deserialize(None, found, operation.operation_id, self.arn)
            raise SuspendExecution("the replay ends here")

        return instead


class _Client:
    """The SDK's service client, which is never asked for anything."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe

    def checkpoint(self, *_: Any, **__: Any) -> CheckpointOutput:
        return CheckpointOutput(None, CheckpointUpdatedExecutionState([]))

    def get_execution_state(self, *_: Any) -> StateOutput:
        return StateOutput([], "")


def replay(
    handler: Handler, arn: str, operations: Sequence[Operation], polls: Polls | None = None
) -> Trace:
    """Call a handler with these operations, and note what it does.

    The SDK has to be in a simulation (`sdk_internals.simulated.in_simulation`).

    Parameters:
        handler: the durable handler.
        arn: the execution's.
        operations: as they were at the point to replay from, the execution's own among them.
        polls: what polls found; a poll without an entry is suspended before it asks.
    """
    trace = Trace()
    client: Any = _Client(_Rewinder(trace, arn, polls or {}))
    event = DurableExecutionInvocationInputWithClient(
        durable_execution_arn=arn,
        checkpoint_token="replay",  # noqa: S106 - no secret
        initial_execution_state=InitialExecutionState([_not_due(o) for o in operations], ""),
        updated_operation_ids=[],
        service_client=client,
    )
    name = arn.partition(":function:")[2].partition(":")[0]
    with (
        internals.divergences() as trace.divergences,
        internals.suspensions() as trace.suspensions,
    ):
        try:
            trace.output = handler(event, LambdaContext("replay", name))
        except Died as died:
            trace.died = died
    return trace


def _not_due(operation: Operation) -> Operation:
    """An operation that waits, with its end in the future, whatever time it is by now.

    It is the service that says when it is over; the SDK would ask it again and again.
    """
    wait, step = operation.wait_details, operation.step_details
    if operation.status is OperationStatus.STARTED and wait:
        wait = replace(wait, scheduled_end_timestamp=datetime.now(UTC) + _SOON)
        return replace(operation, wait_details=wait)
    if operation.status is OperationStatus.PENDING and step:
        step = replace(step, next_attempt_timestamp=datetime.now(UTC) + _SOON)
        return replace(operation, step_details=step)
    return operation
