"""Threads of a test: each is a part of the outside world, and virtual time waits for it."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig

from dacapo.testing import DurableFunctionTestRunner
from tests.testing import handlers

UNREAL = 5.0
"""Real seconds that these tests stay below, while minutes pass in them."""


def length_of(runner: DurableFunctionTestRunner, arn: str) -> timedelta:
    events = runner.get_execution_history(arn).events
    return events[-1].event_timestamp - events[0].event_timestamp


@pytest.mark.parametrize("daemon", [False, True])
def test_another_thread_answers_while_the_test_waits_for_the_result(daemon: bool) -> None:
    began = time.perf_counter()
    with DurableFunctionTestRunner(handlers.asks) as runner:
        arn = runner.run_async()

        def answer() -> None:
            callback_id = runner.wait_for_callback(arn)
            time.sleep(90)
            runner.send_callback_success(callback_id, b"from a thread")

        threading.Thread(target=answer, daemon=daemon).start()
        result = runner.wait_for_result(arn)
        assert length_of(runner, arn) == timedelta(seconds=90)
    assert json.loads(str(result.result)) == "from a thread"
    assert time.perf_counter() - began < UNREAL


def test_a_thread_that_works_for_real_is_waited_for() -> None:
    go = threading.Event()
    with DurableFunctionTestRunner(handlers.asks_without_bound) as runner:
        arn = runner.run_async()
        callback_id = runner.wait_for_callback(arn)

        def answer() -> None:
            go.wait()  # until the main thread waits, which nobody can see
            sum(range(1_000_000))
            runner.send_callback_success(callback_id, b"computed")

        threading.Thread(target=answer).start()
        go.set()
        assert json.loads(str(runner.wait_for_result(arn).result)) == "computed"


def test_a_thread_without_a_job_is_not_waited_for() -> None:
    began = time.perf_counter()
    with ThreadPoolExecutor(1) as pool, DurableFunctionTestRunner(handlers.asks) as runner:
        pool.submit(int).result()
        late = pool.submit(int)
        late.result()
        arn = runner.run_async()
        assert runner.wait_for_result(arn).error is not None
        assert length_of(runner, arn) == timedelta(days=1)
    assert time.perf_counter() - began < UNREAL


def test_a_whole_run_in_another_thread_is_answered_by_a_test_that_polls() -> None:
    ids: list[str] = []

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        config = WaitForCallbackConfig(timeout=Duration.from_hours(1))
        context.wait(Duration.from_minutes(5), name="prepare")
        return context.wait_for_callback(
            lambda callback_id, _: ids.append(callback_id), name="ask", config=config
        )

    with ThreadPoolExecutor(1) as pool, DurableFunctionTestRunner(handler) as runner:
        future = pool.submit(runner.run)
        while not ids:
            time.sleep(1)
        runner.send_callback_success(ids[0], b"polled")
        assert json.loads(str(future.result().result)) == "polled"


def test_a_handler_can_have_its_callback_answered_by_a_timer() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        def submit(callback_id: str, _: Any) -> None:
            threading.Timer(0.1, runner.send_callback_success, (callback_id, b"timer")).start()

        config = WaitForCallbackConfig(timeout=Duration.from_hours(1))
        return context.wait_for_callback(submit, name="ask", config=config)

    with DurableFunctionTestRunner(handler) as runner:
        assert json.loads(str(runner.run().result)) == "timer"


def test_a_handler_can_answer_its_callback_itself() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        return context.wait_for_callback(
            lambda callback_id, _: runner.send_callback_success(callback_id, b"itself"),
            name="ask",
        )

    with DurableFunctionTestRunner(handler) as runner:
        assert json.loads(str(runner.run().result)) == "itself"


def test_waiting_for_an_event_lets_virtual_time_pass() -> None:
    ready = threading.Event()

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        context.wait(Duration.from_seconds(30), name="prepare")
        context.step(lambda _: ready.set(), name="report")
        return context.create_callback(name="answer").result()

    with DurableFunctionTestRunner(handler) as runner:
        arn = runner.run_async()
        assert not ready.wait(timeout=0.01)
        assert ready.wait(timeout=60), "virtual time did not pass"
        runner.send_callback_success(runner.wait_for_callback(arn), b"ready")
        assert length_of(runner, arn) == timedelta(seconds=30)


def test_threads_of_nobodys_sleep_in_real_time() -> None:
    ended = threading.Event()
    lengths: list[float] = []

    def sleep_for_real() -> None:
        while not ended.is_set():
            began = time.perf_counter()
            time.sleep(0.05)
            lengths.append(time.perf_counter() - began)

    thread = threading.Thread(target=sleep_for_real)
    thread.start()
    with DurableFunctionTestRunner(handlers.asks) as runner:
        runner.run_async()
        while not lengths:
            threading.Event().wait(timeout=0.01)
    ended.set()
    thread.join()
    assert min(lengths) >= 0.05
