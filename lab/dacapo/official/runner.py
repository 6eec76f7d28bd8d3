"""The second engine: a scenario on AWS's own local runner (`DurableFunctionTestRunner`).

It is a reference for the simulated service, and can do less: it skips waits and retry delays, but
its callbacks run on the real clock, so it can't run a scenario in which a callback times out or an
answer arrives at a given time. An external event occurs once the runner has skipped past its time,
or as soon as nothing else can wake the execution; answers are sent immediately.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from datetime import timedelta
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    Operation,
    OperationStatus,
    OperationType,
)
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from aws_durable_execution_sdk_python_testing.stores.memory import InMemoryExecutionStore

from dacapo import metering
from dacapo.errors import UnsupportedByEngine
from dacapo.history.operations import answer_key, recorded_operations
from dacapo.history.recording import Recording
from dacapo.official.api import OfficialApi
from dacapo.scenario import Scenario
from dacapo.scenario.answers import answer_for
from dacapo.sdk import installed
from dacapo.service import quotas
from dacapo.service.callbacks import DeliveryKind
from dacapo.service.execution import ExecutionStatus, Invocation, InvocationStatus
from dacapo.simulation import boto, network_guard

ENGINE = "sdk"
PATIENCE_SECONDS = 60
"""Real time after which a run on the official runner is abandoned."""


def run(scenario: Scenario) -> Recording:
    """Run a scenario on the official runner.

    Returns:
        A recording without history and without seed; its times are the official runner's.

    Raises:
        UnsupportedByEngine: the scenario needs something that the official runner can't do.
    """
    with network_guard.guarded(), scenario.build_world() as world:
        return _Run(scenario, world).record()


class _Run:
    """One run: the runner in its own threads, and this thread, which plays the outside world."""

    def __init__(self, scenario: Scenario, world: Any) -> None:
        self.scenario = scenario
        self.world = world
        self.external_events = deque(sorted(scenario.external_events, key=lambda e: e.after))
        self.answer_counts: dict[str, int] = {}
        self.invocations: list[Invocation] = []
        self.store = InMemoryExecutionStore()
        self.runner = DurableFunctionTestRunner(self.handler, store=self.store)
        for name, handler in scenario.functions.items():
            register = (
                self.runner.register_durable_function
                if installed.is_durable(handler)
                else self.runner.register_function
            )
            register(name, handler)
        self.api = OfficialApi(scenario.functions, self.runner)
        self.clock = installed.official_clock(self.runner)
        self.started = self.clock()
        self.turn = threading.Condition()
        self.is_running = False
        self.status: InvocationStatus | None = None
        self.error: Exception | None = None

    def record(self) -> Recording:
        timeout = self.scenario.execution_timeout or quotas.LONGEST_WAIT
        with self.runner, boto.answered_by(self.api):
            arn = self.runner.run_async(
                input=json.dumps(self.scenario.event),
                execution_timeout=int(timeout.total_seconds()),
                function_name=self.scenario.function,
            )
            while self.wait_for_turn() is InvocationStatus.PENDING:
                self.act(arn)
            self.runner.wait_for_result(arn, timeout=PATIENCE_SECONDS)
            return self.recording(arn)

    # -- the runner's side ----------------------------------------------------------------------

    def handler(self, event: Any, context: Any) -> Any:
        with self.turn:
            self.is_running, self.status = True, None
        self.fire_events(self.clock() - self.started)
        began, status = self.clock(), InvocationStatus.DIED
        try:
            output = self.scenario.handler(event, context)
            status = InvocationStatus(output["Status"])
        finally:
            self.invocations.append(
                Invocation(context.aws_request_id, began, 0, 0, ended=self.clock(), status=status)
            )
            self.end_turn(status)
        return output

    def fire_events(self, elapsed: timedelta) -> None:
        try:
            while self.external_events and self.external_events[0].after <= elapsed:
                self.external_events.popleft().action(self.world)
        except Exception as error:
            # The runner would take it for a crash of the handler.
            self.error = error
            self.end_turn(InvocationStatus.DIED)
            raise

    def end_turn(self, status: InvocationStatus) -> None:
        with self.turn:
            self.is_running, self.status = False, status
            self.turn.notify_all()

    # -- the outside world's side -----------------------------------------------------------------

    def wait_for_turn(self) -> InvocationStatus:
        with self.turn:
            status = self.turn.wait_for(lambda: self.status, timeout=PATIENCE_SECONDS)
            if not status:
                raise UnsupportedByEngine(f"it did not come to rest within {PATIENCE_SECONDS} s")
            if self.error is not None:
                raise self.error
            self.status = None
            return status

    def act(self, arn: str) -> None:
        with self.turn:
            # The runner may have resumed by itself since it came to rest: its turn will end again.
            operations = self.operations(arn)
            if self.is_running or self.status or any(map(_will_resume, operations.values())):
                return
        waiting = [
            operation
            for operation in operations.values()
            if operation.operation_type is OperationType.CALLBACK
            and operation.status is OperationStatus.STARTED
        ]
        if not waiting:
            return
        if any(self.answer(answer_key(self.scenario.answers, operations, o), o) for o in waiting):
            return
        if not self.external_events or self.times_out_before(
            self.external_events[0].after, arn, waiting
        ):
            raise UnsupportedByEngine("a callback is left to time out, which takes real time here")
        self.external_events.popleft().action(self.world)
        if self.operations(arn) == operations:
            self.act_again()

    def act_again(self) -> None:
        with self.turn:
            self.status = self.status or InvocationStatus.PENDING

    def answer(self, name: str, operation: Operation) -> bool:
        number = self.answer_counts.get(name, 0)
        answer = answer_for(self.scenario.answers.get(name), number, operation)
        sends = [send for send in answer.sends if send.kind is not DeliveryKind.HEARTBEAT]
        if not sends or operation.callback_details is None:
            return False
        self.answer_counts[name] = number + 1
        callback_id = operation.callback_details.callback_id
        if sends[0].kind is DeliveryKind.SUCCESS:
            self.runner.send_callback_success(callback_id, sends[0].result)
        else:
            error = ErrorObject.from_dict(dict(sends[0].error or {}))
            self.runner.send_callback_failure(callback_id, error)
        return True

    def times_out_before(self, after: timedelta, arn: str, waiting: list[Operation]) -> bool:
        keys = {operation.operation_id for operation in waiting}
        timeouts = [
            seconds
            for update in self.store.load(arn).updates
            if update.operation_id in keys and update.callback_options
            for seconds in (
                update.callback_options.timeout_seconds,
                update.callback_options.heartbeat_timeout_seconds,
            )
        ]
        return any(0 < seconds < after.total_seconds() for seconds in timeouts)

    def operations(self, arn: str) -> dict[str, Operation]:
        return {o.operation_id: o for o in self.store.load(arn).operations}

    def recording(self, arn: str) -> Recording:
        execution = self.store.load(arn)
        result = execution.result
        updates = execution.updates
        started = {update.operation_id for update in updates}
        charged = metering.OPERATIONS_PER_EXECUTION
        for update in updates:
            is_new = update.operation_id in started
            charged += metering.operations_charged(update, is_new=is_new)
            started.discard(update.operation_id)
        return Recording(
            scenario=self.scenario.name,
            engine=ENGINE,
            seed=0,
            arn=arn,
            function=self.scenario.function,
            status=ExecutionStatus(execution.current_status().value),
            payload=json.dumps(self.scenario.event),
            output=result.result if result else None,
            error=result.error if result else None,
            started=self.started,
            ended=self.clock(),
            events=[],
            operations=recorded_operations(self.operations(arn)),
            invocations=self.invocations,
            deliveries=[],
            calls=self.api.calls,
            charged_operations=charged,
            bytes_written=sum(metering.bytes_of(u.payload, u.error) for u in updates),
            updates=len(updates),
            world=self.world,
        )


def _will_resume(operation: Operation) -> bool:
    return operation.status in (OperationStatus.PENDING, OperationStatus.READY)
