"""The SDK's two API calls: store a batch of updates, and read the state that a replay needs."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Sequence

from aws_durable_execution_sdk_python.lambda_service import (
    CheckpointOutput,
    CheckpointUpdatedExecutionState,
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
    StateOutput,
)

from dacapo.process import randomness
from dacapo.service import quotas, transitions, validation
from dacapo.service.callbacks import Callbacks
from dacapo.service.chained_invokes import ChainedInvokes
from dacapo.service.errors import ServiceError, invalid
from dacapo.service.execution import Execution
from dacapo.service.executions import Executions
from dacapo.service.pauses import Pauses


class Checkpoints:
    """Stores the checkpoints of handlers, in atomic batches."""

    def __init__(
        self,
        executions: Executions,
        callbacks: Callbacks,
        invokes: ChainedInvokes,
        pauses: Pauses,
    ) -> None:
        self._executions = executions
        self._callbacks = callbacks
        self._invokes = invokes
        self._pauses = pauses
        self.on_started: Callable[[Execution, Operation], None] = lambda _execution, _operation: (
            None
        )
        """Runs when an operation is stored for the first time."""

    def store(self, arn: str, token: str, updates: Sequence[OperationUpdate]) -> CheckpointOutput:
        """Store a batch of updates, all of them or none.

        Returns:
            The next token, with every operation that changed since the last call; no token if
            this ended the execution, or let a pause begin.

        Raises:
            ServiceError: the token is stale, or an update is not legal.
        """
        execution = self._find(arn)
        self._check_token(execution, token)
        plan, ending = self._plan(execution, updates)
        for update, operation in plan:
            self._commit(execution, update, operation)
        if ending is not None:
            self._end_execution(execution, ending)
        self._enforce_quotas(execution)
        if not execution.is_running or self._pauses.interrupt(execution):
            return CheckpointOutput(None, CheckpointUpdatedExecutionState([]))
        changed = dict.fromkeys([*execution.changed, *(u.operation_id for u in updates)])
        execution.changed.clear()
        operations = [execution.operations[key] for key in changed]
        return CheckpointOutput(
            execution.renew_token(), CheckpointUpdatedExecutionState(operations)
        )

    def read(self, arn: str, token: str, marker: str, max_items: int) -> StateOutput:
        """Return a page of the operations that a replay needs, in the order of their starts.

        Parameters:
            arn: the execution.
            token: its current checkpoint token.
            marker: the previous page's marker, or "" for the first page.
            max_items: length of the page, at most 1,000; 0 for 100.

        Raises:
            ServiceError: the token is stale, or the marker is wrong.
        """
        execution = self._find(arn)
        self._check_token(execution, token)
        operations = list(execution.replayable.values())
        start = validation.start_of_page(marker, len(operations))
        end = start + min(max_items or quotas.DEFAULT_PAGE_ITEMS, quotas.PAGE_ITEMS)
        following = str(end) if end < len(operations) else ""
        return StateOutput(operations[start:end], following)

    def _find(self, arn: str) -> Execution:
        try:
            return self._executions.find(arn)
        except ServiceError as error:
            # These two calls have no error for an unknown execution (model).
            raise invalid(error.message) from error

    def _check_token(self, execution: Execution, token: str) -> None:
        if not execution.is_running:
            raise invalid(f"The execution is {execution.status.value}.")
        if token != execution.token:
            raise invalid(
                "Invalid checkpoint token: it was used before, or belongs to an earlier invocation."
            )

    def _plan(
        self, execution: Execution, updates: Sequence[OperationUpdate]
    ) -> tuple[list[tuple[OperationUpdate, Operation]], OperationUpdate | None]:
        # Compute everything before storing anything: a batch is stored whole or not at all.
        ends = bool(updates) and updates[-1].operation_type is OperationType.EXECUTION
        ending = updates[-1] if ends else None
        if ending is not None:
            validation.check_ending(ending, execution.result_limit)
        operations = ChainMap[str, Operation]({}, execution.operations)
        validation.check_batch(updates)
        plan = []
        for update in updates[:-1] if ends else updates:
            if update.operation_type is OperationType.EXECUTION:
                raise invalid("EXECUTION checkpoint must be the last update, and the only one.")
            validation.check_parent(operations, update)
            validation.check_target(update, execution.function)
            callback_id = randomness.identifier("callback", execution.arn, update.operation_id)
            current = operations.get(update.operation_id)
            operation = transitions.updated(
                current, update, self._executions.clock.now, callback_id
            )
            operations[update.operation_id] = operation
            plan.append((update, operation))
        return plan, ending

    def _commit(self, execution: Execution, update: OperationUpdate, operation: Operation) -> None:
        execution.charge(update)
        is_new = operation.operation_id not in execution.operations
        execution.put(operation)
        if is_new:
            self.on_started(execution, operation)
        event = execution.log.operation_updated(operation, update, self._executions.clock.now)
        match update.operation_type, update.action:
            case OperationType.STEP, OperationAction.RETRY:
                self._schedule_retry(execution, operation)
            case OperationType.WAIT, OperationAction.START:
                self._schedule_wait_end(execution, operation)
            case OperationType.WAIT, OperationAction.CANCEL:
                self._executions.cancel_timers(execution, operation.operation_id)
            case OperationType.CALLBACK, OperationAction.START:
                self._callbacks.register(execution, operation, update.callback_options)
            case OperationType.CHAINED_INVOKE, OperationAction.START:
                self._invokes.start(execution, operation, update, event)

    def _schedule_retry(self, execution: Execution, operation: Operation) -> None:
        if operation.step_details and operation.step_details.next_attempt_timestamp:
            self._executions.set_timer(
                execution,
                operation.operation_id,
                operation.step_details.next_attempt_timestamp - self._executions.clock.now,
                lambda: self._executions.apply_change(execution, transitions.retry_due(operation)),
                f"next attempt of {operation.name}",
            )

    def _schedule_wait_end(self, execution: Execution, operation: Operation) -> None:
        if operation.wait_details and operation.wait_details.scheduled_end_timestamp:
            end = operation.wait_details.scheduled_end_timestamp
            self._executions.set_timer(
                execution,
                operation.operation_id,
                end - self._executions.clock.now,
                lambda: self._executions.apply_change(
                    execution, transitions.wait_elapsed(operation, end)
                ),
                f"end of wait {operation.name}",
            )

    def _end_execution(self, execution: Execution, update: OperationUpdate) -> None:
        execution.count_update()
        succeeded = update.action is OperationAction.SUCCEED
        status = OperationStatus.SUCCEEDED if succeeded else OperationStatus.FAILED
        self._executions.end(execution, status, result=update.payload, error=update.error)

    def _enforce_quotas(self, execution: Execution) -> None:
        for quota, used, limit in (
            ("operations", execution.charged_operations, quotas.OPERATIONS),
            ("bytes written", execution.bytes_written, quotas.BYTES_WRITTEN),
        ):
            if used > limit:
                message = f"The execution exceeded its quota of {limit} {quota}."
                error = ErrorObject(message, "QuotaExceeded", None, None)
                self._executions.end(execution, OperationStatus.FAILED, error=error)
