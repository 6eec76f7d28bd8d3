"""Correct handlers that touch their process, its caches, its neighbors and its logs."""

from __future__ import annotations

import json
import logging
import os
import random
import socket
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from unittest.mock import patch

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import StepConfig
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy

from dacapo import Scenario
from tests.verify.corpus.aws import parameters
from tests.verify.corpus.case import DAY, HOUR, MINUTE, correct
from tests.verify.corpus.disk import tidied

logger = logging.getLogger(__name__)


def echo(value: Any, _: StepContext) -> Any:
    return value


# -- a loopback extension --------------------------------------------------------------------------


class Extension(BaseHTTPRequestHandler):
    """Serves secrets, as the Parameters and Secrets extension does on localhost."""

    def do_GET(self) -> None:
        body = json.dumps({"SecretString": f"secret of {self.path[1:]}"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def extension() -> Iterator[HTTPServer]:
    """Context manager that starts the extension on a free port of this machine."""
    server = HTTPServer(("127.0.0.1", 0), Extension)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with patch.dict(os.environ, EXTENSION_PORT=str(server.server_port)):
            yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def secret(name: str) -> str:
    """Read a secret from the extension."""
    url = f"http://127.0.0.1:{os.environ['EXTENSION_PORT']}/{name}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(json.load(answer)["SecretString"])


@durable_execution
def login_with_secret(event: str, context: DurableContext) -> Any:
    """Read a secret from the loopback extension in the body, and use it in steps."""
    key = secret(event)
    context.step(lambda _: len(key), name="log in")
    context.wait(HOUR, name="wait for the export")
    return context.step(lambda _: f"downloaded with {len(key)} letters", name="download")


@durable_execution
def step_with_secret(event: str, context: DurableContext) -> Any:
    """Read a secret from the loopback extension in each step."""
    context.step(lambda _: len(secret(event)), name="log in")
    context.wait(HOUR, name="wait for the export")
    return context.step(lambda _: f"{len(secret(event))} letters", name="download")


# -- telemetry -------------------------------------------------------------------------------------


class Metrics:
    """Sends counters over UDP, as StatsD clients do."""

    def __init__(self, port: int) -> None:
        self.address = ("127.0.0.1", port)

    def count(self, name: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(f"{name}:1|c".encode(), self.address)


STATSD = Metrics(8125)


@durable_execution
def counted_job(event: str, context: DurableContext) -> Any:
    """Count invocations with StatsD in the body."""
    STATSD.count("job.invoked")
    context.step(partial(echo, event), name="work")
    context.wait(HOUR, name="wait for the result")
    STATSD.count("job.resumed")
    return context.step(partial(echo, "done"), name="finish")


@durable_execution
def metered_job(event: str, context: DurableContext) -> Any:
    """Print metrics in the embedded format, with a timestamp, from the body."""
    started = time.time()
    context.step(partial(echo, event), name="work")
    print(json.dumps(embedded("Work", 1000 * (time.time() - started))))  # noqa: T201
    context.wait(HOUR, name="wait for the result")
    return context.step(partial(echo, "done"), name="finish")


def embedded(name: str, milliseconds: float) -> dict[str, Any]:
    """Return a metric in CloudWatch's embedded format."""
    metric = {"Namespace": "jobs", "Metrics": [{"Name": name}], "Dimensions": [[]]}
    stamp = {"Timestamp": int(1000 * time.time()), "CloudWatchMetrics": [metric]}
    return {"_aws": stamp, name: milliseconds}


@durable_execution
def traced_job(event: str, context: DurableContext) -> Any:
    """Send segments to the X-Ray daemon on this machine."""
    segment = json.dumps({"name": "job", "id": f"{random.getrandbits(64):016x}"})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.sendto(segment.encode(), ("127.0.0.1", 2000))
    context.step(partial(echo, event), name="work")
    context.wait(HOUR, name="wait for the result")
    return context.step(partial(echo, "done"), name="finish")


# -- facts about the process that a step returns ---------------------------------------------------

_is_cold = True


def cold_start(_: StepContext) -> dict[str, bool]:
    global _is_cold
    was_cold, _is_cold = _is_cold, False
    return {"cold start": was_cold}


@contextmanager
def cold_process() -> Iterator[None]:
    """Context manager that starts cold."""
    global _is_cold  # noqa: PLW0603
    _is_cold = True
    yield


@durable_execution
def reports_cold_start(event: str, context: DurableContext) -> Any:
    """Note in each step whether its process was cold, for the dashboard."""
    context.step(cold_start, name="first")
    context.wait(HOUR, name="wait for the evening")
    context.step(cold_start, name="second")
    return event


@durable_execution
def reports_its_sandbox(event: list[str], context: DurableContext) -> Any:
    """Return facts about the sandbox from steps, and decide nothing by them."""
    context.step(lambda _: os.getpid(), name="process")
    context.step(lambda _: id(event), name="address")
    context.wait(MINUTE, name="a minute")
    context.step(lambda _: socket.gethostname(), name="host")
    context.step(lambda _: tempfile.mkdtemp(prefix="corpus-sandbox-"), name="folder")
    return context.step(partial(echo, len(event)), name="count")


@durable_execution
def collects_tags(event: list[str], context: DurableContext) -> Any:
    """Return a list from a step that a set has put in order: what is recorded stays."""
    tags = context.step(lambda _: [*{tag.lower() for tag in event}], name="collect")
    context.wait(HOUR, name="wait for the editor")
    for tag in sorted(tags):
        context.step(partial(echo, tag), name=f"tag {tag}")
    return len(tags)


# -- caches that only save time --------------------------------------------------------------------


@lru_cache(maxsize=128)
def working_days(month: int) -> int:
    """Count the working days of a month of 2026."""
    days = {1: 21, 2: 20, 3: 22}
    return days.get(month, 21)


@durable_execution
def payslip(event: dict[str, int], context: DurableContext) -> Any:
    """Cache a pure function."""
    days = working_days(event["month"])
    context.wait(HOUR, name="wait for the payroll")
    return context.step(partial(echo, days * event["rate"]), name=f"pay {days} days")


@cache
def ssm() -> Any:
    """Return the client of this process."""
    return boto3.client("ssm")


_secrets: dict[str, str] = {}


def cached_parameter(name: str, _: StepContext) -> int:
    """Read a parameter unless this process has read it."""
    if name not in _secrets:
        _secrets[name] = ssm().get_parameter(Name=name)["Parameter"]["Value"]
    return len(_secrets[name])


@durable_execution
def signs_requests(event: list[str], context: DurableContext) -> Any:
    """Cache a client, and a secret that only steps read."""
    lengths = []
    for request in event:
        lengths.append(context.step(partial(cached_parameter, "signing-key"), name=request))
        context.wait(MINUTE, name=f"after {request}")
    return lengths


# -- logs, jitter and clocks -----------------------------------------------------------------------


@durable_execution
def verbose_job(event: str, context: DurableContext) -> Any:
    """Log the time, the request and the remaining time in the body."""
    aws: Any = context.lambda_context
    logger.info("request %s at %s", aws.aws_request_id, time.strftime("%H:%M:%S"))
    context.step(partial(echo, event), name="work")
    logger.info("%d ms left", aws.get_remaining_time_in_millis())
    context.wait(DAY, name="a day")
    return context.step(partial(echo, "done"), name="finish")


def busy_until(attempt: int, step: StepContext) -> str:
    if step.attempt < attempt:
        raise ConnectionError("busy")
    return "through"


@durable_execution
def jittered_caller(event: int, context: DurableContext) -> Any:
    """Retry after random delays."""
    strategy = RetryStrategyConfig(max_attempts=4, initial_delay=MINUTE)
    config = StepConfig(retry_strategy=create_retry_strategy(strategy))
    called = context.step(partial(busy_until, event), name="call", config=config)
    context.wait(MINUTE, name="hang up")
    return context.step(partial(echo, called), name="note")


@durable_execution
def timed_in_steps(event: str, context: DurableContext) -> Any:
    """Read the clock in steps, and compute with what they return."""
    started = context.step(lambda _: time.time(), name="start")
    context.wait(HOUR, name=f"wait for {event}")
    ended = context.step(lambda _: time.time(), name="end")
    minutes = int((ended - started) // 60)
    return context.step(partial(echo, minutes), name=f"took {minutes} minutes")


LOGGED = ("clock-outside-step", "context-outside-step")

CASES = (
    correct(
        Scenario(handler=login_with_secret, event="partner", world=extension),
        "loopback extension",
        "environment-outside-step",
        "query-outside-step",
    ),
    correct(
        Scenario(handler=step_with_secret, event="partner", world=extension), "loopback extension"
    ),
    correct(Scenario(handler=counted_job, event="17"), "telemetry"),
    correct(Scenario(handler=metered_job, event="17"), "telemetry", *LOGGED),
    correct(Scenario(handler=traced_job, event="17"), "telemetry", "randomness-outside-step"),
    correct(
        Scenario(handler=reports_cold_start, event="17", world=cold_process),
        "fact of the process",
        "process-state",
    ),
    correct(
        Scenario(
            handler=reports_its_sandbox, event=["a"], world=partial(tidied, "corpus-sandbox-")
        ),
        "fact of the process",
        "process-state",
        "different-result",
    ),
    correct(
        Scenario(handler=collects_tags, event=["Tea", "tea", "Milk", "Salt"]),
        "order that does not matter",
    ),
    correct(
        Scenario(handler=payslip, event={"month": 2, "rate": 90}), "cache that only saves time"
    ),
    correct(
        Scenario(
            handler=signs_requests,
            event=["a", "b"],
            world=partial(parameters, **{"signing-key": "k"}),
        ),
        "cache that only saves time",
    ),
    correct(Scenario(handler=verbose_job, event="17"), "logging", *LOGGED),
    correct(Scenario(handler=jittered_caller, event=3), "random delay"),
    correct(Scenario(handler=timed_in_steps, event="the oven"), "clock in a step"),
)
"""Cases of surroundings."""
