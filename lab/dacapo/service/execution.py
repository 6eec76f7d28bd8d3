"""One durable execution: its operations, its history and its accounts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    ExecutionDetails,
    Operation,
    OperationStatus,
    OperationType,
    OperationUpdate,
)

from dacapo import chance, metering
from dacapo.service import transitions
from dacapo.service.clock import Timer
from dacapo.service.events import EventLog
from dacapo.service.functions import Function


@dataclass
class Invocation:
    """One call of the handler: when, what it read back, what it did, how it ended.

    `events_before` and `events_after` are lengths of the history when it began and when it had
    ended, so that what it replayed and what it did anew can be read from the history.
    """

    request_id: str
    started: datetime
    events_before: int
    replayed: int
    updates: int = 0
    ended: datetime | None = None
    events_after: int = 0
    status: str = "RUNNING"
    error: ErrorObject | None = None


@dataclass
class Execution:
    """The state that the service keeps for one execution.

    Parameters:
        seed: what its tokens and request ids are made from.
        parent: the execution and the operation whose chained invoke started this one.
    """

    seed: int
    arn: str
    name: str
    function: Function
    payload: str
    started: datetime
    timeout: timedelta
    parent: tuple[Execution, str] | None = None
    status: OperationStatus = OperationStatus.STARTED
    result: str | None = None
    error: ErrorObject | None = None
    ended: datetime | None = None
    tokens_made: int = 0
    failed_invocations: int = 0
    is_invoked: bool = False
    wake_up: Timer | None = None
    timeout_timer: Timer | None = None
    operations: dict[str, Operation] = field(default_factory=dict)
    replayable: dict[str, Operation] = field(default_factory=dict)
    inside: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    timers: dict[str, list[Timer]] = field(default_factory=dict)
    invocations: list[Invocation] = field(default_factory=list)
    log: EventLog = field(default_factory=EventLog)
    charged_operations: int = metering.OPERATIONS_PER_EXECUTION
    bytes_written: int = 0
    updates: int = 0

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
        """The only checkpoint token that is valid now."""
        return chance.identifier("token", self.seed, self.arn, self.tokens_made)

    def renew_token(self) -> str:
        """Make the next token, and with that the present one stale."""
        self.tokens_made += 1
        return self.token

    @property
    def is_running(self) -> bool:
        """Whether the execution has not reached its end."""
        return self.status is OperationStatus.STARTED

    def put(self, operation: Operation) -> None:
        """Store an operation; the operations inside a finished context need no replay any more."""
        key = operation.operation_id
        if key not in self.operations and operation.parent_id:
            self.inside.setdefault(operation.parent_id, []).append(key)
        self.operations[key] = operation
        self.replayable[key] = operation
        details = operation.context_details
        if details is not None and not details.replay_children:
            self._forget_inside(key)

    def is_out_of_reach(self, operation: Operation) -> bool:
        """Whether a context around the operation has ended, so that no handler waits for it."""
        parent_id = operation.parent_id
        while parent_id is not None:
            parent = self.operations[parent_id]
            if transitions.is_terminal(parent):
                return True
            parent_id = parent.parent_id
        return False

    def open_operations(self) -> list[Operation]:
        """Operations that something outside the handler can still change."""
        waiting = {OperationStatus.STARTED, OperationStatus.PENDING}
        outside = {OperationType.WAIT, OperationType.CALLBACK, OperationType.CHAINED_INVOKE}
        return [
            operation
            for operation in self.replayable.values()
            if operation.status in waiting
            and (operation.operation_type in outside or operation.status is OperationStatus.PENDING)
            and not self.is_out_of_reach(operation)
        ]

    def count_update(self) -> None:
        """Count an update, and to the invocation that it came from."""
        self.updates += 1
        if self.is_invoked:
            self.invocations[-1].updates += 1

    def account(self, update: OperationUpdate) -> None:
        """Charge an update, before it is stored, to this execution."""
        self.count_update()
        is_new = update.operation_id not in self.operations
        self.charged_operations += metering.operations_charged(update, is_new=is_new)
        self.account_bytes(update.payload, update.error)

    def account_bytes(self, payload: str | None, error: ErrorObject | None) -> None:
        """Charge what the service itself stored: an answer, a result, an error."""
        self.bytes_written += metering.bytes_of(payload, error)

    def end(
        self, status: OperationStatus, at: datetime, result: str | None, error: ErrorObject | None
    ) -> None:
        """Bring the execution to its end and write the event for it."""
        self.status, self.result, self.error, self.ended = status, result, error, at
        root = replace(self.operations[self.invocation_id], status=status, end_timestamp=at)
        self.put(root)
        self.account_bytes(result, error)
        self.log.execution_ended(root, at, result, error)

    def _forget_inside(self, context_id: str) -> None:
        for key in self.inside.pop(context_id, ()):
            self.replayable.pop(key, None)
            self._forget_inside(key)
