"""Every operation of the SDK does on the simulated service what it does on Lambda."""

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


def ran(handler: Any, event: Any = None, **scenario: Any) -> Recording:
    recording = run(Scenario(handler=handler, event=event, **scenario))
    assert_valid(recording)
    return recording


def test_steps_run_in_one_invocation_and_give_their_results() -> None:
    recording = ran(handlers.steps, 3)
    assert recording.result == [0, 1, 2]
    assert len(recording.invocations) == 1
    assert recording.virtual_seconds == 0


def test_a_wait_takes_virtual_time_and_an_invocation_of_its_own() -> None:
    recording = ran(handlers.waits, 3)
    assert recording.virtual_seconds == 180
    assert len(recording.invocations) == 4


def test_a_step_is_retried_at_its_time_with_its_attempts_counted() -> None:
    recording = ran(handlers.retried_step)
    assert recording.result == 3
    assert recording.operation("retried").attempts == 3
    assert recording.virtual_seconds == 60 + 120


def test_a_step_that_fails_for_good_surfaces_the_type_of_its_error() -> None:
    recording = ran(handlers.failed_step)
    assert recording.result == "ValueError"
    assert recording.operation("failing").status == "FAILED"


def test_a_handler_that_raises_fails_the_execution_with_its_error() -> None:
    recording = ran(handlers.failing)
    assert recording.status == "FAILED"
    assert recording.error is not None
    assert (recording.error.type, recording.error.message) == ("RuntimeError", "the handler fails")


def test_an_at_most_once_step_runs() -> None:
    assert ran(handlers.at_most_once).result == "done"


def test_a_poll_keeps_its_state_from_one_attempt_to_the_next() -> None:
    recording = ran(handlers.polled, 3)
    assert recording.result == 3
    assert recording.operation("poll").attempts == 3
    assert len(recording.invocations) == 3


def test_a_poll_runs_out_of_attempts() -> None:
    assert ran(handlers.polled, 9).result == -1


def test_a_callback_gives_what_it_was_answered_with() -> None:
    recording = ran(handlers.called_back, answers={"callback": succeed({"yes": 1}, after=HOUR)})
    assert recording.result == '{"yes": 1}'
    assert recording.virtual_seconds == 3600


def test_a_callback_that_nobody_answers_times_out() -> None:
    recording = ran(handlers.called_back, answers={"callback": never()})
    assert recording.result == "CallbackTimeoutError: Callback timed out"
    assert recording.virtual_seconds == DAY.total_seconds()


def test_a_callback_that_fails_raises_the_outsiders_message() -> None:
    recording = ran(handlers.waited_for_callback, answers={"approval": fail("no", after=MINUTE)})
    assert recording.result == "CallbackExternalError: no"


def test_heartbeats_keep_a_callback_alive_until_they_fall_silent() -> None:
    beats = heartbeats(every=timedelta(minutes=50), times=3)
    recording = ran(handlers.waited_for_callback, answers={"approval": beats})
    assert recording.result == "CallbackTimeoutError: Callback timed out on heartbeat"
    assert recording.virtual_seconds == 150 * 60 + 3600


def test_an_answer_after_heartbeats_is_in_time() -> None:
    answer = heartbeats(every=timedelta(minutes=50), times=3) + succeed("yes", after=3 * HOUR)
    assert ran(handlers.waited_for_callback, answers={"approval": answer}).result == '"yes"'


def test_a_second_answer_is_refused_and_changes_nothing() -> None:
    answer = succeed(1, after=MINUTE) + succeed(2, after=2 * MINUTE)
    recording = ran(handlers.waited_for_callback, answers={"approval": answer})
    assert recording.result == "1"
    assert [d.refused for d in recording.deliveries] == [None, "CallbackTimeoutException"]


def test_a_late_answer_is_refused() -> None:
    answer = succeed(1, after=2 * DAY)
    recording = ran(handlers.called_back, answers={"callback": answer})
    assert recording.result == "CallbackTimeoutError: Callback timed out"
    assert [d.refused for d in recording.deliveries] == ["CallbackTimeoutException"]


def test_callbacks_of_one_name_are_answered_in_the_order_in_which_they_were_made() -> None:
    answers = {"twice": [succeed("first"), succeed("second")]}
    assert ran(handlers.two_callbacks, answers=answers).result == ['"first"', '"second"']


def test_callbacks_of_one_name_are_answered_as_a_function_of_the_operation_says() -> None:
    answers = {"twice": lambda operation: succeed(operation.name)}
    assert ran(handlers.two_callbacks, answers=answers).result == ['"twice"', '"twice"']


def test_an_empty_answer_is_none() -> None:
    assert ran(handlers.called_back, answers={"callback": succeed()}).result is None


def test_a_plain_function_is_invoked_with_the_payload_and_gives_its_result() -> None:
    recording = ran(handlers.invoking, "plain", functions={"plain": lambda e, c: e["n"] + 1})
    assert recording.result == 2
    assert [call.function for call in recording.calls] == ["plain"]


