"""Every operation of the SDK behaves on the simulated service as it does on Lambda."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dacapo import Recording, Scenario, fail, heartbeats, never, run, succeed
from dacapo.service import quotas
from tests.lab import handlers
from tests.lab.validity import assert_valid

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def record(handler: Any, event: Any = None, **scenario: Any) -> Recording:
    recording = run(Scenario(handler=handler, event=event, **scenario))
    assert_valid(recording)
    return recording


def test_steps_run_in_one_invocation_and_return_their_results() -> None:
    recording = record(handlers.steps, 3)
    assert recording.result == [0, 1, 2]
    assert len(recording.invocations) == 1
    assert recording.virtual_seconds == 0


def test_a_wait_takes_virtual_time_and_another_invocation() -> None:
    recording = record(handlers.waits, 3)
    assert recording.virtual_seconds == 180
    assert len(recording.invocations) == 4


def test_a_step_is_retried_after_its_delay_and_its_attempts_are_counted() -> None:
    recording = record(handlers.retried_step)
    assert recording.result == 3
    assert recording.operation("retried").attempts == 3
    assert recording.virtual_seconds == 60 + 120


def test_a_step_that_exhausts_its_retries_exposes_the_type_of_its_error() -> None:
    recording = record(handlers.failed_step)
    assert recording.result == "ValueError"
    assert recording.operation("failing").status == "FAILED"


def test_a_handler_that_raises_fails_the_execution_with_its_error() -> None:
    recording = record(handlers.failing)
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type, recording.error.message) == ("RuntimeError", "the handler fails")


def test_an_at_most_once_step_runs() -> None:
    assert record(handlers.at_most_once).result == "done"


def test_a_poll_keeps_its_state_from_one_attempt_to_the_next() -> None:
    recording = record(handlers.polled, 3)
    assert recording.result == 3
    assert recording.operation("poll").attempts == 3
    assert len(recording.invocations) == 3


def test_a_poll_runs_out_of_attempts() -> None:
    assert record(handlers.polled, 9).result == -1


def test_a_callback_returns_its_answer() -> None:
    recording = record(handlers.called_back, answers={"callback": succeed({"yes": 1}, after=HOUR)})
    assert recording.result == '{"yes": 1}'
    assert recording.virtual_seconds == 3600


def test_a_callback_without_an_answer_times_out() -> None:
    recording = record(handlers.called_back, answers={"callback": never()})
    assert recording.result == "CallbackTimeoutError: Callback timed out"
    assert recording.virtual_seconds == DAY.total_seconds()


def test_a_failed_callback_raises_the_message_of_the_external_system() -> None:
    recording = record(handlers.waited_for_callback, answers={"approval": fail("no", after=MINUTE)})
    assert recording.result == "CallbackExternalError: no"


def test_heartbeats_keep_a_callback_alive_until_they_stop() -> None:
    beats = heartbeats(every=timedelta(minutes=50), times=3)
    recording = record(handlers.waited_for_callback, answers={"approval": beats})
    assert recording.result == "CallbackTimeoutError: Callback timed out on heartbeat"
    assert recording.virtual_seconds == 150 * 60 + 3600


def test_an_answer_after_heartbeats_is_accepted() -> None:
    answer = heartbeats(every=timedelta(minutes=50), times=3) + succeed("yes", after=3 * HOUR)
    assert record(handlers.waited_for_callback, answers={"approval": answer}).result == '"yes"'


def test_a_second_answer_is_refused_and_changes_nothing() -> None:
    answer = succeed(1, after=MINUTE) + succeed(2, after=2 * MINUTE)
    recording = record(handlers.waited_for_callback, answers={"approval": answer})
    assert recording.result == "1"
    assert [d.refused for d in recording.deliveries] == [None, "CallbackTimeoutException"]


def test_a_late_answer_is_refused() -> None:
    answer = succeed(1, after=2 * DAY)
    recording = record(handlers.called_back, answers={"callback": answer})
    assert recording.result == "CallbackTimeoutError: Callback timed out"
    assert [d.refused for d in recording.deliveries] == ["CallbackTimeoutException"]


def test_callbacks_with_one_name_are_answered_in_creation_order() -> None:
    answers = {"twice": [succeed("first"), succeed("second")]}
    assert record(handlers.two_callbacks, answers=answers).result == ['"first"', '"second"']


def test_a_function_of_the_operation_can_answer_callbacks_with_one_name() -> None:
    answers = {"twice": lambda operation: succeed(operation.name)}
    assert record(handlers.two_callbacks, answers=answers).result == ['"twice"', '"twice"']


def test_an_empty_answer_is_none() -> None:
    assert record(handlers.called_back, answers={"callback": succeed()}).result is None


def test_a_plain_function_is_invoked_with_the_payload_and_returns_its_result() -> None:
    recording = record(handlers.invoking, "plain", functions={"plain": lambda e, c: e["n"] + 1})
    assert recording.result == 2
    assert [call.function for call in recording.calls] == ["plain"]


def test_an_error_of_an_invoked_function_keeps_its_type() -> None:
    def broken(event: Any, context: Any) -> None:
        raise KeyError("n")

    recording = record(handlers.invoking, "broken", functions={"broken": broken})
    assert recording.result == "KeyError: 'n'"


def test_an_unknown_function_fails_the_invoke_within_the_same_invocation() -> None:
    recording = record(handlers.invoking, "nobody")
    assert recording.result.startswith("ResourceNotFoundException: Function not found: nobody")
    assert len(recording.invocations) == 1


def test_a_durable_function_is_invoked_as_its_own_execution() -> None:
    functions = {"child": handlers.waited_for_callback}
    answers = {"approval": succeed("yes", after=MINUTE)}
    recording = record(handlers.invoking, "child:live", functions=functions, answers=answers)
    assert recording.result == '"yes"'
    (child,) = recording.others
    assert (child.function, child.status) == ("child", "SUCCEEDED")
    assert_valid(child)
    started = next(e for e in recording.events if e.type == "ChainedInvokeStarted")
    assert started.details["DurableExecutionArn"] == child.arn


def test_a_failing_durable_function_fails_the_invoke() -> None:
    recording = record(handlers.invoking, "child:live", functions={"child": handlers.failing})
    assert recording.result == "RuntimeError: the handler fails"


def test_child_contexts_nest_and_virtual_ones_record_no_operation() -> None:
    recording = record(handlers.child_contexts)
    assert recording.result == ["inner", "inner"]
    paths = [operation.path for operation in recording.operations]
    assert paths == ["outer", "outer/inner", "outer/inner/inner step", "outer/inner step"]


def test_a_child_result_above_256_kb_is_not_stored_and_the_body_runs_again() -> None:
    recording = record(handlers.big_child)
    assert recording.result == handlers.BIG
    child = recording.operation("big child").stored.context_details
    assert child is not None
    assert child.replay_children
    assert child.result == ""
    assert recording.bytes_written < 1000
    assert len(recording.invocations) == 2


@pytest.mark.parametrize("handler", [handlers.mapped, handlers.mapped_flat])
def test_a_map_returns_its_results_in_the_order_of_its_items(handler: Any) -> None:
    assert record(handler, 7).result == [0, 2, 4, 6, 8, 10, 12]


def test_a_flat_map_saves_one_operation_per_item() -> None:
    nested, flat = record(handlers.mapped, 7), record(handlers.mapped_flat, 7)
    assert nested.charged_operations - flat.charged_operations == 7


def test_a_map_tolerates_failures_up_to_its_limit() -> None:
    recording = record(handlers.mapped_with_failures, 6)
    assert recording.result == {"succeeded": 4, "failed": 2}


def test_a_map_result_above_256_kb_is_reassembled_from_its_items() -> None:
    recording = record(handlers.big_map, 4)
    assert recording.result == 400_000
    assert len(recording.invocations) == 2


def test_parallel_branches_are_recorded_under_their_names() -> None:
    recording = record(handlers.in_parallel)
    assert recording.result == ["a", "b"]
    assert recording.operation("parallel/branch a/a step").status == "SUCCEEDED"


def test_a_block_is_retried_as_a_whole() -> None:
    recording = record(handlers.retried_block)
    assert recording.result == 1
    assert recording.virtual_seconds == 60


def test_waits_and_retries_inside_a_map_take_as_long_as_the_longest() -> None:
    recording = record(handlers.mapped_waits, [5, 1, 3])
    assert recording.result == [5, 1, 3]
    assert recording.virtual_seconds == (5 + 1) * 60


def test_waits_inside_a_flat_map_respect_its_concurrency_limit() -> None:
    recording = record(handlers.mapped_waits_flat, [5, 1, 3])
    assert recording.result == [5, 1, 3]
    assert recording.virtual_seconds == 5 * 60


def test_a_map_can_complete_after_two_items_and_leave_the_others_open() -> None:
    recording = record(handlers.first_two, [50, 1, 30, 2])
    assert recording.result == [1, 2]
    assert recording.virtual_seconds == 120
    open_waits = [o for o in recording.operations_named("wait") if o.status == "STARTED"]
    assert len(open_waits) == 2


def test_an_answer_in_time_wins_a_race() -> None:
    recording = record(handlers.race, answers={"answer": succeed("yes", after=MINUTE)})
    assert recording.result == ['answered "yes"']


def test_a_callback_without_an_answer_loses_a_race() -> None:
    recording = record(handlers.race)
    assert recording.result == ["time is up"]
    assert recording.operation("answer").status == "STARTED"


def test_maps_nest() -> None:
    assert record(handlers.nested_maps, 3).result == [[0, 2, 4]] * 3


@pytest.mark.prove
def test_an_execution_with_more_than_a_thousand_operations_reads_its_state_in_pages() -> None:
    recording = record(handlers.mapped_waits, [1] * 400)
    assert recording.result == [1] * 400
    assert len(recording.operations) == 1 + 4 * 400
    assert recording.invocations[-1].replayed > quotas.PAGE_ITEMS
