"""The service core under random sequences of legal and illegal updates, answers and clock advances.

The machine plays the handler and the outside world against the service, and keeps a model of the
operations that the service accepted. No handler runs here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aws_durable_execution_sdk_python.lambda_service import (
    CallbackOptions,
    ContextOptions,
    ErrorObject,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
    StepOptions,
    WaitOptions,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from dacapo.scenario import START
from dacapo.service.clock import Clock
from dacapo.service.errors import ServiceError
from dacapo.service.execution import Execution
from dacapo.service.functions import Function, Functions
from dacapo.service.service import DurableService
from tests.lab.validity import assert_valid_history

ERROR = ErrorObject("broken", "Error", None, None)
NAMES = ["a", "b", "c"]
OVER = {"SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED", "STOPPED"}


def no_handler(execution: Execution) -> None:
    """Clear the pending wake-up instead of running a handler: the machine plays the handler."""
    execution.wake_up = None


def new_service() -> tuple[DurableService, Function]:
    functions = Functions()
    function = Function(lambda event, context: None, "function", is_durable=True)
    functions.add(function)
    functions.add(Function(lambda event, context: None, "plain", is_durable=False))
    service = DurableService(Clock(START), functions, seed=0)
    service.invoke = no_handler
    return service, function


class ServiceMachine(RuleBasedStateMachine):
    operations = Bundle("operations")

    @initialize()
    def start(self) -> None:
        self.service, function = new_service()
        self.execution = self.service.start(function, "{}")
        self.expected: dict[str, str] = {}
        self.unreported: set[str] = set()
        self.started = 0
        self.answered: Counter[str] = Counter()

    # -- the handler's side -------------------------------------------------------------------

    def send(self, *updates: OperationUpdate) -> bool:
        """Return whether the service stores a batch; assert that a refused one changes nothing."""
        before = (dict(self.execution.operations), len(self.execution.log.events))
        output, refused = None, ""
        try:
            output = self.service.checkpoints.store(
                self.execution.arn, self.execution.token, updates
            )
        except ServiceError as error:
            refused = error.code
        if output is None:
            assert refused == "InvalidParameterValueException"
            assert before == (self.execution.operations, len(self.execution.log.events))
            return False
        reported = {operation.operation_id for operation in output.new_execution_state.operations}
        assert self.unreported <= reported, "a change was not reported to the handler"
        self.unreported.clear()
        return True

    def update(self, kind: OperationType, key: str, action: OperationAction) -> OperationUpdate:
        update = OperationUpdate(key, kind, action, name=key)
        match kind, action:
            case OperationType.WAIT, OperationAction.START:
                return replace(update, wait_options=WaitOptions(60))
            case OperationType.STEP, OperationAction.RETRY:
                return replace(update, step_options=StepOptions(60), error=ERROR)
            case OperationType.CALLBACK, OperationAction.START:
                return replace(update, callback_options=CallbackOptions(600, 120))
            case OperationType.CONTEXT, OperationAction.SUCCEED:
                return replace(update, context_options=ContextOptions())
            case _, OperationAction.FAIL:
                return replace(update, error=ERROR)
        return update

    @rule(
        target=operations,
        kind=st.sampled_from(
            [
                OperationType.STEP,
                OperationType.WAIT,
                OperationType.CALLBACK,
                OperationType.CONTEXT,
            ]
        ),
    )
    def start_operation(self, kind: OperationType) -> tuple[OperationType, str]:
        self.started += 1
        key = f"operation-{self.started}"
        stored = self.send(self.update(kind, key, OperationAction.START))
        assert stored == self.execution.is_running
        if stored:
            self.expected[key] = "STARTED"
        return kind, key

    @rule(operation=operations, action=st.sampled_from(OperationAction))
    def change_operation(
        self, operation: tuple[OperationType, str], action: OperationAction
    ) -> None:
        kind, key = operation
        before = self.expected.get(key)
        legal_after = {
            (OperationType.STEP, OperationAction.START): {"READY": "STARTED"},
            (OperationType.STEP, OperationAction.SUCCEED): {
                "STARTED": "SUCCEEDED",
                "READY": "SUCCEEDED",
            },
            (OperationType.STEP, OperationAction.FAIL): {"STARTED": "FAILED", "READY": "FAILED"},
            (OperationType.STEP, OperationAction.RETRY): {
                "STARTED": "PENDING",
                "READY": "PENDING",
            },
            (OperationType.CONTEXT, OperationAction.SUCCEED): {"STARTED": "SUCCEEDED"},
            (OperationType.CONTEXT, OperationAction.FAIL): {"STARTED": "FAILED"},
            (OperationType.WAIT, OperationAction.CANCEL): {"STARTED": "CANCELLED"},
        }
        after = legal_after.get((kind, action), {}).get(before or "")
        stored = self.send(self.update(kind, key, action))
        assert stored == (after is not None and self.execution.is_running)
        if stored and after:
            self.expected[key] = after

    @rule(operation=operations, kind=st.sampled_from(OperationType))
    def change_an_operation_into_another_kind(
        self, operation: tuple[OperationType, str], kind: OperationType
    ) -> None:
        if kind not in (operation[0], OperationType.EXECUTION):
            assert not self.send(self.update(kind, operation[1], OperationAction.START))

    @rule()
    def send_a_batch_with_one_illegal_update(self) -> None:
        legal = self.update(OperationType.STEP, "never-stored", OperationAction.START)
        illegal = self.update(OperationType.STEP, "unknown", OperationAction.SUCCEED)
        assert not self.send(legal, illegal)

    @rule()
    def send_a_stale_token(self) -> None:
        stale = self.execution.token
        assert self.send() == self.execution.is_running
        with pytest.raises(ServiceError, match=r"Invalid checkpoint token|The execution is"):
            self.service.checkpoints.store(self.execution.arn, stale, [])

    # -- the outside world's side -------------------------------------------------------------

    @rule(operation=operations, kind=st.sampled_from(["success", "failure", "heartbeat"]))
    def call_back(self, operation: tuple[OperationType, str], kind: str) -> None:
        stored = self.execution.operations.get(operation[1])
        if stored is None or stored.callback_details is None:
            return
        callback_id = stored.callback_details.callback_id
        is_open = self.execution.is_running and self.expected[operation[1]] == "STARTED"
        if not is_open:
            with pytest.raises(ServiceError, match="CallbackTimeoutException"):
                self.deliver(kind, callback_id)
            return
        self.deliver(kind, callback_id)
        if kind != "heartbeat":
            self.expected[operation[1]] = "SUCCEEDED" if kind == "success" else "FAILED"
            self.answered[operation[1]] += 1
            self.unreported.add(operation[1])

    def deliver(self, kind: str, callback_id: str) -> None:
        match kind:
            case "success":
                self.service.callbacks.succeed(callback_id, b"1")
            case "failure":
                self.service.callbacks.fail(callback_id, ERROR)
            case _:
                self.service.callbacks.heartbeat(callback_id)

    @rule(callback_id=st.sampled_from(["QUJD", "not base64!"]))
    def answer_a_callback_that_does_not_exist(self, callback_id: str) -> None:
        with pytest.raises(ServiceError, match=r"ResourceNotFound|InvalidParameterValue"):
            self.service.callbacks.succeed(callback_id, b"1")

    @rule(seconds=st.sampled_from([1, 59, 60, 119, 121, 601]))
    def let_time_pass(self, seconds: int) -> None:
        end = self.service.clock.now + timedelta(seconds=seconds)
        while self.service.clock.run_next(until=end):
            pass
        self.service.clock.sleep((end - self.service.clock.now).total_seconds())
        for key, operation in self.execution.operations.items():
            if key in self.expected and operation.status.value != self.expected[key]:
                self.assert_caused_by_time(key, operation.status)
                self.expected[key] = operation.status.value
                self.unreported.add(key)

    def assert_caused_by_time(self, key: str, status: OperationStatus) -> None:
        kind = self.execution.operations[key].operation_type
        assert (kind, self.expected[key], status.value) in {
            (OperationType.WAIT, "STARTED", "SUCCEEDED"),
            (OperationType.STEP, "PENDING", "READY"),
            (OperationType.CALLBACK, "STARTED", "TIMED_OUT"),
        }

    @rule(times=st.integers(1, 2))
    def stop_the_execution(self, times: int) -> None:
        if self.started < 8:
            return
        for _ in range(times):
            stopped = self.service.stop(self.execution.arn, None)
        assert stopped.status is OperationStatus.STOPPED

    # -- invariants ---------------------------------------------------------------------------

    @invariant()
    def every_operation_matches_the_model(self) -> None:
        stored = {key: o.status.value for key, o in self.execution.operations.items()}
        del stored[self.execution.invocation_id]
        assert stored == self.expected

    @invariant()
    def no_callback_is_completed_twice(self) -> None:
        ends = Counter(
            event.operation_id
            for event in self.execution.log.events
            if event.type in ("CallbackSucceeded", "CallbackFailed", "CallbackTimedOut")
        )
        assert all(count == 1 for count in ends.values())
        assert all(ends[key] == count for key, count in self.answered.items())

    @invariant()
    def the_history_is_valid(self) -> None:
        operations = dict(self.execution.operations)
        del operations[self.execution.invocation_id]
        assert_valid_history(self.execution.log.events, operations)

    @invariant()
    def an_ended_execution_has_no_timers(self) -> None:
        if not self.execution.is_running:
            assert not self.execution.timers
            assert self.service.clock.is_idle()


TestServiceCore = ServiceMachine.TestCase
TestServiceCore.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def checkpoint(service: DurableService, execution: Execution, *updates: OperationUpdate) -> Any:
    return service.checkpoints.store(execution.arn, execution.token, updates)


def step_update(action: OperationAction, **members: Any) -> OperationUpdate:
    return OperationUpdate("step", OperationType.STEP, action, name="step", **members)


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ([step_update(OperationAction.START, parent_id="nobody")], "Invalid parent"),
        ([step_update(OperationAction.START, sub_type="no spaces")], "subtype"),
        ([replace(step_update(OperationAction.START), name="é")], "printable ASCII"),
        ([replace(step_update(OperationAction.START), name="x" * 257)], "1 to 256"),
        (
            [step_update(OperationAction.START), step_update(OperationAction.RETRY)],
            "NextAttemptDelaySeconds",
        ),
        (
            [
                step_update(OperationAction.START),
                step_update(OperationAction.SUCCEED, payload="x" * (256 * 1024 + 1)),
            ],
            "payload size",
        ),
        (
            [
                step_update(OperationAction.START),
                step_update(OperationAction.SUCCEED, payload="é" * (128 * 1024 + 1)),
            ],
            "payload size",
        ),
        (
            [
                step_update(OperationAction.START),
                step_update(OperationAction.FAIL, error=replace(ERROR, message="x" * 40_000)),
            ],
            "Error object size",
        ),
        (
            [step_update(OperationAction.START), step_update(OperationAction.FAIL, payload="1")],
            "Cannot provide a Payload",
        ),
        (
            [step_update(OperationAction.START), step_update(OperationAction.SUCCEED, error=ERROR)],
            "Cannot provide an Error",
        ),
        (
            [
                OperationUpdate("end", OperationType.EXECUTION, OperationAction.SUCCEED),
                step_update(OperationAction.START),
            ],
            "must be the last",
        ),
        (
            [OperationUpdate("end", OperationType.EXECUTION, OperationAction.RETRY)],
            "Invalid action for EXECUTION",
        ),
        (
            [
                OperationUpdate(
                    "wait",
                    OperationType.WAIT,
                    OperationAction.START,
                    wait_options=WaitOptions(31_622_401),
                )
            ],
            "WaitSeconds",
        ),
    ],
)
def test_an_illegal_update_is_refused_with_a_reason(
    updates: list[OperationUpdate], message: str
) -> None:
    service, function = new_service()
    execution = service.start(function, "{}")
    with pytest.raises(ServiceError, match=message):
        checkpoint(service, execution, *updates)
    assert list(execution.operations) == [execution.invocation_id]


def test_a_repeated_start_is_idempotent() -> None:
    service, function = new_service()
    first = service.start(function, "{}", "name")
    assert service.start(function, "{}", "name") is first
    with pytest.raises(ServiceError, match="DurableExecutionAlreadyStartedException"):
        service.start(function, "[]", "name")


def test_an_update_that_ends_the_execution_returns_no_token() -> None:
    service, function = new_service()
    execution = service.start(function, "{}")
    ending = OperationUpdate(
        "end", OperationType.EXECUTION, OperationAction.SUCCEED, payload='"big"'
    )
    assert checkpoint(service, execution, ending).checkpoint_token is None
    assert (execution.status.value, execution.result) == ("SUCCEEDED", '"big"')
    assert execution.bytes_written == len("{}") + len('"big"')
