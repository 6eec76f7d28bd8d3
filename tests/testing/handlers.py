"""Handlers that wait for what a test does."""

from __future__ import annotations

import socket
import time
from datetime import datetime
from typing import Any

from aws_durable_execution_sdk_python import (
    DurableContext,
    durable_execution,
    durable_with_child_context,
)
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration

BODIES: list[str] = []
"""The handlers whose bodies ran, one entry for each invocation."""
A_DAY = CallbackConfig(timeout=Duration.from_days(1))
A_MINUTE = CallbackConfig(timeout=Duration.from_days(1), heartbeat_timeout=Duration.from_minutes(1))


@durable_execution
def asks(event: Any, context: DurableContext) -> Any:
    """Wait for an answer, for a day."""
    BODIES.append("asks")
    return context.create_callback(name="answer", config=A_DAY).result()


@durable_execution
def asks_without_bound(event: Any, context: DurableContext) -> Any:
    """Wait for an answer for ever."""
    return context.create_callback(name="answer").result()


@durable_execution
def asks_twice(event: Any, context: DurableContext) -> Any:
    """Wait for an answer, a while, and for another answer."""
    BODIES.append("asks twice")
    first = context.create_callback(name="first", config=A_DAY).result()
    context.wait(Duration.from_days(3), name="think")
    return [first, context.create_callback(name="second", config=A_DAY).result()]


@durable_execution
def asks_in_branches(event: Any, context: DurableContext) -> Any:
    """Wait for an answer in each of two branches."""

    def ask(child: DurableContext, item: int, index: int, items: Any) -> Any:
        return child.create_callback(name="answer", config=A_DAY).result()

    return context.map([1, 2], ask, name="both").get_results()


@durable_execution
def needs_heartbeats(event: Any, context: DurableContext) -> Any:
    """Wait for an answer as long as there are heartbeats."""
    return context.create_callback(name="answer", config=A_MINUTE).result()


@durable_execution
def waits(event: Any, context: DurableContext) -> Any:
    """Wait for a month, and return when that is over."""
    BODIES.append("waits")
    context.wait(Duration.from_days(30), name="a month")
    return context.step(lambda _: str(datetime.now().date()), name="read the date")


@durable_execution
def works(event: Any, context: DurableContext) -> Any:
    """Work for two hours in one invocation."""
    return context.step(lambda _: time.sleep(7200), name="work")


@durable_execution
def calls_home(event: Any, context: DurableContext) -> Any:
    """Connect to another machine."""
    return context.step(lambda _: str(socket.create_connection(("192.0.2.1", 80))), name="call")


@durable_execution
def describes(event: Any, context: DurableContext) -> Any:
    """Return what the handler is called with."""
    function: Any = context.lambda_context
    return {
        "event": event,
        "arn": context.execution_context.durable_execution_arn,
        "function": function.invoked_function_arn,
        "version": function.function_version,
        "tenant": function.tenant_id,
    }


@durable_execution
def invokes(event: Any, context: DurableContext) -> Any:
    """Invoke another function, without a qualifier."""
    return context.invoke("other", event, name="call")


@durable_execution
def doubles(event: Any, context: DurableContext) -> Any:
    """Double a number, in a durable function."""
    return context.step(lambda _: event * 2, name="double")


@durable_with_child_context
def greets(context: DurableContext, name: str, *, after: int) -> str:
    """Wait, and greet."""
    context.wait(Duration.from_days(after), name="wait")
    return f"hello {name}"
