"""The official runner's methods, in virtual time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python.lambda_service import ErrorObject, InvocationStatus
from aws_durable_execution_sdk_python_testing.exceptions import (
    DurableFunctionsTestError,
    InvalidParameterValueException,
    ResourceNotFoundException,
)

from dacapo.errors import DacapoError, NetworkRefused, NeverHappens
from dacapo.testing import DurableChildContextTestRunner, DurableFunctionTestRunner
from tests.testing import handlers

lambda_client = boto3.client("lambda", region_name="us-east-1")
UNREAL = 20.0
"""Real seconds that nothing here may take; each of these tests plays a minute or more."""


@pytest.fixture(autouse=True)
def no_real_time() -> Iterator[None]:
    """Check that virtual time took no real time, and left the process's clock as it was."""
    handlers.BODIES.clear()
    real, began = time.perf_counter(), datetime.now(UTC)
    yield
    assert time.perf_counter() - real < UNREAL
    assert timedelta(0) <= datetime.now(UTC) - began < timedelta(seconds=UNREAL)


def ends_after(history: Any) -> timedelta:
    """Return the length of an execution."""
    length: timedelta = history.events[-1].event_timestamp - history.events[0].event_timestamp
    return length


def test_a_month_passes_and_the_handler_sees_it() -> None:
    today = datetime.now().date()
    with DurableFunctionTestRunner(handlers.waits) as runner:
        result = runner.run()
    assert json.loads(str(result.result)) == str(today + timedelta(days=30))
    assert result.status is InvocationStatus.SUCCEEDED
    assert handlers.BODIES == ["waits"] * 2, "the handler was not replayed"


def test_an_execution_begins_at_the_real_time_also_the_second_one_of_a_runner() -> None:
    with DurableFunctionTestRunner(handlers.waits) as runner:
        for _ in range(2):
            before = datetime.now(UTC)
            arn = runner.run_async()
            runner.wait_for_result(arn)
            started = runner.get_execution_history(arn).events[0].event_timestamp
            assert before <= started <= datetime.now(UTC)


def test_the_answer_to_a_callback_is_the_result() -> None:
    with DurableFunctionTestRunner(handlers.asks) as runner:
        arn = runner.run_async()
        callback_id = runner.wait_for_callback(arn, name="answer")
        runner.send_callback_success(callback_id, b"yes")
        result = runner.wait_for_result(arn)
    assert json.loads(str(result.result)) == "yes"
    assert result.get_callback("answer").callback_id == callback_id
    assert handlers.BODIES == ["asks"] * 2, "the handler was not replayed"


def test_waiting_for_a_callback_lets_time_go_on_until_there_is_one() -> None:
    with DurableFunctionTestRunner(handlers.asks_twice) as runner:
        arn = runner.run_async()
        runner.send_callback_success(runner.wait_for_callback(arn), b"a")
        second = runner.wait_for_callback(arn, name="second")
        passed = ends_after(runner.get_execution_history(arn))
        runner.send_callback_success(second, b"b")
        assert json.loads(str(runner.wait_for_result(arn).result)) == ["a", "b"]
    assert passed == timedelta(days=3)


def test_of_callbacks_with_one_name_the_first_that_is_open_is_returned() -> None:
    with DurableFunctionTestRunner(handlers.asks_in_branches) as runner:
        arn = runner.run_async()
        latest = runner.wait_for_callback(arn)
        first = runner.wait_for_callback(arn, name="answer")
        assert first != latest
        runner.send_callback_success(first, b"1")
        second = runner.wait_for_callback(arn, name="answer")
        assert second == latest
        runner.send_callback_success(second, b"2")
        assert json.loads(str(runner.wait_for_result(arn).result)) == ["1", "2"]


def test_a_timeout_is_played_at_once() -> None:
    with DurableFunctionTestRunner(handlers.asks) as runner:
        arn = runner.run_async()
        result = runner.wait_for_result(arn)
        assert ends_after(runner.get_execution_history(arn)) == timedelta(days=1)
    assert result.error is not None
    assert "timed out" in str(result.error.message)


def test_sleeping_in_the_test_lets_as_much_virtual_time_pass() -> None:
    with DurableFunctionTestRunner(handlers.asks) as runner:
        arn = runner.run_async()
        callback_id = runner.wait_for_callback(arn)
        before = datetime.now(UTC)
        time.sleep(7)
        assert datetime.now(UTC) - before == timedelta(seconds=7)
        runner.send_callback_success(callback_id, b"yes")
        runner.wait_for_result(arn)
        assert ends_after(runner.get_execution_history(arn)) == timedelta(seconds=7)


