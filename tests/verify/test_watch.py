"""The watch sees what a handler does outside every operation, with the line, and nothing else."""

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
from dacapo.verify.experiments import REWOUND
from dacapo.verify.findings import PROVED, SUSPECTED, Code
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


def seen(action: Callable[[], object], *, in_step: bool = False) -> list[tuple[Code, str]]:
    """What is found in a handler that does this, in a step or outside, before a wait."""

    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        if in_step:
            context.step(lambda _: str(action()), name="do it")
        else:
            action()
        context.wait(Duration.from_days(1), name="a day")

    report = verify(Scenario(handler=handler, world=mock_aws), only=[REWOUND])
    assert report.experiments[REWOUND].runs > 2
    return [(f.code, f.certainty) for f in report.findings if f.experiment == REWOUND]


SIGHTS = {
    "time": (time.time, Code.CLOCK_OUTSIDE_STEP),
    "monotonic": (time.monotonic, Code.CLOCK_OUTSIDE_STEP),
    "now": (lambda: datetime.now(UTC), Code.CLOCK_OUTSIDE_STEP),
    "random": (random.random, Code.CHANCE_OUTSIDE_STEP),
    "choice": (lambda: random.choice("ab"), Code.CHANCE_OUTSIDE_STEP),
    "an unseeded generator": (random.Random, Code.CHANCE_OUTSIDE_STEP),
    "uuid4": (uuid.uuid4, Code.CHANCE_OUTSIDE_STEP),
    "urandom": (lambda: os.urandom(4), Code.CHANCE_OUTSIDE_STEP),
    "secrets": (lambda: secrets.token_hex(4), Code.CHANCE_OUTSIDE_STEP),
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


@pytest.mark.parametrize("what", SIGHTS)
def test_a_look_at_clock_chance_or_environment_is_suspected(what: str) -> None:
    action, code = SIGHTS[what]
    assert seen(action) == [(code, SUSPECTED)]


@pytest.mark.parametrize(
    "action", [write_a_file, send_a_message, connect_somewhere, start_a_process]
)
def test_an_effect_that_every_replay_repeats_is_proved(action: Callable[[], object]) -> None:
    found = seen(action)
    assert found
    assert set(found) == {(Code.EFFECT_OUTSIDE_STEP, PROVED)}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_is_the_same_on_every_replay_is_no_finding(what: str) -> None:
    assert seen(HARMLESS[what]) == []


@pytest.mark.parametrize("what", SIGHTS)
def test_in_a_step_all_of_it_is_fine(what: str) -> None:
    action, _ = SIGHTS[what]
    assert seen(action, in_step=True) == []


@durable_execution
def looks_in_a_child(_: Any, context: DurableContext) -> None:
    def child(inner: DurableContext) -> None:
        time.time()
        inner.wait(A_DAY, name="a day")

    context.run_in_child_context(child, name="child")


@durable_execution
def looks_in_a_branch(_: Any, context: DurableContext) -> None:
    def branch(inner: DurableContext, item: int, *_: Any) -> None:
        time.time()
        inner.wait(A_DAY, name=f"a day for {item}")

    context.map([1, 2], branch, name="branches")


@durable_execution
def looks_in_a_submitter(_: Any, context: DurableContext) -> None:
    def ask(*_: Any) -> None:
        time.time()

    config = WaitForCallbackConfig(timeout=A_DAY)
    with suppress(CallbackTimeoutError):
        context.wait_for_callback(ask, name="ask", config=config)


@pytest.mark.parametrize(
    ("handler", "is_seen"),
    [(looks_in_a_child, True), (looks_in_a_branch, True), (looks_in_a_submitter, False)],
)
def test_the_bodies_of_children_and_branches_are_watched_and_a_submitter_is_a_step(
    handler: Any, is_seen: bool
) -> None:
    findings = verify(Scenario(handler=handler), only=[REWOUND]).findings
    assert [f.code for f in findings] == ([Code.CLOCK_OUTSIDE_STEP] if is_seen else [])
    assert all(f.place and f.place.file == __file__ for f in findings)
