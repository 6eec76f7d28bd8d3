"""The service core under random sequences of legal and illegal updates, answers and clock advances.

The machine plays the handler and the outside world against the service, and keeps a model of the
operations that the service accepted, and of the pauses. No handler runs here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from aws_durable_execution_sdk_python.lambda_service import (
    CallbackOptions,
    ChainedInvokeOptions,
    ContextOptions,
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
from dacapo.service import quotas
from dacapo.service.errors import ServiceError
from dacapo.service.execution import Execution, Invocation
from tests.lab.services import ERROR, TIMEOUT, new_service
from tests.lab.validity import assert_valid_history

NAMES = ["a", "b", "c"]


_STEP = OperationUpdate("new", OperationType.STEP, OperationAction.START)
_INVOKE = OperationUpdate("new", OperationType.CHAINED_INVOKE, OperationAction.START)
ILLEGAL = [
    replace(_STEP, operation_id="no spaces"),
    replace(_STEP, operation_id="x" * 65),
    replace(_STEP, step_options=StepOptions(1)),
    replace(_STEP, action=OperationAction.RETRY),
    replace(_STEP, action=OperationAction.SUCCEED, payload="x" * (256 * 1024 + 1)),
    _INVOKE,
    replace(_INVOKE, chained_invoke_options=ChainedInvokeOptions("no spaces")),
    replace(_INVOKE, chained_invoke_options=ChainedInvokeOptions("999999999999:function:plain")),
    replace(_INVOKE, chained_invoke_options=ChainedInvokeOptions("plain", tenant_id="#")),
    OperationUpdate("new", OperationType.WAIT, OperationAction.CANCEL),
]


class ServiceMachine(RuleBasedStateMachine):
    operations = Bundle("operations")

    @initialize()
    def start(self) -> None:
        self.service, function = new_service()
        self.token = ""
        self.pause: str | None = None
        self.interrupted = False
        self.deleted = False
        self.deadline = START + TIMEOUT
        self.paused_at = START
        self.service.invoke = self.invoke
        self.execution = self.service.start(function, "{}")
        self.expected: dict[str, str] = {}
        self.unreported: set[str] = set()
        self.started = 0
        self.answered: Counter[str] = Counter()
        self.service.clock.run_next()

    # -- the handler's side -------------------------------------------------------------------

    def invoke(self, execution: Execution) -> None:
        assert self.pause is None, "an invocation began while the execution was paused"
        execution.wake_up = None
        execution.is_invoked = True
        execution.invocations.append(Invocation("id", self.service.clock.now, 0, 0))
        execution.changed.clear()
        self.token = execution.renew_token()
        self.unreported = set()

    @property
    def can_send(self) -> bool:
        """Return True if the handler holds a token that the service accepts."""
        return self.execution.is_running and self.token != ""

    @rule(is_woken=st.booleans(), is_run=st.booleans())
    def suspend_the_invocation(self, is_woken: bool, is_run: bool) -> None:
        """End the invocation as PENDING, as `Invocations` does; schedule another one, or run it."""
        if not self.execution.is_invoked:
            return
        self.execution.is_invoked, self.token = False, ""
        self.service.pauses.settle(self.execution)
        if self.pause == "PAUSING":
            self.begin_pause()
        if self.execution.owes_invocation or is_woken:
            self.service.wake(self.execution)
        if is_run:
            self.run_what_is_due()

    def run_what_is_due(self) -> None:
        while self.service.clock.run_next(until=self.service.clock.now):
            pass
        self.follow_time()

    def send(self, *updates: OperationUpdate) -> bool:
        """Return whether the service stores a batch; assert that a refused one changes nothing."""
        before = (dict(self.execution.operations), len(self.execution.log.events))
        output, refused = None, ""
        try:
            output = self.service.checkpoints.store(self.execution.arn, self.token, updates)
        except ServiceError as error:
            refused = error.code
        if output is None:
            assert refused == "InvalidParameterValueException"
            assert before == (self.execution.operations, len(self.execution.log.events))
            return False
        if self.pause == "PAUSING":
            assert output.checkpoint_token is None
            self.token, self.interrupted = "", True
            self.begin_pause()
            return True
        assert output.checkpoint_token
        self.token = output.checkpoint_token
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
        can_send = self.can_send
        stored = self.send(self.update(kind, key, OperationAction.START))
        assert stored == can_send
        if stored:
            self.expected[key] = "STARTED"
        return kind, key

    @rule(
        target=operations,
        action=st.sampled_from(
            [OperationAction.SUCCEED, OperationAction.FAIL, OperationAction.RETRY]
        ),
    )
    def end_a_step_that_never_started(self, action: OperationAction) -> tuple[OperationType, str]:
        self.started += 1
        key = f"operation-{self.started}"
        can_send = self.can_send
        stored = self.send(self.update(OperationType.STEP, key, action))
        assert stored == can_send
        if stored:
            self.expected[key] = {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "RETRY": "PENDING"}[
                action.value
            ]
        return OperationType.STEP, key

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
        can_send = self.can_send
        if before is None and can_send:
            return  # its start was refused, so this would be another start
        stored = self.send(self.update(kind, key, action))
        assert stored == (after is not None and can_send)
        if stored and after:
            self.expected[key] = after

    @rule(operation=operations, kind=st.sampled_from(OperationType))
    def change_an_operation_into_another_kind(
        self, operation: tuple[OperationType, str], kind: OperationType
    ) -> None:
        is_known = operation[1] in self.expected
        if is_known and kind not in (operation[0], OperationType.EXECUTION):
            assert not self.send(self.update(kind, operation[1], OperationAction.START))

    @rule(illegal=st.sampled_from(range(len(ILLEGAL))))
    def send_a_batch_with_one_illegal_update(self, illegal: int) -> None:
        legal = self.update(OperationType.STEP, "never-stored", OperationAction.START)
        assert not self.send(legal, ILLEGAL[illegal])

    @rule(kind=st.sampled_from([OperationType.WAIT, OperationType.CALLBACK, OperationType.STEP]))
    def update_an_operation_twice_in_a_batch(self, kind: OperationType) -> None:
        start = self.update(kind, "never-stored", OperationAction.START)
        again = OperationAction.CANCEL if kind is OperationType.WAIT else OperationAction.START
        assert not self.send(start, self.update(kind, "never-stored", again))

    @rule()
    def send_a_stale_token(self) -> None:
        stale, can_send = self.token, self.can_send
        assert self.send() == can_send
        with pytest.raises(ServiceError, match=r"Invalid checkpoint|The execution is|not found"):
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
        self.follow_time()

    def follow_time(self) -> None:
        """Update the model of the operations with what became due."""
        for key, operation in self.execution.operations.items():
            if key in self.expected and operation.status.value != self.expected[key]:
                self.assert_caused_by_time(key, operation.status)
                self.expected[key] = operation.status.value
                if key in self.execution.changed:
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
        if self.deleted:
            with pytest.raises(ServiceError, match="ResourceNotFound"):
                self.service.stop(self.execution.arn, None)
            return
        before = self.execution.status
        for _ in range(times):
            stopped = self.service.stop(self.execution.arn, None)
        expected = OperationStatus.STOPPED if before is OperationStatus.STARTED else before
        assert stopped.status is expected

    @rule(stops_timeout=st.booleans(), token=st.sampled_from([None, "one", "two"]))
    def pause_the_execution(self, stops_timeout: bool, token: str | None) -> None:
        if self.started < 1:
            return
        status, events = self.execution.execution_status, len(self.execution.log.events)
        refused = ""
        try:
            self.service.pauses.pause(
                self.execution.arn, stops_timeout=stops_timeout, client_token=token
            )
        except ServiceError as error:
            refused = error.code
        if refused:
            assert status != "RUNNING"
            assert refused in ("ResourceConflictException", "ResourceNotFoundException")
            return
        if self.execution.pause is None or status != "RUNNING":
            assert token, "only a repeated request is accepted without an effect"
            assert len(self.execution.log.events) == events
            return
        self.pause = "PAUSING"
        if not self.execution.is_invoked:
            self.begin_pause()

    def begin_pause(self) -> None:
        self.pause, self.paused_at = "PAUSED", self.service.clock.now

    @rule(seconds=st.sampled_from([0, 1, 60]))
    def resume_the_execution(self, seconds: int) -> None:
        if self.pause is not None and seconds:
            self.let_time_pass(seconds)
            self.the_status_matches_the_model()
        before, pause = self.pause, self.execution.pause
        if before is None or pause is None:
            with pytest.raises(ServiceError, match=r"ResourceConflict|ResourceNotFound"):
                self.service.pauses.resume(self.execution.arn)
            return
        self.service.pauses.resume(self.execution.arn)
        self.pause = None
        if before == "PAUSED":
            if pause.stops_timeout:
                self.deadline += self.service.clock.now - self.paused_at
            began = self.execution.is_invoked
            self.run_what_is_due()
            if self.interrupted and not began and self.execution.is_running:
                assert self.execution.is_invoked, "resuming owed an invocation"
            self.interrupted = self.interrupted and began

    @rule()
    def delete_the_execution(self) -> None:
        if self.execution.is_running or self.deleted:
            with pytest.raises(ServiceError, match=r"ResourceConflict|ResourceNotFound"):
                self.service.delete(self.execution.arn)
            return
        self.service.delete(self.execution.arn)
        assert self.execution.execution_status == "DELETING"
        self.run_what_is_due()
        self.deleted = True
        with pytest.raises(ServiceError, match="ResourceNotFound"):
            self.service.find(self.execution.arn)

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
    def the_status_matches_the_model(self) -> None:
        if not self.execution.is_running:
            self.pause = None
            assert self.execution.execution_status not in ("RUNNING", "PAUSING", "PAUSED")
            return
        assert self.execution.execution_status == (self.pause or "RUNNING")
        kinds = Counter(event.type for event in self.execution.log.events)
        begun = kinds["ExecutionPaused"] - kinds["ExecutionResumed"]
        assert begun == (self.pause == "PAUSED")

    @invariant()
    def the_execution_times_out_after_the_time_that_it_did_not_spend_paused(self) -> None:
        pause, now = self.execution.pause, self.service.clock.now
        if self.execution.status is OperationStatus.TIMED_OUT:
            assert self.execution.ended == self.deadline
        elif pause and pause.began and pause.stops_timeout:
            assert self.execution.deadline == START + quotas.LONGEST_WAIT
        elif self.execution.is_running:
            assert now < self.deadline == self.execution.deadline

    @invariant()
    def an_ended_execution_has_no_timers(self) -> None:
        if not self.execution.is_running:
            assert not self.execution.timers
            assert self.service.clock.is_idle()


TestServiceMachine = ServiceMachine.TestCase
TestServiceMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