def test_an_error_of_an_invoked_function_surfaces_with_its_type() -> None:
    def broken(event: Any, context: Any) -> None:
        raise KeyError("n")

    recording = ran(handlers.invoking, "broken", functions={"broken": broken})
    assert recording.result == "KeyError: 'n'"


def test_a_function_that_does_not_exist_fails_the_invoke_within_the_invocation() -> None:
    recording = ran(handlers.invoking, "nobody")
    assert recording.result.startswith("ResourceNotFoundException: Function not found: nobody")
    assert len(recording.invocations) == 1


def test_a_durable_function_is_invoked_as_an_execution_of_its_own() -> None:
    functions = {"child": handlers.waited_for_callback}
    answers = {"approval": succeed("yes", after=MINUTE)}
    recording = ran(handlers.invoking, "child", functions=functions, answers=answers)
    assert recording.result == '"yes"'
    (child,) = recording.others
    assert (child.function, child.status) == ("child", "SUCCEEDED")
    assert_valid(child)
    started = next(e for e in recording.events if e["EventType"] == "ChainedInvokeStarted")
    assert started["ChainedInvokeStartedDetails"]["DurableExecutionArn"] == child.arn


def test_a_durable_function_that_fails_fails_the_invoke() -> None:
    recording = ran(handlers.invoking, "child", functions={"child": handlers.failing})
    assert recording.result == "RuntimeError: the handler fails"


def test_child_contexts_nest_and_virtual_ones_leave_no_operation() -> None:
    recording = ran(handlers.child_contexts)
    assert recording.result == ["inner", "inner"]
    paths = [operation.path for operation in recording.operations]
    assert paths == ["outer", "outer/inner", "outer/inner/inner step", "outer/inner step"]


def test_a_child_above_256_kb_is_not_stored_and_its_body_runs_again() -> None:
    recording = ran(handlers.big_child)
    assert recording.result == handlers.BIG
    child = recording.operation("big child").stored.context_details
    assert child is not None
    assert child.replay_children
    assert child.result == ""
    assert recording.bytes_written < 1000
    assert len(recording.invocations) == 2


@pytest.mark.parametrize("handler", [handlers.mapped, handlers.mapped_flat])
def test_a_map_gives_its_results_in_the_order_of_its_items(handler: Any) -> None:
    assert ran(handler, 7).result == [0, 2, 4, 6, 8, 10, 12]


def test_a_flat_map_saves_the_operation_of_each_item() -> None:
    nested, flat = ran(handlers.mapped, 7), ran(handlers.mapped_flat, 7)
    assert nested.charged_operations - flat.charged_operations == 7


def test_a_map_tolerates_as_many_failures_as_it_says() -> None:
    recording = ran(handlers.mapped_with_failures, 6)
    assert recording.result == {"succeeded": 4, "failed": 2}


def test_a_map_above_256_kb_is_put_together_again_from_its_items() -> None:
    recording = ran(handlers.big_map, 4)
    assert recording.result == 400_000
    assert len(recording.invocations) == 2


def test_parallel_branches_have_their_names() -> None:
    recording = ran(handlers.in_parallel)
    assert recording.result == ["a", "b"]
    assert recording.operation("parallel/branch a/a step").status == "SUCCEEDED"


def test_a_block_is_retried_as_a_whole() -> None:
    recording = ran(handlers.retried_block)
    assert recording.result == 1
    assert recording.virtual_seconds == 60


def test_waits_and_retries_inside_a_map_take_the_time_of_the_longest() -> None:
    recording = ran(handlers.mapped_waits, [5, 1, 3])
    assert recording.result == [5, 1, 3]
    assert recording.virtual_seconds == (5 + 1) * 60


def test_waits_inside_a_flat_map_keep_to_its_concurrency() -> None:
    recording = ran(handlers.mapped_waits_flat, [5, 1, 3])
    assert recording.result == [5, 1, 3]
    assert recording.virtual_seconds == 5 * 60


def test_a_map_ends_with_its_first_two_and_leaves_the_others_open() -> None:
    recording = ran(handlers.first_two, [50, 1, 30, 2])
    assert recording.result == [1, 2]
    assert recording.virtual_seconds == 120
    open_waits = [o for o in recording.operations_named("wait") if o.status == "STARTED"]
    assert len(open_waits) == 2


def test_a_race_is_won_by_the_answer_that_comes_in_time() -> None:
    recording = ran(handlers.race, answers={"answer": succeed("yes", after=MINUTE)})
    assert recording.result == ['answered "yes"']


def test_a_race_is_lost_by_an_unbounded_callback_that_nobody_answers() -> None:
    recording = ran(handlers.race)
    assert recording.result == ["time is up"]
    assert recording.operation("answer").status == "STARTED"


def test_maps_nest() -> None:
    assert ran(handlers.nested_maps, 3).result == [[0, 2, 4]] * 3


def test_a_map_of_more_than_a_thousand_operations_reads_its_state_in_pages() -> None:
    recording = ran(handlers.mapped_waits, [1] * 400)
    assert recording.result == [1] * 400
    assert len(recording.operations) == 1 + 4 * 400
    assert recording.invocations[-1].replayed > quotas.PAGE_ITEMS
