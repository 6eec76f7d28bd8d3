"""One durable execution: its operations, its history and its quotas."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    ExecutionDetails,
    Operation,
    OperationStatus,
    OperationType,
    OperationUpdate,
)

from dacapo import metering
from dacapo.process import randomness
from dacapo.scheduling.clock import Timer
from dacapo.scheduling.scheduler import Waiter
from dacapo.service import quotas, transitions
from dacapo.service.events import EventLog
from dacapo.service.functions import Function


class ExecutionStatus(StrEnum):
    """Status of an execution, as GetDurableExecution returns it."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    STOPPED = "STOPPED"
    PAUSING = "PAUSING"
    PAUSED = "PAUSED"
    DELETING = "DELETING"


class InvocationStatus(StrEnum):
    """Status of an invocation.

    PENDING if it suspended, DIED if the handler crashed or exited, TIMED_OUT if it exceeded the
    function's timeout.
    """

    RUNNING = "RUNNING"
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    DIED = "DIED"
    TIMED_OUT = "TIMED_OUT"


@dataclass
class Invocation:
    """One call of the handler.

    Parameters:
        request_id: Lambda's request ID.
        started, ended: virtual times; `ended` is None while it runs.
        events_before, events_after: lengths of the history when it began and when it had ended,
            which separate what it replayed from what it did for the first time.
        replayed: number of operations in the state that it received.
        updates: number of updates that it checkpointed.
        error: the error that it died of.
    """

    request_id: str
    started: datetime
    events_before: int
    replayed: int
    updates: int = 0
    ended: datetime | None = None
    events_after: int = 0
    status: InvocationStatus = InvocationStatus.RUNNING
    error: ErrorObject | None = None


@dataclass
class Pause:
    """A pause of an execution, from its request on.

    Parameters:
        requested: when it was requested.
        reason: the caller's reason; None for none.
        stops_timeout: whether the execution timeout is paused as well.
        began: when the execution paused; None while it waits for its running invocation.
    """

    requested: datetime
    reason: str | None
    stops_timeout: bool
    began: datetime | None = None


