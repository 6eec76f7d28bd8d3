"""The second engine: a scenario on AWS's own local runner (`DurableFunctionTestRunner`).

It is a reference for the simulated service, and knows less: it skips waits and retries, but its
callbacks run on the real clock, so nothing can be shown on it that needs a callback to time out,
or an answer to come at its time. Happenings come once the runner has skipped past their time, or
as soon as nothing else can wake the execution; answers come at once.
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

from dacapo import boto, metering, safety
from dacapo.answers import answer_for
from dacapo.official_api import CannotRun, OfficialApi
from dacapo.recorded import callback_name, recorded_operations
from dacapo.recording import Recording
from dacapo.scenario import Scenario
from dacapo.sdk_internals import installed
from dacapo.service import quotas
from dacapo.service.execution import Invocation

ENGINE = "sdk"
PATIENCE_SECONDS = 60
"""Real time after which a run on the official runner is given up."""


def run(scenario: Scenario) -> Recording:
    """Run a scenario on the official runner.

    Returns:
        A recording without history and without seed; times are the official runner's.

    Raises:
        CannotRun: the scenario needs what the official runner can't do.
    """
    with safety.guarded(), scenario.world() as world:
        return _Run(scenario, world).record()


class _Run:
    """One run: the runner in its own threads, and this one, which plays the outside world."""

    def __init__(self, scenario: Scenario, world: Any) -> None:
        self.scenario = scenario
        self.world = world
        self.happenings = deque(sorted(scenario.happenings, key=lambda h: h.after))
        self.answered: dict[str, int] = {}
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
        self.status = ""
        self.trouble: Exception | None = None

    def record(self) -> Recording:
        timeout = self.scenario.execution_timeout or quotas.LONGEST_WAIT
        with self.runner, boto.answered_by(self.api):
            arn = self.runner.run_async(
                input=json.dumps(self.scenario.event),
                execution_timeout=int(timeout.total_seconds()),
                function_name=self.scenario.function,
            )
            while self.wait_for_turn() == "PENDING":
                self.play(arn)
            self.runner.wait_for_result(arn, timeout=PATIENCE_SECONDS)
            return self.recording(arn)

    # -- the runner's side ----------------------------------------------------------------------

    def handler(self, event: Any, context: Any) -> Any:
        with self.turn:
            self.is_running, self.status = True, ""
        self.let_happen(self.clock() - self.started)
        began, status = self.clock(), "DIED"
        try:
            output = self.scenario.handler(event, context)
            status = output["Status"]
        finally:
            self.invocations.append(
                Invocation(context.aws_request_id, began, 0, 0, ended=self.clock(), status=status)
            )
            self.hand_over(status)
        return output

    def let_happen(self, elapsed: timedelta) -> None:
        try:
            while self.happenings and self.happenings[0].after <= elapsed:
                self.happenings.popleft().action(self.world)
        except Exception as error:
            # The runner would take it for a crash of the handler.
            self.trouble = error
            self.hand_over("DIED")
            raise

    def hand_over(self, status: str) -> None:
        with self.turn:
            self.is_running, self.status = False, status
            self.turn.notify_all()

    # -- the outside world's side -----------------------------------------------------------------

    def wait_for_turn(self) -> str:
        with self.turn:
            if not self.turn.wait_for(lambda: self.status, timeout=PATIENCE_SECONDS):
                raise CannotRun(f"it did not come to rest within {PATIENCE_SECONDS} s")
            if self.trouble is not None:
                raise self.trouble
            status, self.status = self.status, ""
            return status

    def play(self, arn: str) -> None:
        with self.turn:
            # The runner may have gone on by itself since it came to rest: its turn will end again.
            operations = self.operations(arn)
            if self.is_running or self.status or any(map(_goes_on, operations.values())):
                return
        waiting = [
            operation
            for operation in operations.values()
            if operation.operation_type is OperationType.CALLBACK
            and operation.status is OperationStatus.STARTED
        ]
        if not waiting:
            return
        if any(self.answer(callback_name(operations, o), o) for o in waiting):
            return
        if not self.happenings or self.times_out_before(self.happenings[0].after, arn, waiting):
            raise CannotRun("a callback is left to time out, which takes real time here")
        self.happenings.popleft().action(self.world)
        if self.operations(arn) == operations:
            self.play_again()

    def play_again(self) -> None:
        with self.turn:
            self.status = self.status or "PENDING"

    def answer(self, name: str, operation: Operation) -> bool:
        number = self.answered.get(name, 0)
        answer = answer_for(self.scenario.answers.get(name), number, operation)
        sends = [send for send in answer.sends if send.kind != "heartbeat"]
        if not sends or operation.callback_details is None:
            return False
        self.answered[name] = number + 1
        callback_id = operation.callback_details.callback_id
        if sends[0].kind == "success":
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
            status=execution.current_status().value,
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


def _goes_on(operation: Operation) -> bool:
    return operation.status in (OperationStatus.PENDING, OperationStatus.READY)
