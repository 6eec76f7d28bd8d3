"""Invokes durable handlers, as Lambda does: with their state, again if they die."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python.execution import (
    DurableExecutionInvocationInputWithClient,
    InitialExecutionState,
)
from aws_durable_execution_sdk_python.lambda_service import (
    DurableExecutionInvocationOutput,
    ErrorObject,
    InvocationStatus,
    OperationStatus,
)

from dacapo import chance, metering
from dacapo.probe import Probe
from dacapo.service import quotas
from dacapo.service.door import Door, Interference
from dacapo.service.execution import Execution, Invocation
from dacapo.service.functions import Died
from dacapo.service.service import DurableService


@dataclass(frozen=True)
class Conditions:
    """How invocations are made.

    Parameters:
        interference: what comes between them and the service.
        probe: is told what they do.
        backoff: the pause before one that died is made again.
    """

    interference: Interference = field(default_factory=Interference)
    probe: Probe = field(default_factory=Probe)
    backoff: timedelta = quotas.INVOCATION_BACKOFF


class Invocations:
    """Invokes the durable handlers of a service; `made` counts how often.

    Parameters:
        service: whose executions are driven; it invokes through this from now on.
    """

    def __init__(self, service: DurableService) -> None:
        self._service = service
        self._clock = service.clock
        self.made = 0
        self.conditions = Conditions()
        service.invoke = self.invoke

    def invoke(self, execution: Execution) -> None:
        """Call the durable handler once and take what it answers to heart."""
        execution.wake_up = None
        invocation = self._begin(execution)
        conditions = self.conditions
        door = Door(self._service.checkpoints, execution, conditions.interference, conditions.probe)
        actors, function = self._service.actors, execution.function
        output, died = None, None
        try:
            with actors.acting(function.name, execution.arn, door.settle):
                context = function.context(invocation.request_id, self._clock)
                output = function.handler(self._input(execution, door), context)
        except Died as error:
            died = ErrorObject.from_exception(error)
        finally:
            self._finish(execution, invocation, died)
        if door.fault is not None:
            raise door.fault
        if died is not None:
            self._retry(execution, died)
        else:
            self._conclude(execution, invocation, output)

    def _begin(self, execution: Execution) -> Invocation:
        self.made += 1
        number = len(execution.invocations) + 1
        invocation = Invocation(
            request_id=chance.uuid_from("request", execution.seed, execution.arn, number),
            started=self._clock.now,
            events_before=len(execution.log.events),
            replayed=len(execution.replayable) - 1,
        )
        execution.invocations.append(invocation)
        execution.is_invoked = True
        return invocation

    def _input(self, execution: Execution, door: Door) -> DurableExecutionInvocationInputWithClient:
        token = execution.renew_token()
        page = self._service.checkpoints.read(execution.arn, token, "", quotas.PAGE_ITEMS)
        changed = list(execution.changed)
        execution.changed.clear()
        return DurableExecutionInvocationInputWithClient(
            durable_execution_arn=execution.arn,
            checkpoint_token=token,
            initial_execution_state=InitialExecutionState(page.operations, page.next_marker or ""),
            updated_operation_ids=changed,
            service_client=door,
        )

    def _finish(
        self, execution: Execution, invocation: Invocation, error: ErrorObject | None
    ) -> None:
        execution.is_invoked = False
        invocation.ended = self._clock.now
        invocation.error = error
        execution.log.invocation_completed(
            invocation.request_id, invocation.started, self._clock.now, error
        )
        invocation.events_after = len(execution.log.events)

    def _conclude(self, execution: Execution, invocation: Invocation, output: Any) -> None:
        try:
            answer = DurableExecutionInvocationOutput.from_dict(output)
        except (AttributeError, TypeError, ValueError):
            self._end_for(execution, "The handler is not durable: it gave no invocation output.")
            return
        execution.failed_invocations = 0
        invocation.status = answer.status.value
        if answer.status is InvocationStatus.PENDING:
            self._wait(execution)
        elif answer.status is InvocationStatus.SUCCEEDED:
            self._service.end(execution, OperationStatus.SUCCEEDED, result=answer.result)
        else:
            self._service.end(execution, OperationStatus.FAILED, error=answer.error)

    def _wait(self, execution: Execution) -> None:
        if execution.changed:
            self._service.wake(execution)
        elif execution.is_running and not execution.open_operations():
            self._end_for(execution, "Cannot return PENDING status with no pending operations.")

    def _end_for(self, execution: Execution, message: str) -> None:
        error = ErrorObject(message, "InvalidParameterValueException", None, None)
        self._service.end(execution, OperationStatus.FAILED, error=error)

    def _retry(self, execution: Execution, error: ErrorObject) -> None:
        execution.failed_invocations += 1
        execution.invocations[-1].status = "DIED"
        if execution.failed_invocations >= quotas.INVOCATION_ATTEMPTS:
            self._service.end(execution, OperationStatus.FAILED, error=error)
        elif execution.is_running:
            execution.charged_operations += metering.OPERATIONS_PER_INVOCATION_RETRY
            execution.account_bytes(None, error)
            self._service.wake(execution, self.conditions.backoff)
