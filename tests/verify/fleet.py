"""Executions in flight, by the hundred: histories of one handler, cut off where it waits.

`python -m tests.verify.fleet FOLDER COUNT` writes so many of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Recording, Scenario, run
from dacapo.history import events

FUNCTION = "parcels"
DAY = Duration.from_days(1)


@durable_execution
def handler(event: Any, context: DurableContext) -> str:
    """Reserve, wait for a day, and ship."""
    stock: str = context.step(lambda _: f"S-{event['number']}", name="reserve")
    context.wait(DAY, name="a day")
    return context.step(lambda _: f"shipped {stock}", name="ship")


@durable_execution
def renamed(event: Any, context: DurableContext) -> str:
    """Do the same, with a step of another name."""
    stock: str = context.step(lambda _: f"S-{event['number']}", name="reserve the goods")
    context.wait(DAY, name="a day")
    return context.step(lambda _: f"shipped {stock}", name="ship")


@durable_execution
def changed_later(event: Any, context: DurableContext) -> str:
    """Do the same until the day is over, and then something else."""
    context.step(lambda _: f"S-{event['number']}", name="reserve")
    context.wait(DAY, name="a day")
    return context.step(lambda _: "refused", name="refuse")


@durable_execution
def without_names(event: Any, context: DurableContext) -> int:
    """Run two steps that have no names, then wait."""
    one = context.step(lambda _: price_of(event))
    other = context.step(lambda _: weight_of(event))
    context.wait(DAY, name="a day")
    return one + other


def price_of(event: Any) -> int:
    return int(event["number"])


def weight_of(event: Any) -> int:
    return int(event["number"]) + 1


def record(number: int = 0, handler: Any = handler) -> Recording:
    return run(Scenario(handler=handler, event={"number": number}, function_name=FUNCTION))


def in_flight(recording: Recording) -> Sequence[Any]:
    """Return the events until the execution waits."""
    waits = next(n for n, one in enumerate(recording.events) if one.type == "WaitStarted")
    return recording.events[: waits + 1]


def fetched(recording: Recording, version: str = "", history: Any = None) -> dict[str, Any]:
    """Return what `dacapo history` writes of an execution that waits."""
    arn = recording.arn.replace(":1/", f":{version or 1}/")
    whose = {"FunctionName": FUNCTION, "Version": version} if version else {}
    return {
        "Format": 1,
        "Data": "all",
        **whose,
        "Execution": {"DurableExecutionArn": arn, "Status": "RUNNING"},
        "Events": events.to_json(history or in_flight(recording)),
    }


def write(folder: Path, count: int, version: str = "", handler: Any = handler) -> Path:
    """Write the histories of so many executions in flight, each with another event."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        content = fetched(record(number, handler), version)
        (folder / f"{number:04}.json").write_text(json.dumps(content))
    return folder


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