def test_heartbeats_keep_a_callback_open_and_silence_ends_it() -> None:
    with DurableFunctionTestRunner(handlers.needs_heartbeats) as runner:
        arn = runner.run_async()
        callback_id = runner.wait_for_callback(arn)
        for _ in range(3):
            time.sleep(50)
            runner.send_callback_heartbeat(callback_id)
        result = runner.wait_for_result(arn)
        assert ends_after(runner.get_execution_history(arn)) == timedelta(seconds=3 * 50 + 60)
    assert "heartbeat" in str(result.error)


def test_a_callback_that_nobody_answers_and_nothing_bounds_is_an_error_that_names_it() -> None:
    with DurableFunctionTestRunner(handlers.asks_without_bound) as runner:
        arn = runner.run_async()
        callback_id = runner.wait_for_callback(arn)
        with pytest.raises(TimeoutError, match="nobody answers callback 'answer'") as error:
            runner.wait_for_result(arn)
        assert isinstance(error.value, NeverHappens)
        assert callback_id not in str(error.value)
        # It can still be answered.
        runner.send_callback_success(callback_id, b"yes")
        assert json.loads(str(runner.wait_for_result(arn).result)) == "yes"


def test_an_execution_timeout_ends_what_waits_for_nothing_else() -> None:
    with DurableFunctionTestRunner(handlers.asks_without_bound) as runner:
        result = runner.wait_for_result(runner.run_async(execution_timeout=5), timeout=60)
    assert result.execution_status is not None
    assert result.execution_status.value == "TIMED_OUT"
    assert result.status is InvocationStatus.FAILED


def test_an_execution_timeout_bounds_virtual_time_only_if_time_is_not_skipped() -> None:
    for skip_time, status in ((True, "SUCCEEDED"), (False, "TIMED_OUT")):
        with DurableFunctionTestRunner(handlers.waits, skip_time=skip_time) as runner:
            result = runner.run(execution_timeout=60)
        assert result.execution_status is not None
        assert result.execution_status.value == status


def test_an_invocation_that_takes_longer_than_its_timeout_fails() -> None:
    with DurableFunctionTestRunner(handlers.works, invocation_timeout=3600) as runner:
        assert runner.run().status is InvocationStatus.FAILED
    with DurableFunctionTestRunner(handlers.works, invocation_timeout=7201) as runner:
        assert runner.run().status is InvocationStatus.SUCCEEDED


def test_a_failed_callback_fails_the_handler_with_its_error() -> None:
    with DurableFunctionTestRunner(handlers.asks) as runner:
        arn = runner.run_async()
        error = ErrorObject("no", "Refusal", None, None)
        runner.send_callback_failure(runner.wait_for_callback(arn), error)
        result = runner.wait_for_result(arn)
    assert result.error is not None
    assert result.error.message == "no"


def test_what_the_service_refuses_raises_the_official_errors_without_the_id() -> None:
    with DurableFunctionTestRunner(handlers.asks) as runner:
        arn = runner.run_async()
        callback_id = runner.wait_for_callback(arn)
        runner.send_callback_success(callback_id)
        with pytest.raises(ResourceNotFoundException) as error:
            runner.send_callback_success(callback_id)
        assert callback_id not in str(error.value)
        with pytest.raises(InvalidParameterValueException):
            runner.send_callback_heartbeat("")
        with pytest.raises(ResourceNotFoundException, match="must be bytes"):
            runner.send_callback_success(callback_id, "text")  # type: ignore[arg-type]
        with pytest.raises(DurableFunctionsTestError, match="already completed"):
            runner.wait_for_callback(arn, name="answer")
        with pytest.raises(TimeoutError, match="ended as SUCCEEDED"):
            runner.wait_for_callback(arn)
        for call in (runner.wait_for_result, runner.get_execution_history, runner.pause_execution):
            with pytest.raises(ResourceNotFoundException):
                call("no such ARN")
        with pytest.raises(InvalidParameterValueException):
            runner.get_execution_history(" ")


def test_a_paused_execution_goes_on_when_it_is_resumed() -> None:
    with DurableFunctionTestRunner(handlers.waits) as runner:
        arn = runner.run_async()
        runner.pause_execution(arn)
        runner.pause_execution(arn)  # changes nothing
        time.sleep(timedelta(days=40).total_seconds())
        with pytest.raises(TimeoutError, match="paused"):
            runner.wait_for_result(arn)
        assert handlers.BODIES == ["waits"], "an invocation began while it was paused"
        runner.resume_execution(arn)
        runner.resume_execution(arn)  # changes nothing
        runner.wait_for_result(arn)
        assert ends_after(runner.get_execution_history(arn)) == timedelta(days=40)
        with pytest.raises(ValueError, match="positive"):
            runner.pause_execution(arn, timeout=0)


