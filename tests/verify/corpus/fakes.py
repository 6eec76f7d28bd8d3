"""What worlds put in the place of external systems, and controls: worlds and fakes that leak."""

from __future__ import annotations

import os
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from unittest.mock import patch

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import (
    JitterStrategy,
    StepConfig,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy

from dacapo import Scenario
from tests.verify.corpus.case import DAY, HOUR, MINUTE, control

WITHIN_A_DAY = WaitForCallbackConfig(timeout=DAY)


def quote(item: str) -> int:
    """Ask the supplier for a price; the world replaces this function."""
    raise ConnectionError(f"no supplier for {item}")


@contextmanager
def gateway() -> Iterator[None]:
    """Context manager that answers for the supplier."""
    with patch(f"{__name__}.quote", {"tea": 4, "milk": 2}.__getitem__):
        yield


class Mailbox:
    """Keeps letters in memory."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}

    def deliver(self, person: str, text: str) -> str:
        """Put a letter in, at most one a person."""
        self.letters[person] = text
        return person

    def count(self) -> int:
        """Return the number of letters."""
        return len(self.letters)


MAILBOX = Mailbox()


class Service(BaseHTTPRequestHandler):
    """Starts jobs and returns their results."""

    jobs: dict[str, str] = {}  # noqa: RUF012

    def do_POST(self) -> None:
        self.jobs[self.path] = f"result of {self.path[1:]}"
        self.answer("started")

    def do_GET(self) -> None:
        self.answer(self.jobs.get(self.path, "unknown"))

    def answer(self, text: str) -> None:
        """Send a text."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def service() -> Iterator[HTTPServer]:
    """Context manager that starts the service on a free port of this machine."""
    Service.jobs.clear()
    server = HTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with patch.dict(os.environ, SERVICE_PORT=str(server.server_port)):
            yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def call(method: str, job: str) -> str:
    """Call the service."""
    url = f"http://127.0.0.1:{os.environ['SERVICE_PORT']}/{job}"
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return str(answer.read(), "utf-8")


# -- controls --------------------------------------------------------------------------------------

_calls = count(1)
TWICE = StepConfig(
    retry_strategy=create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=2, initial_delay=MINUTE, jitter_strategy=JitterStrategy.NONE
        )
    )
)


def flaky_bank(_: StepContext) -> str:
    """Fail on the first call that this process ever makes."""
    if next(_calls) == 1:
        raise ConnectionError("the first call fails")
    return "paid"


@durable_execution
def pays_at_a_flaky_bank(event: str, context: DurableContext) -> Any:
    """Pay at a fake bank that counts calls in its module."""
    paid = context.step(flaky_bank, name="pay", config=TWICE)
    context.wait(HOUR, name="wait for the receipt")
    return context.step(lambda _: f"{event} {paid}", name="file")


_orders: list[str] = []


@contextmanager
def growing_world() -> Iterator[list[str]]:
    """Context manager that adds an order to those of all earlier runs."""
    _orders.append(f"order {len(_orders)}")
    yield _orders


@durable_execution
def ships_all_orders(event: None, context: DurableContext) -> Any:
    """Ship every order of a world that is never emptied."""
    orders = context.step(lambda _: list(_orders), name="list")
    for order in orders:
        context.step(lambda _: "shipped", name=f"ship {order}")
    context.wait(MINUTE, name="wait for the courier")
    return len(orders)


LEFTOVER = Path(gettempdir()) / "corpus-leftover.txt"


@contextmanager
def untidy_world() -> Iterator[None]:
    """Context manager that leaves a file behind, which changes the next run."""
    with LEFTOVER.open("a") as file:
        file.write("x")
    yield


@durable_execution
def resumes_from_a_file(event: None, context: DurableContext) -> Any:
    """Start where a file of the world says."""
    start = context.step(lambda _: len(LEFTOVER.read_text()), name="read the position")
    context.wait(MINUTE, name="wait for the scanner")
    return context.step(lambda _: start + 1, name=f"scan from {start}")


def draw_from_device(_: StepContext) -> int:
    """Draw eight bytes from the system's generator, which no seed reaches."""
    with Path("/dev/urandom").open("rb") as device:
        return int.from_bytes(device.read(6), "big")


@durable_execution
def random_ending(event: None, context: DurableContext) -> Any:
    """Let a device of the system decide, in a step."""
    drawn = context.step(draw_from_device, name="draw")
    context.wait(MINUTE, name="wait for the audience")
    return context.step(lambda _: drawn, name=f"number {drawn}")


CASES = (
    control(Scenario(handler=pays_at_a_flaky_bank, event="17"), "fake that leaks"),
    control(Scenario(handler=ships_all_orders, world=growing_world), "world that leaks"),
    control(Scenario(handler=resumes_from_a_file, world=untidy_world), "world that leaks"),
    control(Scenario(handler=random_ending), "random in a way that no seed reaches"),
)
"""Cases of controls."""
