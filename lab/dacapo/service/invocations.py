"""Invokes durable handlers, as Lambda does: with their state, and again after a crash."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    DurableExecutionInvocationOutput,
    ErrorObject,
    OperationStatus,
)

from dacapo import metering
from dacapo.process import randomness
from dacapo.scheduling.tasks import Turn
from dacapo.service import invocation_input, quotas
from dacapo.service.callers import Caller
from dacapo.service.client import Interference, Probe, ServiceClient
from dacapo.service.execution import Execution, Invocation, InvocationStatus
from dacapo.service.sandboxes import EXITED, TIMED_OUT, Invoked, Outcome
from dacapo.service.service import DurableService

_PENDING = {"Status": InvocationStatus.PENDING.value}


@dataclass(frozen=True)
class Conditions:
    """Conditions under which invocations run.

    Parameters:
        interference: hooks around each checkpoint.
        probe: hooks on the SDK's side.
        backoff: delay before an invocation that died is retried.
        replay: whether the handler is called again after each suspension; if not, it continues
            where it was, and only the books say that it was suspended.
    """

    interference: Interference = field(default_factory=Interference)
    probe: Probe = field(default_factory=Probe)
    backoff: timedelta = quotas.INVOCATION_BACKOFF
    replay: bool = True


class _Parked:
    """A handler that waits where it would have been suspended.

    Parameters:
        invoked: its invocation; the handler's task must be the current one.
    """

    def __init__(self, invoked: Invoked) -> None:
        self._invoked = invoked
        self._waiter = invoked.scheduler.waiter(Turn.AS_BEGINNING)
        self._waiter.task.turns = 0

    def wait(self) -> None:
        self._waiter.wait()

    def resume(self, invocation: Invocation) -> None:
        self._invoked.context.aws_request_id = invocation.request_id
        self._invoked.renew()
        self._waiter.wake()


class Invocations:
    """Invokes the durable handlers of a service; `count` is the number of invocations so far.

    Parameters:
        service: the service, which invokes its handlers through this from now on.
    """

    def __init__(self, service: DurableService) -> None:
        self._service = service
        self._clock = service.clock
        self.count = 0
        self.conditions = Conditions()
        self._parked: dict[str, _Parked] = {}
        service.invoke = self.invoke

    def invoke(self, execution: Execution) -> None:
        """Start an invocation of the durable handler; its outcome is applied when it ends."""
        execution.wake_up = None
        parked = self._parked.pop(execution.arn, None)
        if parked is not None:
            parked.resume(self._begin(execution))
            return
        invocation = self._begin(execution)
        conditions, function = self.conditions, execution.function
        client = ServiceClient(
            self._service.checkpoints, execution, conditions.interference, conditions.probe
        )

        def end(outcome: Outcome) -> None:
            self._finish(execution, outcome.error, outcome.output)
            if client.fault is not None:
                raise client.fault
            if outcome.error is not None:
                self._retry(execution, outcome.error)
            else:
                self._conclude(execution, outcome.output)

        context = function.context(invocation.request_id, self._clock)
        caller = Caller(function.name, execution.arn, client.try_flush)
        invoked = self._service.sandboxes.start(
            function, self._input(execution, client), context, caller, end
        )
        invoked.sandbox.is_replayed = True
        invoked.sandbox.on_check = partial(_check, client, invoked)
        if not conditions.replay:
            client.park = partial(self._park, execution, invoked)

    def _park(self, execution: Execution, invoked: Invoked) -> bool:
        """End the invocation and begin the next one, but keep the handler where it is.

        Returns:
            False if there is no next one.
        """
        invoked.pause()
        self._finish(execution, None)
        self._conclude(execution, _PENDING)
        if not execution.is_running:
            return False
        self._parked[execution.arn] = parked = _Parked(invoked)
        parked.wait()
        return True

    def _begin(self, execution: Execution) -> Invocation:
        self.count += 1
        number = len(execution.invocations) + 1
        invocation = Invocation(
            request_id=randomness.uuid_from("request", execution.seed, execution.arn, number),
            started=self._clock.now,
            events_before=len(execution.log.events),
            replayed=len(execution.replayable) - 1,
        )
        execution.invocations.append(invocation)
        execution.is_invoked = True
        return invocation

    def _input(
        self, execution: Execution, client: ServiceClient
    ) -> AbstractContextManager[invocation_input.Json]:
        token = execution.renew_token()
        page = self._service.checkpoints.read(execution.arn, token, "", quotas.PAGE_ITEMS)
        changed = list(execution.changed)
        execution.changed.clear()
        return invocation_input.sent(execution.arn, token, page, changed, client)

    def _finish(self, execution: Execution, error: ErrorObject | None, output: Any = None) -> None:
        invocation = execution.invocations[-1]
        execution.is_invoked = False
        invocation.ended = self._clock.now
        invocation.error = error
        execution.log.invocation_completed(
            invocation.request_id, invocation.started, self._clock.now, error or _error_in(output)
        )
        invocation.events_after = len(execution.log.events)

    def _conclude(self, execution: Execution, output: Any) -> None:
        invocation = execution.invocations[-1]
        try:
            answer = DurableExecutionInvocationOutput.from_dict(output)
        except (AttributeError, TypeError, ValueError):
            self._fail(execution, "The handler is not durable: it returned no invocation output.")
            return
        execution.failed_invocations = 0
        invocation.status = InvocationStatus(answer.status.value)
        if invocation.status is InvocationStatus.PENDING:
            self._suspend(execution)
        elif invocation.status is InvocationStatus.SUCCEEDED:
            self._service.end(execution, OperationStatus.SUCCEEDED, result=answer.result)
        else:
            self._service.end(execution, OperationStatus.FAILED, error=answer.error)

    def _suspend(self, execution: Execution) -> None:
        self._service.pauses.settle(execution)
        if execution.changed or execution.owes_invocation:
            self._service.wake(execution)
        elif execution.is_running and not execution.open_operations():
            self._fail(execution, "Cannot return PENDING status with no pending operations.")

    def _fail(self, execution: Execution, message: str) -> None:
        error = ErrorObject(message, "InvalidParameterValueException", None, None)
        self._service.end(execution, OperationStatus.FAILED, error=error)

    def _retry(self, execution: Execution, error: ErrorObject) -> None:
        execution.failed_invocations += 1
        timed_out = error.type == TIMED_OUT
        execution.invocations[-1].status = (
            InvocationStatus.TIMED_OUT if timed_out else InvocationStatus.DIED
        )
        if execution.failed_invocations >= quotas.INVOCATION_ATTEMPTS:
            self._service.end(execution, OperationStatus.FAILED, error=error)
        elif execution.is_running:
            execution.charged_operations += metering.OPERATIONS_PER_INVOCATION_RETRY
            execution.charge_bytes(None, error)
            self._service.pauses.settle(execution)
            self._service.wake(execution, self.conditions.backoff)


def _check(client: ServiceClient, invoked: Invoked) -> None:
    if client.crash is not None:
        invoked.kill(EXITED, str(client.crash))


def _error_in(output: Any) -> ErrorObject | None:
    """Return the error with which an answer fails the execution; None if it does not."""
    error = output.get("Error") if isinstance(output, dict) else None
    return ErrorObject.from_dict(error) if error else None
