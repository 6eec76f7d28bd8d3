"""Pausing, resuming and deleting executions, as the API's model and AWS's guide describe them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Recording, Scenario, ScenarioError, pause, resume, run, succeed
from dacapo.scenario import START
from dacapo.service import quotas
from dacapo.simulation.simulation import Simulation
from tests.lab import handlers
from tests.lab.api import callback_id, client, error_of, running, start_execution
from tests.lab.validity import assert_valid

CONFLICT = ("ResourceConflictException", 409)
NOT_FOUND = ("ResourceNotFoundException", 404)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with running() as simulation:
        yield simulation


def types(recording: Recording) -> list[str]:
    return [event.type for event in recording.events]


def status(arn: str) -> str:
    return str(client.get_durable_execution(DurableExecutionArn=arn)["Status"])


# -- in a scenario ------------------------------------------------------------------------------


def test_a_wait_elapses_while_the_execution_is_paused_and_the_handler_goes_on_when_it_resumes() -> (
    None
):
    events = [pause(after=10 * SECOND, reason="deployment"), resume(after=300 * SECOND)]
    recording = run(Scenario(handler=handlers.waits, event=1, external_events=events))
    assert_valid(recording)
    assert recording.operation("wait 0").length == MINUTE
    assert recording.virtual_seconds == 300
    assert types(recording)[-6:] == [
        "InvocationCompleted",
        "ExecutionPaused",
        "WaitSucceeded",
        "ExecutionResumed",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_the_history_says_when_and_why_the_execution_paused() -> None:
    events = [
        pause(after=10 * SECOND, reason="deployment", execution_timeout_paused=False),
        resume(after=20 * SECOND, reason="deployed"),
    ]
    recording = run(Scenario(handler=handlers.waits, event=1, external_events=events))
    paused, resumed = (
        e for e in recording.events if e.type in ("ExecutionPaused", "ExecutionResumed")
    )
    assert paused.details == {
        "PauseRequestTimestamp": START + 10 * SECOND,
        "Reason": {"Payload": "deployment", "Truncated": False},
        "ExecutionTimeoutPaused": False,
    }
    assert resumed.details == {
        "ResumeRequestTimestamp": START + 20 * SECOND,
        "Reason": {"Payload": "deployed", "Truncated": False},
    }


def test_an_execution_that_waits_for_nothing_new_is_not_invoked_when_it_resumes() -> None:
    events = [pause(after=10 * SECOND), resume(after=20 * SECOND)]
    recording = run(Scenario(handler=handlers.waits, event=1, external_events=events))
    assert recording.virtual_seconds == 60
    assert len(recording.invocations) == 2


def test_an_execution_can_be_paused_before_its_first_invocation() -> None:
    events = [pause(after=timedelta(0)), resume(after=MINUTE)]
    recording = run(Scenario(handler=handlers.steps, event=1, external_events=events))
    assert recording.invocations[0].started == START + MINUTE
    assert recording.result == [0]


def long_step(runs: list[str]) -> Any:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> str:
        def body(_: object) -> str:
            runs.append("long")
            time.sleep(100)
            return "done"

        result: str = context.step(body, name="long step")
        context.step(lambda _: runs.append("after"), name="after")
        return result

    return handler


def test_a_running_invocation_pauses_at_its_next_checkpoint_and_loses_nothing() -> None:
    runs: list[str] = []
    events = [pause(after=50 * SECOND), resume(after=500 * SECOND)]
    recording = run(Scenario(handler=long_step(runs), external_events=events))
    assert_valid(recording)
    assert runs == ["long", "after"]
    assert [i.status for i in recording.invocations] == ["PENDING", "SUCCEEDED"]
    assert recording.invocations[1].started == START + 500 * SECOND
    paused = next(e for e in recording.events if e.type == "ExecutionPaused")
    assert paused.timestamp == START + 100 * SECOND
    assert paused.details["PauseRequestTimestamp"] == START + 50 * SECOND
    assert types(recording).index("StepSucceeded") < types(recording).index("ExecutionPaused")


def test_resuming_before_that_checkpoint_cancels_the_pause() -> None:
    runs: list[str] = []
    events = [pause(after=50 * SECOND), resume(after=60 * SECOND)]
    recording = run(Scenario(handler=long_step(runs), external_events=events))
    assert len(recording.invocations) == 1
    assert not {"ExecutionPaused", "ExecutionResumed"} & set(types(recording))


def test_an_invocation_that_crashes_while_pausing_is_retried_when_the_execution_resumes() -> None:
    calls: list[float] = []

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        calls.append(time.time())
        time.sleep(60)
        if len(calls) == 1:
            raise SystemExit

    events = [pause(after=30 * SECOND), resume(after=500 * SECOND)]
    recording = run(Scenario(handler=handler, external_events=events))
    assert recording.status == "SUCCEEDED"
    assert [at - START.timestamp() for at in calls] == [0, 500]


def test_an_invocation_that_ends_the_execution_while_pausing_ends_it() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> str:
        time.sleep(60)
        return "done"

    recording = run(Scenario(handler=handler, external_events=[pause(after=30 * SECOND)]))
    assert (recording.result, recording.virtual_seconds) == ("done", 60)


def test_a_callback_can_be_answered_and_can_time_out_while_the_execution_is_paused() -> None:
    events = [pause(after=SECOND), resume(after=timedelta(days=2))]
    scenario = Scenario(handler=handlers.waited_for_callback, external_events=events)
    timed_out = run(scenario)
    assert timed_out.operation("approval create callback id").length == timedelta(hours=1)
    answers = {"approval": succeed("yes", after=MINUTE)}
    answered = run(
        Scenario(handler=handlers.waited_for_callback, external_events=events, answers=answers)
    )
    assert answered.result == '"yes"'
    assert answered.operation("approval create callback id").length == MINUTE


def test_the_execution_timeout_is_extended_by_the_time_spent_paused() -> None:
    events = [pause(after=10 * SECOND), resume(after=1_000 * SECOND)]
    scenario = Scenario(
        handler=handlers.waits, event=3, execution_timeout=200 * SECOND, external_events=events
    )
    assert run(scenario).status == "SUCCEEDED"


def test_the_execution_timeout_can_run_on_during_a_pause() -> None:
    events = [pause(after=10 * SECOND, execution_timeout_paused=False)]
    scenario = Scenario(
        handler=handlers.waits, event=3, execution_timeout=200 * SECOND, external_events=events
    )
    recording = run(scenario)
    assert (recording.status, recording.virtual_seconds) == ("TIMED_OUT", 200)


def test_an_execution_with_an_extended_timeout_still_times_out() -> None:
    events = [pause(after=10 * SECOND), resume(after=20 * SECOND)]
    scenario = Scenario(
        handler=handlers.waits, event=9, execution_timeout=90 * SECOND, external_events=events
    )
    recording = run(scenario)
    assert (recording.status, recording.virtual_seconds) == ("TIMED_OUT", 100)


def test_a_pause_that_nothing_ends_is_reported() -> None:
    scenario = Scenario(handler=handlers.waits, event=1, external_events=[pause(after=SECOND)])
    with pytest.raises(ScenarioError, match=r"paused, and nothing resumes it: add resume"):
        run(scenario)


def test_a_pause_after_the_end_is_reported() -> None:
    scenario = Scenario(
        handler=handlers.waits, event=1, external_events=[pause(after=timedelta(hours=1))]
    )
    with pytest.raises(ScenarioError, match="Cannot pause an execution that is SUCCEEDED"):
        run(scenario)


@durable_execution
def fans_out(event: Any, context: DurableContext) -> list[int]:
    def branch(child: DurableContext, item: int, index: int, items: Any) -> int:
        child.wait(Duration.from_minutes(item), name="wait")
        return int(child.step(lambda _: item, name="step"))

    return context.map([1, 2, 3], branch, name="map").get_results()


def test_branches_go_on_after_a_pause() -> None:
    events = [pause(after=90 * SECOND), resume(after=timedelta(minutes=10))]
    recording = run(Scenario(handler=fans_out, external_events=events))
    assert recording.result == [1, 2, 3]
    assert recording.virtual_seconds == 600


# -- through the API ----------------------------------------------------------------------------


def test_a_paused_execution_is_described_as_such(simulation: Simulation) -> None:
    execution = start_execution(simulation)
    arn = execution.arn
    client.pause_durable_execution(DurableExecutionArn=arn, Reason="look at it")
    described = client.get_durable_execution(DurableExecutionArn=arn)
    assert described["Status"] == "PAUSED"
    assert described["PauseDetails"] == {
        "PauseRequestTimestamp": START,
        "Reason": "look at it",
        "ExecutionTimeoutPaused": True,
    }
    assert described["ExpectedExecutionTimeoutTimestamp"] == START + quotas.LONGEST_WAIT
    bare = client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=False)
    assert "Reason" not in bare["PauseDetails"]
    client.resume_durable_execution(DurableExecutionArn=arn)
    described = client.get_durable_execution(DurableExecutionArn=arn)
    assert described["Status"] == "RUNNING"
    assert "PauseDetails" not in described


def test_an_execution_is_pausing_while_its_invocation_runs() -> None:
    seen: list[str] = []

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        assert context.execution_context.durable_execution_arn
        arn = context.execution_context.durable_execution_arn
        client.pause_durable_execution(DurableExecutionArn=arn)
        seen.append(status(arn))
        client.resume_durable_execution(DurableExecutionArn=arn)
        seen.append(status(arn))

    run(Scenario(handler=handler))
    assert seen == ["PAUSING", "RUNNING"]


def test_a_repeated_pause_is_a_conflict_unless_it_has_the_client_token(
    simulation: Simulation,
) -> None:
    arn = start_execution(simulation).arn

    def pause_again(token: str) -> Any:
        return client.pause_durable_execution(DurableExecutionArn=arn, ClientToken=token)

    pause_again("one")
    assert pause_again("one")["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert error_of(lambda: pause_again("two")) == CONFLICT
    simulation.clock.sleep(15 * 60 + 1)
    assert error_of(lambda: pause_again("one")) == CONFLICT


def test_a_repeated_token_does_not_resume_twice(simulation: Simulation) -> None:
    arn = start_execution(simulation).arn
    client.pause_durable_execution(DurableExecutionArn=arn, ClientToken="pause")
    client.resume_durable_execution(DurableExecutionArn=arn, ClientToken="resume")
    client.resume_durable_execution(DurableExecutionArn=arn, ClientToken="resume")
    client.pause_durable_execution(DurableExecutionArn=arn, ClientToken="pause")
    assert status(arn) == "RUNNING", "the token of the first pause still counts"
    assert error_of(lambda: client.resume_durable_execution(DurableExecutionArn=arn)) == CONFLICT


def test_starting_a_paused_execution_again_returns_it_and_leaves_it_paused(
    simulation: Simulation,
) -> None:
    arn = start_execution(simulation, name="once").arn
    client.pause_durable_execution(DurableExecutionArn=arn)
    again = client.invoke(
        FunctionName="approval:live",
        InvocationType="Event",
        Payload=b"null",
        DurableExecutionName="once",
    )
    assert again["DurableExecutionArn"] == arn
    assert status(arn) == "PAUSED"


def test_an_answer_to_a_paused_execution_waits_for_it_to_resume(simulation: Simulation) -> None:
    execution = start_execution(simulation)
    client.pause_durable_execution(DurableExecutionArn=execution.arn)
    client.send_durable_execution_callback_success(CallbackId=callback_id(execution))
    simulation.clock.sleep(60)
    assert len(execution.invocations) == 1
    client.resume_durable_execution(DurableExecutionArn=execution.arn)
    simulation.clock.sleep(0)
    assert status(execution.arn) == "SUCCEEDED"


def test_an_invocation_that_is_due_is_held_back(simulation: Simulation) -> None:
    execution = start_execution(simulation)
    client.send_durable_execution_callback_success(CallbackId=callback_id(execution))
    client.pause_durable_execution(DurableExecutionArn=execution.arn)
    simulation.clock.sleep(60)
    assert len(execution.invocations) == 1
    client.resume_durable_execution(DurableExecutionArn=execution.arn)
    simulation.clock.sleep(0)
    assert len(execution.invocations) == 2


def test_a_paused_execution_can_be_stopped(simulation: Simulation) -> None:
    arn = start_execution(simulation).arn
    client.pause_durable_execution(DurableExecutionArn=arn)
    client.stop_durable_execution(DurableExecutionArn=arn)
    assert status(arn) == "STOPPED"
    assert error_of(lambda: client.resume_durable_execution(DurableExecutionArn=arn)) == CONFLICT
    assert error_of(lambda: client.pause_durable_execution(DurableExecutionArn=arn)) == CONFLICT


@pytest.mark.parametrize("members", [{"Reason": "x" * 1025}, {"ClientToken": "x" * 65}])
def test_a_reason_or_a_token_that_is_too_long_is_refused(
    simulation: Simulation, members: dict[str, str]
) -> None:
    arn = start_execution(simulation).arn

    def ask() -> Any:
        return client.pause_durable_execution(DurableExecutionArn=arn, **members)

    assert error_of(ask) == ("InvalidParameterValueException", 400)
    assert status(arn) == "RUNNING"


def test_an_execution_that_does_not_exist_can_be_neither_paused_nor_deleted(
    simulation: Simulation,
) -> None:
    for call in (
        client.pause_durable_execution,
        client.resume_durable_execution,
        client.delete_durable_execution,
    ):
        assert error_of(lambda call=call: call(DurableExecutionArn="arn:x")) == NOT_FOUND  # type: ignore[misc]


def test_an_ended_execution_can_be_deleted_with_all_that_the_api_shows_of_it(
    simulation: Simulation,
) -> None:
    execution = start_execution(simulation, "steps", 1, name="once")
    arn = execution.arn
    deleted = client.delete_durable_execution(DurableExecutionArn=arn)
    assert deleted["DeletionRequestTimestamp"] == START
    assert status(arn) == "DELETING"
    assert error_of(lambda: client.delete_durable_execution(DurableExecutionArn=arn)) == CONFLICT
    simulation.clock.sleep(0)
    assert error_of(lambda: status(arn)) == NOT_FOUND
    listed = client.list_durable_executions_by_function(FunctionName="steps")
    assert listed["DurableExecutions"] == []
    assert start_execution(simulation, "steps", 1, name="once").arn != arn


def test_an_execution_that_has_not_ended_can_not_be_deleted(simulation: Simulation) -> None:
    arn = start_execution(simulation).arn
    assert error_of(lambda: client.delete_durable_execution(DurableExecutionArn=arn)) == CONFLICT
    client.pause_durable_execution(DurableExecutionArn=arn)
    assert error_of(lambda: client.delete_durable_execution(DurableExecutionArn=arn)) == CONFLICT
