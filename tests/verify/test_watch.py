"""The verifier reports reads and side effects outside every operation, with the line of each."""

from __future__ import annotations

import logging
import os
import random
import secrets
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import (
    CallbackTimeoutError,
    DurableContext,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from moto import mock_aws

from dacapo import Scenario
from dacapo.verify.findings import Certainty, Code, ExperimentName
from dacapo.verify.verifier import verify

A_DAY = Duration.from_days(1)
sqs = boto3.client("sqs")


def write_a_file() -> None:
    with Path(os.devnull).open("w") as file:
        file.write("x")


def send_a_message() -> None:
    sqs.send_message(QueueUrl=sqs.create_queue(QueueName="queue")["QueueUrl"], MessageBody="x")


def connect_somewhere() -> None:
    with socket.socket() as connection, suppress(OSError):
        connection.connect(("127.0.0.1", 1))


def start_a_process() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def codes_of(action: Callable[[], object], *, in_step: bool = False) -> list[tuple[Code, str]]:
    """Verify a handler that does this before a wait, in a step or in the body."""

    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        if in_step:
            context.step(lambda _: str(action()), name="do it")
        else:
            action()
        context.wait(Duration.from_days(1), name="a day")

    report = verify(Scenario(handler=handler, world=mock_aws), only=[ExperimentName.REPLAYED])
    assert report.experiments[ExperimentName.REPLAYED].runs > 2
    return [
        (f.code, f.certainty) for f in report.findings if f.experiment == ExperimentName.REPLAYED
    ]


READS = {
    "time": (time.time, Code.CLOCK_OUTSIDE_STEP),
    "monotonic": (time.monotonic, Code.CLOCK_OUTSIDE_STEP),
    "now": (lambda: datetime.now(UTC), Code.CLOCK_OUTSIDE_STEP),
    "random": (random.random, Code.RANDOMNESS_OUTSIDE_STEP),
    "choice": (lambda: random.choice("ab"), Code.RANDOMNESS_OUTSIDE_STEP),
    "an unseeded generator": (random.Random, Code.RANDOMNESS_OUTSIDE_STEP),
    "uuid4": (uuid.uuid4, Code.RANDOMNESS_OUTSIDE_STEP),
    "urandom": (lambda: os.urandom(4), Code.RANDOMNESS_OUTSIDE_STEP),
    "secrets": (lambda: secrets.token_hex(4), Code.RANDOMNESS_OUTSIDE_STEP),
    "environ": (lambda: os.environ["PATH"], Code.ENVIRONMENT_OUTSIDE_STEP),
    "getenv": (lambda: os.getenv("PATH"), Code.ENVIRONMENT_OUTSIDE_STEP),
}
HARMLESS: dict[str, Callable[[], object]] = {
    "a seeded generator": lambda: random.Random(3).random(),
    "uuid5": lambda: uuid.uuid5(uuid.NAMESPACE_DNS, "x"),
    "a log record": lambda: logging.getLogger("test").info("x"),
    "a fixed date": lambda: datetime(2026, 1, 1, tzinfo=UTC),
    "reading a file": lambda: Path(__file__).read_text(),
    "a sorted set": lambda: sorted({"b", "a"}),
}


@pytest.mark.parametrize("name", READS)
def test_a_read_of_clock_randomness_or_environment_is_suspected(name: str) -> None:
    action, code = READS[name]
    assert codes_of(action) == [(code, Certainty.SUSPECTED)]


@pytest.mark.parametrize(
    "action", [write_a_file, send_a_message, connect_somewhere, start_a_process]
)
def test_a_side_effect_in_the_body_is_proved(action: Callable[[], object]) -> None:
    codes = codes_of(action)
    assert codes
    assert set(codes) == {(Code.EFFECT_OUTSIDE_STEP, Certainty.PROVED)}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_deterministic_action_is_not_reported(name: str) -> None:
    assert codes_of(HARMLESS[name]) == []


@pytest.mark.parametrize("name", READS)
def test_a_read_in_a_step_is_not_reported(name: str) -> None:
    action, _ = READS[name]
    assert codes_of(action, in_step=True) == []


@durable_execution
def reads_in_a_child(_: Any, context: DurableContext) -> None:
    def child(inner: DurableContext) -> None:
        time.time()
        inner.wait(A_DAY, name="a day")

    context.run_in_child_context(child, name="child")


@durable_execution
def reads_in_a_branch(_: Any, context: DurableContext) -> None:
    def branch(inner: DurableContext, item: int, *_: Any) -> None:
        time.time()
        inner.wait(A_DAY, name=f"a day for {item}")

    context.map([1, 2], branch, name="branches")


@durable_execution
def reads_in_a_submitter(_: Any, context: DurableContext) -> None:
    def ask(*_: Any) -> None:
        time.time()

    config = WaitForCallbackConfig(timeout=A_DAY)
    with suppress(CallbackTimeoutError):
        context.wait_for_callback(ask, name="ask", config=config)


@pytest.mark.parametrize(
    ("handler", "is_reported"),
    [(reads_in_a_child, True), (reads_in_a_branch, True), (reads_in_a_submitter, False)],
)
def test_bodies_of_children_and_branches_are_watched_and_a_submitter_counts_as_a_step(
    handler: Any, is_reported: bool
) -> None:
    findings = verify(Scenario(handler=handler), only=[ExperimentName.REPLAYED]).findings
    assert [f.code for f in findings] == ([Code.CLOCK_OUTSIDE_STEP] if is_reported else [])
    assert all(f.place and f.place.file == __file__ for f in findings)
