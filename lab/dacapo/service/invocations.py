"""Invokes durable handlers, as Lambda does: with their state, and again after a crash."""

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
    OperationStatus,
)

from dacapo import metering
from dacapo.process import randomness
from dacapo.service import quotas
from dacapo.service.client import Interference, Probe, ServiceClient
from dacapo.service.execution import Execution, Invocation, InvocationStatus
from dacapo.service.functions import HANDLER_FAILURES
from dacapo.service.service import DurableService


@dataclass(frozen=True)
class Conditions:
    """Conditions under which invocations run.

    Parameters:
        interference: hooks around each checkpoint.
        probe: hooks on the SDK's side.
        backoff: delay before an invocation that died is retried.
    """

    interference: Interference = field(default_factory=Interference)
    probe: Probe = field(default_factory=Probe)
    backoff: timedelta = quotas.INVOCATION_BACKOFF


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
        service.invoke = self.invoke

    def invoke(self, execution: Execution) -> None:
        """Call the durable handler once, and apply its output to the execution."""
        execution.wake_up = None
        invocation = self._begin(execution)
        conditions = self.conditions
        client = ServiceClient(
            self._service.checkpoints, execution, conditions.interference, conditions.probe
        )
        callers, function = self._service.callers, execution.function
        output, failure = None, None
        try:
            with callers.acting_as(function.name, execution.arn, client.try_flush):
                context = function.context(invocation.request_id, self._clock)
                output = function.handler(self._input(execution, client), context)
        except HANDLER_FAILURES as error:
            failure = ErrorObject.from_exception(error)
        finally:
            self._finish(execution, invocation, failure)
        if client.fault is not None:
            raise client.fault
        if failure is not None:
            self._retry(execution, failure)
        else:
            self._conclude(execution, invocation, output)

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
    ) -> DurableExecutionInvocationInputWithClient:
        token = execution.renew_token()
        page = self._service.checkpoints.read(execution.arn, token, "", quotas.PAGE_ITEMS)
        changed = list(execution.changed)
        execution.changed.clear()
        return DurableExecutionInvocationInputWithClient(
            durable_execution_arn=execution.arn,
            checkpoint_token=token,
            initial_execution_state=InitialExecutionState(page.operations, page.next_marker or ""),
            updated_operation_ids=changed,
            service_client=client,
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
        if execution.changed:
            self._service.wake(execution)
        elif execution.is_running and not execution.open_operations():
            self._fail(execution, "Cannot return PENDING status with no pending operations.")

    def _fail(self, execution: Execution, message: str) -> None:
        error = ErrorObject(message, "InvalidParameterValueException", None, None)
        self._service.end(execution, OperationStatus.FAILED, error=error)

    def _retry(self, execution: Execution, error: ErrorObject) -> None:
        execution.failed_invocations += 1
        execution.invocations[-1].status = InvocationStatus.DIED
        if execution.failed_invocations >= quotas.INVOCATION_ATTEMPTS:
            self._service.end(execution, OperationStatus.FAILED, error=error)
        elif execution.is_running:
            execution.charged_operations += metering.OPERATIONS_PER_INVOCATION_RETRY
            execution.charge_bytes(None, error)
            self._service.wake(execution, self.conditions.backoff)