@dataclass
class Execution:
    """The state that the service keeps for one execution.

    Parameters:
        seed: seed of its tokens and request IDs.
        function: the function as it was invoked, with its qualifier and its tenant.
        timeout: limit of its length, without the time that it spends paused.
        parent: the execution and the operation whose chained invoke started this one.
        is_synchronous: whether a caller waits for the result.
        trace_id: the X-Ray trace header of its start; None for none.
        pause: the pause that was requested or has begun; None if it runs.
        owes_invocation: whether a pause held back an invocation, which resuming must make.
        paused_for: time that it spent paused so far, with its timeout paused.
    """

    seed: int
    arn: str
    name: str
    function: Function
    payload: str
    started: datetime
    timeout: timedelta
    parent: tuple[Execution, str] | None = None
    is_synchronous: bool = False
    trace_id: str | None = None
    status: OperationStatus = OperationStatus.STARTED
    result: str | None = None
    error: ErrorObject | None = None
    ended: datetime | None = None
    token_count: int = 0
    failed_invocations: int = 0
    is_invoked: bool = False
    pause: Pause | None = None
    owes_invocation: bool = False
    paused_for: timedelta = timedelta(0)
    is_deleting: bool = False
    is_deleted: bool = False
    wake_up: Timer | None = None
    timeout_timer: Timer | None = None
    operations: dict[str, Operation] = field(default_factory=dict)
    replayable: dict[str, Operation] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    timers: dict[str, list[Timer]] = field(default_factory=dict)
    invocations: list[Invocation] = field(default_factory=list)
    log: EventLog = field(default_factory=EventLog)
    charged_operations: int = metering.OPERATIONS_PER_EXECUTION
    bytes_written: int = 0
    updates: int = 0
    waiters: list[Waiter] = field(default_factory=list)

    def __post_init__(self) -> None:
        root = Operation(
            operation_id=self.invocation_id,
            operation_type=OperationType.EXECUTION,
            status=OperationStatus.STARTED,
            name=self.name,
            start_timestamp=self.started,
            execution_details=ExecutionDetails(self.payload),
        )
        self.put(root)
        self.bytes_written = len(self.payload.encode())
        seconds = int(self.timeout.total_seconds())
        self.log.execution_started(root, self.started, self.payload, seconds)

    @property
    def invocation_id(self) -> str:
        """The ARN's last part, by which the SDK finds the EXECUTION operation."""
        return self.arn.rsplit("/", 1)[1]

    @property
    def token(self) -> str:
        """The only checkpoint token that is currently valid."""
        return randomness.identifier("token", self.seed, self.arn, self.token_count)

    def renew_token(self) -> str:
        """Create the next token, which makes the current one stale."""
        self.token_count += 1
        return self.token

    @property
    def is_running(self) -> bool:
        """True until the execution ends; also while it is paused."""
        return self.status is OperationStatus.STARTED

    @property
    def is_paused(self) -> bool:
        """True while no invocation may begin."""
        return self.pause is not None and self.pause.began is not None

    @property
    def execution_status(self) -> ExecutionStatus:
        """The status as the public API returns it; a deleted execution keeps its last one."""
        if self.is_deleting:
            return ExecutionStatus.DELETING
        if not self.is_running:
            return ExecutionStatus(self.status.value)
        if self.pause is None:
            return ExecutionStatus.RUNNING
        return ExecutionStatus.PAUSED if self.is_paused else ExecutionStatus.PAUSING

    @property
    def deadline(self) -> datetime:
        """The time at which it times out; 366 days after its start at the latest (model)."""
        latest = self.started + quotas.LONGEST_WAIT
        if self.pause and self.pause.began and self.pause.stops_timeout:
            return latest
        return min(self.started + self.timeout + self.paused_for, latest)

    @property
    def result_limit(self) -> int:
        """Bytes that its result may have."""
        if self.parent is not None:
            return quotas.INVOKE_BYTES
        return quotas.RESPONSE_BYTES if self.is_synchronous else quotas.ASYNCHRONOUS_BYTES

    def put(self, operation: Operation) -> None:
        """Store an operation; a finished context makes its children unnecessary for replay."""
        key = operation.operation_id
        if key not in self.operations and operation.parent_id:
            self.children.setdefault(operation.parent_id, []).append(key)
        self.operations[key] = operation
        self.replayable[key] = operation
        details = operation.context_details
        if details is not None and not details.replay_children:
            self._drop_children(key)

    def is_orphaned(self, operation: Operation) -> bool:
        """Return True if an enclosing context has ended, so that no handler waits for it."""
        parent_id = operation.parent_id
        while parent_id is not None:
            parent = self.operations[parent_id]
            if transitions.is_terminal(parent):
                return True
            parent_id = parent.parent_id
        return False

    def open_operations(self) -> list[Operation]:
        """Return the operations that something outside the handler can still change."""
        waiting = {OperationStatus.STARTED, OperationStatus.PENDING}
        outside = {OperationType.WAIT, OperationType.CALLBACK, OperationType.CHAINED_INVOKE}
        return [
            operation
            for operation in self.replayable.values()
            if operation.status in waiting
            and (operation.operation_type in outside or operation.status is OperationStatus.PENDING)
            and not self.is_orphaned(operation)
        ]

    def count_update(self) -> None:
        """Count an update, also for the invocation that sent it."""
        self.updates += 1
        if self.is_invoked:
            self.invocations[-1].updates += 1

    def charge(self, update: OperationUpdate) -> None:
        """Charge an update to this execution; call it before the update is stored."""
        self.count_update()
        is_new = update.operation_id not in self.operations
        self.charged_operations += metering.operations_charged(update, is_new=is_new)
        self.charge_bytes(update.payload, update.error)

    def charge_bytes(self, payload: str | None, error: ErrorObject | None) -> None:
        """Charge a callback result, a function's result or an error that the service stored."""
        self.bytes_written += metering.bytes_of(payload, error)

    def end(
        self, status: OperationStatus, at: datetime, result: str | None, error: ErrorObject | None
    ) -> None:
        """End the execution, and write the event for it."""
        self.status, self.result, self.error, self.ended = status, result, error, at
        self.pause = None
        root = replace(self.operations[self.invocation_id], status=status, end_timestamp=at)
        self.put(root)
        self.charge_bytes(result, error)
        self.log.execution_ended(root, at, result, error)

    def _drop_children(self, context_id: str) -> None:
        for key in self.children.pop(context_id, ()):
            self.replayable.pop(key, None)
            self._drop_children(key)
