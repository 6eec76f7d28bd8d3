"""Handlers of the tests of the page. Line numbers are looked up by text, so that lines may move."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration, StepConfig
from aws_durable_execution_sdk_python.exceptions import CallbackError
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy

import dacapo
from dacapo import START, Scenario, heartbeats, succeed

A_DAY = CallbackConfig(timeout=Duration.from_days(1), heartbeat_timeout=Duration.from_hours(3))
RETRIED = StepConfig(create_retry_strategy(RetryStrategyConfig(max_attempts=3)))
HOSTILE = "</script><script>alert(1)</script>\x1b[31mred\x1b[0m \u202eevil\u2066 <!-- \u2028 &amp;"
SECRET = "s3cr3t-payload"


class Busy(Exception):  # noqa: N818 - what happened
    """The service is busy."""


@durable_execution
def asks(event: Any, context: DurableContext) -> Any:
    callback = context.create_callback(name="decision", config=A_DAY)
    dacapo.effect("mail:Send", f"{event} {callback.callback_id}")
    try:
        answer = callback.result()
    except CallbackError:
        answer = None
    return context.step(lambda _: [event, answer], name="record")


@durable_execution
def waits_in_a_loop(event: Any, context: DurableContext) -> int:
    total = 0
    for number in range(event):
        total += context.step(lambda _: 1, name=f"step {number}")
        context.wait(
            Duration.from_hours(1),
            name=f"wait {number}",
        )
    return total


@durable_execution
def retries(event: Any, context: DurableContext) -> str:
    def attempt(_: Any) -> str:
        if datetime.now(UTC) == START:
            raise Busy(SECRET)
        return f"done {event}"

    return context.step(attempt, name="try", config=RETRIED)


@durable_execution
def fans_out(event: Any, context: DurableContext) -> int:
    results: Any = context.map(
        list(range(event)),
        lambda inner, item, *_: inner.step(lambda _: item, name="one"),
        name="all",
    )
    context.wait(Duration.from_seconds(5), name="pause")
    return len(results.get_results())


@durable_execution
def never_answered(event: Any, context: DurableContext) -> Any:
    _ = event
    return context.create_callback(name="nobody").result()


@durable_execution
def sends_what_it_gets(event: Any, context: DurableContext) -> Any:
    context.step(lambda _: boto3.client("sqs").meta.region_name, name="prepare")
    context.wait(Duration.from_days(300), name="a long wait")
    answer = context.create_callback(name="raw").result()
    return context.step(lambda _: [answer, event], name="echo")


@durable_execution
def fails_with_what_it_gets(event: Any, context: DurableContext) -> Any:
    _ = context
    raise Busy(event)


failed = Scenario(handler=fails_with_what_it_gets, event=HOSTILE)
asked = Scenario(
    handler=asks, event=SECRET, answers={"decision": succeed(SECRET, after=timedelta(hours=2))}
)
beaten = Scenario(
    handler=asks,
    event="x",
    answers={"decision": heartbeats(every=timedelta(hours=2), times=2)},
)
looped = Scenario(handler=waits_in_a_loop, event=3)
retried = Scenario(handler=retries, event=1)
fanned = Scenario(handler=fans_out, event=20)
stuck = Scenario(handler=never_answered, expects="RUNNING")
hostile = Scenario(
    handler=sends_what_it_gets,
    event=HOSTILE,
    name=HOSTILE,
    answers={"raw": succeed(raw=HOSTILE.encode())},
)


def line_of(text: str) -> int:
    """Return the number of the only line of this file that holds a text."""
    lines = inspect.getsource(inspect.getmodule(line_of)).splitlines()  # type: ignore[arg-type]
    (number,) = [n for n, line in enumerate(lines, 1) if text in line and "line_of(" not in line]
    return number
