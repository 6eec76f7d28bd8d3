"""Effects of a handler's own threads belong to the code that started them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.pool import ThreadPool
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from moto import mock_aws

from dacapo import Scenario
from dacapo.verify.findings import Certainty, Code, ExperimentName, Finding
from dacapo.verify.observe.run import observe
from dacapo.verify.verifier import verify
from tests.depth import every

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/queue"
sqs = boto3.client("sqs")
log = logging.getLogger(__name__)


def send(number: object) -> None:
    sqs.send_message(QueueUrl=URL, MessageBody=str(number))


def in_a_pool() -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(send, range(3)))


def in_a_pool_without_a_frame_of_ours() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(sqs.send_message, QueueUrl=URL, MessageBody="1").result()


def in_threads() -> None:
    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_a_thread_of_a_thread() -> None:
    thread = threading.Thread(target=in_threads)
    thread.start()
    thread.join()


def in_to_thread() -> None:
    asyncio.run(asyncio.to_thread(send, 1))


def in_an_executor() -> None:
    async def work() -> None:
        await asyncio.get_running_loop().run_in_executor(None, send, 1)

    asyncio.run(work())


def in_a_thread_pool_of_multiprocessing() -> None:
    with ThreadPool(2) as pool:
        pool.map(send, range(2))


WAYS = [
    *(in_a_pool, in_a_pool_without_a_frame_of_ours, in_threads, in_a_thread_of_a_thread),
    *(in_to_thread, in_an_executor, in_a_thread_pool_of_multiprocessing),
]
EACH_WAY = pytest.mark.parametrize("way", every(9, WAYS), ids=lambda way: way.__name__)


@contextmanager
def queue() -> Iterator[None]:
    with mock_aws():
        sqs.create_queue(QueueName="queue")
        yield


def scenario_of(way: Callable[[], object], *, in_step: bool) -> Scenario:
    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        if in_step:
            context.step(lambda _: way(), name="send")
        else:
            way()
        context.wait(Duration.from_days(1), name="a day")

    return Scenario(handler=handler, world=queue)


def findings(scenario: Scenario, *only: ExperimentName) -> list[Finding]:
    report = verify(scenario, only=only)
    assert all(report.experiments[name].runs for name in only)
    return report.findings


@EACH_WAY
def test_what_threads_of_the_body_do_is_an_effect_outside_every_step(
    way: Callable[[], object],
) -> None:
    for experiment in (ExperimentName.SINGLE_INVOCATION, ExperimentName.REPLAYED):
        (finding,) = findings(scenario_of(way, in_step=False), experiment)
        assert (finding.code, finding.certainty) == (Code.EFFECT_OUTSIDE_STEP, Certainty.PROVED)
        assert finding.place is not None
        assert finding.place.file == __file__


@EACH_WAY
def test_what_threads_of_a_step_do_belongs_to_the_step(way: Callable[[], object]) -> None:
    scenario = scenario_of(way, in_step=True)
    run, other = observe(scenario, 0), observe(scenario, 0)
    assert run.effects
    assert {effect.step for effect in run.effects} == {"send"}
    assert run.effects == other.effects


@EACH_WAY
def test_threads_of_a_step_are_repeated_by_a_crash_without_a_difference(
    way: Callable[[], object],
) -> None:
    reported = findings(scenario_of(way, in_step=True), ExperimentName.CRASHED)
    assert {(f.code, f.certainty) for f in reported} == {(Code.EFFECT_MAY_REPEAT, Certainty.LINT)}


class ToQueue(logging.Handler):
    """A logging handler that sends each record."""

    def emit(self, record: logging.LogRecord) -> None:
        send(record.getMessage())


@pytest.fixture
def logging_to_a_queue() -> Iterator[None]:
    log.addHandler(handler := ToQueue())
    log.setLevel(logging.INFO)
    yield
    log.removeHandler(handler)


@pytest.mark.usefixtures("logging_to_a_queue")
def test_a_logging_handler_that_sends_is_an_effect_of_the_body_that_logs() -> None:
    scenario = scenario_of(lambda: log.info("hello"), in_step=False)
    (finding,) = findings(scenario, ExperimentName.REPLAYED)
    assert (finding.code, finding.certainty) == (Code.EFFECT_OUTSIDE_STEP, Certainty.PROVED)


@pytest.mark.usefixtures("logging_to_a_queue")
def test_a_logging_handler_that_sends_from_a_step_belongs_to_the_step() -> None:
    scenario = scenario_of(lambda: log.info("hello"), in_step=True)
    assert [f.code for f in findings(scenario, ExperimentName.REPLAYED)] == [Code.EFFECT_MAY_REPEAT]


forwarded: list[str] = []


@contextmanager
def forwarding() -> Iterator[None]:
    """Context manager with a queue that sends on each message, as a fake of a rule does."""

    def forward(params: Any, **_: Any) -> None:
        if b"forwarded" not in params["body"]:
            forwarded.append("forwarded")
            send("forwarded")

    with queue():
        sqs.meta.events.register("before-call.sqs.SendMessage", forward)
        yield
        sqs.meta.events.unregister("before-call.sqs.SendMessage", forward)


def test_what_a_world_does_while_it_answers_is_no_effect_of_the_handler() -> None:
    scenario = replace(scenario_of(lambda: send("hello"), in_step=True), world=forwarding)
    run = observe(scenario, 0)
    assert forwarded
    assert run.effects.total() == 1
