"""Every source of nondeterminism is seen with the line that reads it, and proved if it matters.

Each handler reads one source in its body, in the line after `# here`, and lets it choose an
operation. The replay in which only that source differs proves it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import glob
import os
import platform
import queue
import random
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager, nullcontext
from datetime import datetime
from inspect import getsourcelines
from multiprocessing.pool import ThreadPool
from os import listdir
from pathlib import Path
from typing import Any

import boto3
import pydantic
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from moto import mock_aws

from dacapo import Scenario
from dacapo.verify.findings import Certainty, Code, ExperimentName, Finding
from dacapo.verify.verifier import verify
from tests.depth import every

A_DAY = Duration.from_days(1)
HERE = Path(__file__).parent
s3 = boto3.client("s3")
Body = Callable[[DurableContext], object]


@dataclasses.dataclass
class Order:
    at: datetime = dataclasses.field(default_factory=datetime.now)


class Invoice(pydantic.BaseModel):
    at: datetime = pydantic.Field(default_factory=datetime.now)


class Basket(pydantic.BaseModel):
    invoice: Invoice


class Line(pydantic.BaseModel):
    number: uuid.UUID = pydantic.Field(default_factory=uuid.uuid4)


class Named:
    """Its hash is its address."""


def remaining_time(context: DurableContext) -> object:
    lambda_context: Any = context.lambda_context
    # here
    return lambda_context.get_remaining_time_in_millis() > 60_000


def request_id(context: DurableContext) -> object:
    lambda_context: Any = context.lambda_context
    # here
    return lambda_context.aws_request_id


def log_stream(context: DurableContext) -> object:
    lambda_context: Any = context.lambda_context
    # here
    return lambda_context.log_stream_name


def log_stream_variable(_: DurableContext) -> object:
    # here
    return os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")


def trace_id(_: DurableContext) -> object:
    # here
    return os.getenv("_X_AMZN_TRACE_ID")


def process_id(_: DurableContext) -> object:
    # here
    return os.getpid()


def host(_: DurableContext) -> object:
    # here
    return socket.gethostname()


def node(_: DurableContext) -> object:
    # here
    return platform.node()


def monotonic_clock(_: DurableContext) -> object:
    # here
    return int(time.monotonic())


def dataclass_clock(_: DurableContext) -> object:
    # here
    return Order().at.month


def pydantic_clock(_: DurableContext) -> object:
    # here
    return Invoice().at.month


def nested_clock(_: DurableContext) -> object:
    # here
    return Basket.model_validate({"invoice": {}}).invoice.at.month


def pydantic_uuid(_: DurableContext) -> object:
    # here
    return Line().number


def generator_of_its_own(_: DurableContext) -> object:
    # here
    return random.Random().random()


def temporary_name(_: DurableContext) -> object:
    # here
    return tempfile.mktemp()


def first_file(_: DurableContext) -> object:
    # here
    return os.listdir(HERE)[0]  # noqa: PTH208 - under test


def first_file_by_name(_: DurableContext) -> object:
    # here
    return listdir(HERE)[0]  # noqa: PTH208 - under test


def first_entry(_: DurableContext) -> object:
    # here
    with os.scandir(HERE) as entries:
        return next(entries).name


def first_match(_: DurableContext) -> object:
    # here
    return Path(glob.glob(f"{HERE}/*.py")[0]).name  # noqa: PTH207 - under test


def first_path(_: DurableContext) -> object:
    # here
    return next(HERE.iterdir()).name


def first_address(_: DurableContext) -> object:
    one, other = Named(), Named()
    # here
    return id(one) < id(other)


def sorted_by_address(_: DurableContext) -> object:
    pair = {"one": [1], "other": [2]}
    # here
    return sorted(pair.values(), key=id)[0]


def hash_of_text(_: DurableContext) -> object:
    # here
    return hash("customer") % 10


def first_thread(_: DurableContext) -> object:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(str, number) for number in range(2)]
        # here
        return next(as_completed(futures)).result()


def first_waited_thread(_: DurableContext) -> object:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(str, number) for number in range(2)]
        # here
        done = wait(futures, return_when=FIRST_COMPLETED).done
        return min(future.result() for future in done)


def first_in_a_queue(_: DurableContext) -> object:
    numbers: queue.Queue[int] = queue.Queue()
    threads = [threading.Thread(target=numbers.put, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # here
    return numbers.get()


def first_in_a_list(_: DurableContext) -> object:
    numbers: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        # here
        list(pool.map(numbers.append, range(3)))
    return numbers[0]


def first_of_a_pool(_: DurableContext) -> object:
    with ThreadPool(2) as pool:
        # here
        return next(pool.imap_unordered(str, range(2)))


async def number_of(task: int) -> int:
    await asyncio.sleep(0)
    return task


def first_task(_: DurableContext) -> object:
    async def first() -> int:
        # here
        for done in asyncio.as_completed([number_of(1), number_of(2)]):
            return await done
        return 0

    return asyncio.run(first())


def first_waited_task(_: DurableContext) -> object:
    async def first() -> int:
        tasks = [asyncio.ensure_future(number_of(number)) for number in (1, 2)]
        # here
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return min(task.result() for task in done)

    return asyncio.run(first())


def clock_in_a_coroutine(_: DurableContext) -> object:
    async def month() -> int:
        await asyncio.sleep(0)
        # here
        return datetime.now().month

    return asyncio.run(month())


def clock_in_a_thread(_: DurableContext) -> object:
    with ThreadPoolExecutor(1) as pool:
        # here
        return pool.submit(lambda: datetime.now().month).result()


def object_in_a_bucket(_: DurableContext) -> object:
    # here
    return s3.list_objects_v2(Bucket="orders")["KeyCount"]


KINDS: dict[Body, Code] = {
    **dict.fromkeys(
        (
            *(remaining_time, request_id, log_stream, log_stream_variable, trace_id),
            *(process_id, host, node),
        ),
        Code.CONTEXT_OUTSIDE_STEP,
    ),
    **dict.fromkeys(
        (
            *(dataclass_clock, pydantic_clock, nested_clock),
            *(clock_in_a_coroutine, clock_in_a_thread, monotonic_clock),
        ),
        Code.CLOCK_OUTSIDE_STEP,
    ),
    **dict.fromkeys(
        (pydantic_uuid, generator_of_its_own, temporary_name), Code.RANDOMNESS_OUTSIDE_STEP
    ),
    **dict.fromkeys(
        (
            *(first_file, first_file_by_name, first_entry, first_match, first_path),
            *(first_address, sorted_by_address, hash_of_text),
            *(first_thread, first_waited_thread, first_task, first_waited_task),
            *(first_in_a_queue, first_in_a_list, first_of_a_pool),
        ),
        Code.ORDER_OUTSIDE_STEP,
    ),
    object_in_a_bucket: Code.QUERY_OUTSIDE_STEP,
}


@contextmanager
def bucket() -> Iterator[None]:
    with mock_aws():
        s3.create_bucket(Bucket="orders")
        yield


def put_an_order(number: object) -> None:
    s3.put_object(Bucket="orders", Key=str(number), Body=b"1")


def findings_of(body: Body, *, matters: bool = True, in_step: bool = False) -> list[Finding]:
    """Verify a handler that reads something in its body, and lets it choose an operation."""

    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        def read(_: object) -> str:
            return str(body(context))

        seen = context.step(read, name="read") if in_step else body(context)
        name = f"see {seen}" if matters else "see"
        world = body is object_in_a_bucket
        context.step(lambda _: put_an_order(seen) if world else None, name=name)
        context.wait(A_DAY, name="a day")

    world = bucket if body is object_in_a_bucket else nullcontext
    report = verify(Scenario(handler=handler, world=world), only=[ExperimentName.REPLAYED])
    assert report.experiments[ExperimentName.REPLAYED].runs > 2
    return [f for f in report.findings if f.experiment == ExperimentName.REPLAYED]


def line_after_here(body: Body) -> int:
    lines, first = getsourcelines(body)
    return next(first + n + 1 for n, line in enumerate(lines) if line.strip() == "# here")


@pytest.mark.parametrize("body", every(27, KINDS), ids=lambda body: body.__name__)
def test_a_source_that_chooses_an_operation_is_proved_at_its_line(body: Body) -> None:
    first, *_ = findings_of(body)
    assert (first.code, first.certainty) == (KINDS[body], Certainty.PROVED)
    assert first.place is not None
    assert (first.place.file, first.place.line) == (__file__, line_after_here(body))


@pytest.mark.parametrize("body", every(27, KINDS), ids=lambda body: body.__name__)
def test_a_source_that_chooses_nothing_is_suspected_at_most(body: Body) -> None:
    findings = findings_of(body, matters=False)
    assert {(f.code, f.certainty) for f in findings} <= {(KINDS[body], Certainty.SUSPECTED)}


@pytest.mark.parametrize("body", every(27, KINDS), ids=lambda body: body.__name__)
def test_a_source_that_is_read_in_a_step_is_no_finding(body: Body) -> None:
    assert findings_of(body, in_step=True) == []


def sorted_files(_: DurableContext) -> object:
    return sorted(HERE.iterdir())[0].name


def number_of_files(_: DurableContext) -> object:
    return len(os.listdir(HERE))  # noqa: PTH208 - under test


def pool_in_order(_: DurableContext) -> object:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(str, range(3)))


def sum_of_results(_: DurableContext) -> object:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(int, number) for number in range(3)]
        return sum(future.result() for future in as_completed(futures))


def gathered_tasks(_: DurableContext) -> object:
    async def gather() -> list[int]:
        return list(await asyncio.gather(number_of(1), number_of(2)))

    return asyncio.run(gather())


def group_name(context: DurableContext) -> object:
    lambda_context: Any = context.lambda_context
    return lambda_context.log_group_name, lambda_context.function_name


@pytest.mark.parametrize(
    "body",
    [
        *(sorted_files, number_of_files, pool_in_order),
        *(sum_of_results, gathered_tasks, group_name),
    ],
)
def test_what_is_the_same_in_every_invocation_is_no_finding(body: Body) -> None:
    assert findings_of(body) == []