def test_a_handler_invokes_durable_functions_and_plain_ones_without_a_qualifier() -> None:
    with DurableFunctionTestRunner(handlers.invokes) as runner:
        runner.register_durable_function("other", handlers.doubles)
        assert json.loads(str(runner.run("21").result)) == 42
    with DurableFunctionTestRunner(handlers.invokes) as runner:
        runner.register_function("other:live", lambda event, _: [event])
        assert runner.run("21").status is InvocationStatus.FAILED
        runner.register_function("other", lambda event, _: [event])
        assert json.loads(str(runner.run("21").result)) == [21]


def test_the_history_of_an_invoked_execution_can_be_read() -> None:
    with DurableFunctionTestRunner(handlers.invokes) as runner:
        runner.register_durable_function("other", handlers.doubles)
        arn = runner.run_async("21")
        runner.wait_for_result(arn)
        events: Any = runner.get_execution_history(arn, include_execution_data=True).events
        (started,) = [one for one in events if one.chained_invoke_started_details]
        child = str(started.chained_invoke_started_details.durable_execution_arn)
        assert runner.get_execution_history(child).events[-1].event_type == "ExecutionSucceeded"


def test_region_account_version_and_arns_are_those_of_the_official_runner() -> None:
    with DurableFunctionTestRunner(handlers.describes, region="eu-west-1") as runner:
        result = runner.run("words", function_name="f", account_id="111122223333", tenant_id="t")
        others = {json.loads(str(runner.run('{"a": 1}').result))["arn"] for _ in range(2)}
    described = json.loads(str(result.result))
    assert described["event"] == "words"
    assert described["function"] == "arn:aws:lambda:eu-west-1:111122223333:function:f"
    assert (described["version"], described["tenant"]) == ("$LATEST", "t")
    assert described["arn"].endswith("/inv-12345678-1234-1234-1234-123456789012")
    assert len({described["arn"], *others}) == 3, "executions of one name were taken for one"


def test_a_durable_block_is_tested_alone() -> None:
    with DurableChildContextTestRunner(handlers.greets, "you", after=3) as runner:
        result = runner.run()
    assert json.loads(str(result.result)) == "hello you"
    assert result.get_wait("wait").status.value == "SUCCEEDED"


def test_boto3_reaches_the_run_between_two_calls() -> None:
    with DurableFunctionTestRunner(handlers.asks) as runner:
        arn = runner.run_async()
        callback_id = runner.wait_for_callback(arn)
        lambda_client.send_durable_execution_callback_success(
            CallbackId=callback_id, Result=b"by boto3"
        )
        assert json.loads(str(runner.wait_for_result(arn).result)) == "by boto3"


def test_two_runners_take_turns() -> None:
    with (
        DurableFunctionTestRunner(handlers.asks) as one,
        DurableFunctionTestRunner(handlers.asks) as other,
    ):
        started = [(runner, runner.run_async()) for runner in (one, other)]
        ids = [runner.wait_for_callback(arn) for runner, arn in started]
        assert len(set(ids)) == 2
        for (runner, arn), callback_id in zip(started, ids, strict=True):
            runner.send_callback_success(callback_id, callback_id.encode())
            assert json.loads(str(runner.wait_for_result(arn).result)) == callback_id


def test_an_execution_still_waits_after_one_of_another_runner_has_ended() -> None:
    with DurableFunctionTestRunner(handlers.asks) as one:
        arn = one.run_async()
        with DurableFunctionTestRunner(handlers.waits) as other:
            other.run()
        time.sleep(3600)
        one.send_callback_success(one.wait_for_callback(arn), b"after an hour")
        one.wait_for_result(arn)
        assert ends_after(one.get_execution_history(arn)) == timedelta(hours=1)


def test_a_handler_that_reaches_for_the_network_is_refused_and_ends_the_run() -> None:
    with DurableFunctionTestRunner(handlers.calls_home) as runner:
        with pytest.raises(NetworkRefused, match=r"handlers\.py"):
            runner.run()
        with pytest.raises(DacapoError, match="an error has ended its run"):
            runner.run()
    with DurableFunctionTestRunner(handlers.waits) as runner:
        assert runner.run().status is InvocationStatus.SUCCEEDED


def test_a_closed_runner_still_has_its_results_and_starts_nothing() -> None:
    with DurableFunctionTestRunner(handlers.waits) as runner:
        arn = runner.run_async()
        runner.wait_for_result(arn)
    assert runner.wait_for_result(arn).status is InvocationStatus.SUCCEEDED
    with pytest.raises(DacapoError, match="closed"):
        runner.run()


def test_the_older_name_of_the_execution_timeout_warns() -> None:
    with (
        DurableFunctionTestRunner(handlers.waits) as runner,
        pytest.warns(DeprecationWarning, match="execution_timeout"),
    ):
        assert runner.run(timeout=5).status is InvocationStatus.SUCCEEDED
