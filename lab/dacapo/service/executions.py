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
from dacapo.service import quotas, transitions
from dacapo.service.clock import Clock, Timer
from dacapo.service.errors import already_started, not_found
from dacapo.service.execution import Execution
from dacapo.service.functions import VERSION, Function, Functions

NOW = timedelta(0)


class Executions:
    """The executions of a run, with their timers and their ends.

    It calls `invoke` with each execution whose handler has work to do, and `on_ended` with each
    execution that has ended.

    Parameters:
        clock: the virtual clock that drives the run.
        functions: the functions of the run.
        seed: seed of every generated ID and token.
    """

    def __init__(self, clock: Clock, functions: Functions, seed: int) -> None:
        self.clock = clock
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
    ) -> Execution:
        """Start an execution, or return the one that was started with this name and payload.

        Parameters:
            function: the durable function.
            payload: the input, as JSON.
            name: execution name, which makes the start idempotent; None to generate one.
            is_synchronous: whether the caller waits for the result, which limits the execution to
                15 minutes.
            parent: the execution and operation whose chained invoke this is.

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
            arn=f"{function.arn}:{VERSION}/durable-execution/{name}/{invocation_id}",
            name=name,
            function=function,
            payload=payload,
            started=self.clock.now,
            timeout=min(timeout, quotas.SYNCHRONOUS_EXECUTION) if is_synchronous else timeout,
            parent=parent,
        )
        self.executions[execution.arn] = execution
        self._by_name[function.name, name] = execution
        self._start_timeout(execution)
        self.wake(execution)
        return execution

    def find(self, arn: str) -> Execution:
        """Return the execution with this ARN.

        Raises:
            ServiceError: there is none.
        """
        execution = self.executions.get(arn)
        if execution is None:
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

    def end(
        self,
        execution: Execution,
        status: OperationStatus,
        *,
        result: str | None = None,
        error: ErrorObject | None = None,
    ) -> None:
        """End an execution; the first call wins."""
        if not execution.is_running:
            return
        self._cancel_all_timers(execution)
        execution.end(status, self.clock.now, result, error)
        self.on_ended(execution)

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
        """Schedule an invocation of the handler, unless one is running or scheduled."""
        if execution.is_running and not execution.is_invoked and execution.wake_up is None:
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
        while execution.is_running and self.clock.run_next():
            pass

    # -- private ------------------------------------------------------------------------------

    def _start_timeout(self, execution: Execution) -> None:
        # An execution without a timeout of its own gets the service's, 366 days. No run waits for
        # that, so it does not keep the run alive.
        seconds = int(execution.timeout.total_seconds())
        error = ErrorObject(f"Execution timed out after {seconds} seconds.", None, None, None)
        execution.timeout_timer = self.clock.schedule(
            execution.timeout,
            lambda: self.end(execution, OperationStatus.TIMED_OUT, error=error),
            f"timeout of execution {execution.name}",
            background=execution.timeout == quotas.LONGEST_WAIT,
        )

    def _cancel_all_timers(self, execution: Execution) -> None:
        for operation_id in list(execution.timers):
            self.cancel_timers(execution, operation_id)
        for timer in (execution.timeout_timer, execution.wake_up):
            if timer is not None:
                self.clock.cancel(timer)
