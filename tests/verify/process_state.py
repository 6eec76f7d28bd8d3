"""Handlers that keep something in their process, or on its disk, between two invocations.

The lines that cause what then differs end in `# <- cause of NAME`.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

import dacapo

A_DAY = Duration.from_days(1)
CITIES = {"Rome", "Oslo", "Bern", "Kyiv"}
LITERAL = "/tmp/dacapo-tests-drafts.txt"
_MARK = re.compile(r"# <- cause of (\w+)$")

prices: dict[str, int] = {}
numbers = count(1)
noted: list[str] = []
connections: list[sqlite3.Connection] = []


def causes(name: str) -> set[int]:
    """Return the lines of this file that are marked as the causes of what a handler does."""
    lines = Path(__file__).read_text().splitlines()
    marks = ((number, _MARK.search(line)) for number, line in enumerate(lines, 1))
    return {number for number, mark in marks if mark and mark[1] == name}


@contextmanager
def forgotten() -> Iterator[None]:
    """Context manager in which this module remembers nothing of another run."""
    global numbers  # noqa: PLW0603 - as the modules of handlers are written
    numbers = count(1)
    prices.clear()
    noted.clear()
    greeter.greeted.clear()
    connections.clear()
    Drafts.last = None
    Path(LITERAL).unlink(missing_ok=True)
    os.environ.pop("APPROVED_BY", None)
    yield


@durable_execution
def module_memory(_: Any, context: DurableContext) -> str:
    """Remember a price in one step, and bill it in another."""

    def quote(_: StepContext) -> str:
        prices["tea"] = 12  # <- cause of module_memory
        return "quoted"

    def bill(_: StepContext) -> str:
        return f"billed {prices.get('tea', 0)}"  # <- cause of module_memory

    context.step(quote, name="quote")
    context.wait(A_DAY, name="a day")
    return context.step(bill, name="bill")


class Drafts:
    """Keeps the last draft in an attribute of the class."""

    last: ClassVar[str | None] = None

    @classmethod
    def write(cls, text: str, _: StepContext) -> int:
        """Write a draft."""
        cls.last = text  # <- cause of class_attribute
        return len(text)

    @classmethod
    def send(cls, _: StepContext) -> str:
        """Send the last one."""
        return f"sent {cls.last}"  # <- cause of class_attribute


@durable_execution
def class_attribute(_: Any, context: DurableContext) -> str:
    """Write a draft in one step, and send it in another."""
    context.step(partial(Drafts.write, "hello"), name="write")
    context.wait(A_DAY, name="a day")
    return context.step(Drafts.send, name="send")


@durable_execution
def temporary_file(_: Any, context: DurableContext) -> str:
    """Write a file where tempfile does, and read it in another step."""

    def write(_: StepContext) -> int:
        return Path(tempfile.gettempdir(), "orders.csv").write_text("tea")

    def read(_: StepContext) -> str:
        path = Path(tempfile.gettempdir(), "orders.csv")
        return path.read_text() if path.exists() else "nothing"  # <- cause of temporary_file

    context.step(write, name="write")
    context.wait(A_DAY, name="a day")
    return context.step(read, name="read")


@durable_execution
def literal_path(_: Any, context: DurableContext) -> str:
    """Write a file whose path is written down, and read it in another step."""

    def write(_: StepContext) -> int:
        return Path(LITERAL).write_text("tea")

    def read(_: StepContext) -> str:
        return Path(LITERAL).read_text()  # <- cause of literal_path

    context.step(write, name="write")
    context.wait(A_DAY, name="a day")
    return context.step(read, name="read")


@durable_execution
def environment(_: Any, context: DurableContext) -> str:
    """Set a variable in one step, and read it in another."""

    def approve(_: StepContext) -> bool:
        os.environ["APPROVED_BY"] = "Ada"
        return True

    def sign(_: StepContext) -> str:
        return os.environ["APPROVED_BY"]  # <- cause of environment

    context.step(approve, name="approve")
    context.wait(A_DAY, name="a day")
    return context.step(sign, name="sign")


def send_numbered(order: str, _: StepContext) -> str:
    """Send an order under the next number."""
    key = f"order-{next(numbers)}"  # <- cause of counter_as_key
    dacapo.effect("partner:Send", {"key": key, "order": order})  # <- cause of counter_as_key
    return order


@durable_execution
def counter_as_key(_: Any, context: DurableContext) -> list[str]:
    """Send two orders, each under a number of this process's."""
    sent = []
    for order in ("tea", "milk"):
        sent.append(context.step(partial(send_numbered, order), name=order))
        context.wait(A_DAY, name=f"after {order}")
    return sent


@durable_execution
def hash_order(_: Any, context: DurableContext) -> int:
    """Take a step for each member of a set, in one invocation."""
    done = 0
    for city in CITIES:  # <- cause of hash_order
        done += context.step(lambda _: 1, name=f"visit {city}")  # <- cause of hash_order
    return done


@durable_execution
def open_connection(_: Any, context: DurableContext) -> int:
    """Open a database in memory in one step, and use it in another."""

    def fill(_: StepContext) -> bool:
        database = sqlite3.connect(":memory:", check_same_thread=False)
        database.execute("CREATE TABLE orders AS SELECT 17 AS id")
        connections.append(database)  # <- cause of open_connection
        return True

    def first(_: StepContext) -> int:
        database = connections[0]  # <- cause of open_connection
        return int(database.execute("SELECT id FROM orders").fetchone()[0])

    context.step(fill, name="fill")
    context.wait(A_DAY, name="a day")
    return context.step(first, name="read")


class Greeter:
    """A handler that is a method of an object."""

    def __init__(self, greeting: str) -> None:
        self.greeting = greeting
        self.greeted: list[str] = []

    def handle(self, _: Any, context: DurableContext) -> int:
        """Greet somebody, and count whom this process has greeted."""
        context.step(self.greet, name="greet")
        context.wait(A_DAY, name="a day")
        return context.step(self.number, name="count")

    def greet(self, _: StepContext) -> str:
        """Greet."""
        self.greeted.append(self.greeting)  # <- cause of method
        return self.greeting

    def number(self, _: StepContext) -> int:
        """Count."""
        return len(self.greeted)  # <- cause of method


greeter = Greeter("hello")
method = durable_execution(greeter.handle)


def make_handler(names: list[str]) -> Any:
    """Return a handler that closes over a list."""

    @durable_execution
    def factory(_: Any, context: DurableContext) -> int:
        def remember(_: StepContext) -> bool:
            names.append("Ada")  # <- cause of factory
            return True

        context.step(remember, name="remember")
        context.wait(A_DAY, name="a day")
        return context.step(lambda _: len(names), name="count")  # <- cause of factory

    return factory


factory = make_handler(noted)
handlers_by_name = {"closure": make_handler(noted)}
"""Only this process can find what is in here."""


def with_price(key: str, _: Any, context: DurableContext) -> str:
    """Remember a price, and bill it."""

    def bill(_: StepContext) -> str:
        return f"billed {prices.get(key)}"  # <- cause of partial_handler

    context.step(lambda _: prices.setdefault(key, 12), name="quote")  # <- cause of partial_handler
    context.wait(A_DAY, name="a day")
    return context.step(bill, name="bill")


partial_handler = durable_execution(partial(with_price, "milk"))
