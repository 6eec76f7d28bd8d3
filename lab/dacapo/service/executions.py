"""Executions on one clock: how they start and end, and when their handlers are invoked.

A change from outside the handler (a wait that elapses, a callback that is answered) is stored here
and wakes the execution: its handler is invoked again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    Operation,
    OperationStatus,
)

from dacapo.process import randomness
from dacapo.scheduling.clock import Timer
from dacapo.scheduling.scheduler import Scheduler
from dacapo.service import quotas, transitions
from dacapo.service.errors import already_started, conflict, not_found
from dacapo.service.execution import Execution
from dacapo.service.functions import Function, Functions

NOW = timedelta(0)


def too_large_output(limit: int) -> str:
    """Return the message for an execution whose result is too large (testing SDK)."""
    return f"Execution output payload size must be less than or equal to {limit} bytes."


class Executions:
    """The executions of a run, with their timers and their ends.

    It calls `invoke` with each execution whose handler has work to do, and `on_ended` with each
    execution that has ended.

    Parameters:
        scheduler: runs the tasks, on the virtual clock.
        functions: the functions of the run.
        seed: seed of every generated ID and token.
    """

    def __init__(self, scheduler: Scheduler, functions: Functions, seed: int) -> None:
        self.scheduler = scheduler
        self.clock = scheduler.clock
        self.functions = functions
        self.seed = seed
        self.executions: dict[str, Execution] = {}
        self.invoke: Callable[[Execution], None] = lambda _: None
        self.on_ended: Callable[[Execution], None] = lambda _: None
        self._by_name: dict[tuple[str, str], Execution] = {}

    # -- executions ---------------------------------------------------------------------------

    def start(
        self,
        function: Function,
        payload: str,
        name: str | None = None,
        *,
        is_synchronous: bool = False,
        parent: tuple[Execution, str] | None = None,
        trace_id: str | None = None,
    ) -> Execution:
        """Start an execution, or return the one that was started with this name and payload.

        Parameters:
            function: the durable function, as it is invoked.
            payload: the input, as JSON.
            name: execution name, which makes the start idempotent; None to generate one.
            is_synchronous: whether the caller waits for the result, which limits the execution to
                15 minutes.
            parent: the execution and operation whose chained invoke this is.
            trace_id: the X-Ray trace header; None for none.

        Raises:
            ServiceError: the name is in use with another payload.
        """
        number = len(self.executions) + 1
        name = name or randomness.uuid_from("name", self.seed, number)
        existing = self._by_name.get((function.name, name))
        if existing is not None:
            if existing.payload == payload:
                return existing
            raise already_started(f"Execution {name} was started with another payload.")
        invocation_id = randomness.uuid_from("invocation", self.seed, number)
        timeout = function.execution_timeout or quotas.LONGEST_WAIT
        execution = Execution(
            seed=self.seed,
            arn=f"{function.arn}:{function.version}/durable-execution/{name}/{invocation_id}",
            name=name,
            function=function,
            payload=payload,
            started=self.clock.now,
            timeout=min(timeout, quotas.SYNCHRONOUS_EXECUTION) if is_synchronous else timeout,
            parent=parent,
            is_synchronous=is_synchronous,
            trace_id=trace_id,
        )
        self._by_name[function.name, name] = execution
        self.begin(execution)
        return execution

    def begin(self, execution: Execution) -> None:
        """Begin an execution, although there may be another one of its name."""
        self.executions[execution.arn] = execution
        self.start_timeout(execution)
        self.wake(execution)

    def find(self, arn: str) -> Execution:
        """Return the execution with this ARN.

        Raises:
            ServiceError: there is none, or it was deleted.
        """
        execution = self.executions.get(arn)
        if execution is None or execution.is_deleted:
            raise not_found(f"Durable execution not found: {arn}")
        return execution

    def stop(self, arn: str, error: ErrorObject | None) -> Execution:
        """Stop an execution, unless it has ended.

        Raises:
            ServiceError: there is no such execution.
        """
        execution = self.find(arn)
        error = error or ErrorObject("Execution stopped.", None, None, None)
        self.end(execution, OperationStatus.STOPPED, error=error)
        return execution

    def delete(self, arn: str) -> None:
        """Delete an ended execution; its child executions stay (developer guide).

        It is DELETING for the rest of this virtual moment. The run's recording keeps its data.

        Raises:
            ServiceError: there is no such execution, or it has not ended.
        """
        execution = self.find(arn)
        if execution.is_running or execution.is_deleting:
            status = execution.execution_status.value
            raise conflict(f"Cannot delete an execution that is {status}.")
        execution.is_deleting = True
        self.clock.schedule(
            NOW, lambda: self._remove(execution), f"deletion of execution {execution.name}"
        )

    def end(
        self,
        execution: Execution,
        status: OperationStatus,
        *,
        result: str | None = None,
        error: ErrorObject | None = None,
    ) -> None:
        """End an execution; the first call wins. It fails if its result is too large."""
        if not execution.is_running:
            return
        if result is not None and len(result.encode()) > execution.result_limit:
            error = ErrorObject(too_large_output(execution.result_limit), None, None, None)
            status, result = OperationStatus.FAILED, None
        self._cancel_all_timers(execution)
        execution.end(status, self.clock.now, result, error)
        self.on_ended(execution)
        for waiter in execution.waiters:
            waiter.wake()

    # -- changes from outside the handler -----------------------------------------------------

    def apply_change(
        self,
        execution: Execution,
        operation: Operation,
        result: str | None = None,
        error: ErrorObject | None = None,
    ) -> None:
        """Store an operation that changed outside the handler, and wake its execution.

        An operation inside a finished context wakes nothing: no handler waits for it.
        """
        execution.put(operation)
        if transitions.is_terminal(operation):
            self.cancel_timers(execution, operation.operation_id)
            execution.charge_bytes(result, error)
            execution.log.operation_ended(operation, self.clock.now, result, error)
        if not execution.is_orphaned(operation):
            execution.changed[operation.operation_id] = None
            self.wake(execution)

    def wake(self, execution: Execution, delay: timedelta = NOW) -> None:
        """Schedule an invocation of the handler, unless one is running or scheduled.

        A paused execution owes it until it is resumed.
        """
        if not execution.is_running:
            return
        if execution.is_paused:
            execution.owes_invocation = True
        elif not execution.is_invoked and execution.wake_up is None:
            execution.owes_invocation = False
            execution.wake_up = self.clock.schedule(
                delay, lambda: self.invoke(execution), f"invocation of {execution.name}"
            )

    def set_timer(
        self,
        execution: Execution,
        operation_id: str,
        delay: timedelta,
        action: Callable[[], None],
        description: str,
    ) -> Timer:
        """Schedule an action that is canceled when its operation, or the execution, ends."""
        timer = self.clock.schedule(delay, action, description)
        execution.timers.setdefault(operation_id, []).append(timer)
        return timer

    def cancel_timers(self, execution: Execution, operation_id: str) -> None:
        """Cancel the timers of an operation."""
        for timer in execution.timers.pop(operation_id, ()):
            self.clock.cancel(timer)

    def wait_for(self, execution: Execution) -> None:
        """Let time pass until this execution has ended, as a synchronous caller does."""
        if execution.is_running:
            execution.waiters.append(waiter := self.scheduler.waiter())
            waiter.wait()

    def start_timeout(self, execution: Execution) -> None:
        """Set the timer of the execution timeout, in place of the one before."""
        if execution.timeout_timer is not None:
            self.clock.cancel(execution.timeout_timer)
        # An execution without a timeout of its own gets the service's, 366 days. No run waits for
        # that, so it does not keep the run alive.
        seconds = int(execution.timeout.total_seconds())
        error = ErrorObject(f"Execution timed out after {seconds} seconds.", None, None, None)
        execution.timeout_timer = self.clock.schedule(
            execution.deadline - self.clock.now,
            lambda: self.end(execution, OperationStatus.TIMED_OUT, error=error),
            f"timeout of execution {execution.name}",
            background=execution.deadline - execution.started == quotas.LONGEST_WAIT,
        )

    # -- private ------------------------------------------------------------------------------

    def _remove(self, execution: Execution) -> None:
        execution.is_deleting, execution.is_deleted = False, True
        self._by_name.pop((execution.function.name, execution.name), None)

    def _cancel_all_timers(self, execution: Execution) -> None:
        for operation_id in list(execution.timers):
            self.cancel_timers(execution, operation_id)
        for timer in (execution.timeout_timer, execution.wake_up):
            if timer is not None:
                self.clock.cancel(timer)
