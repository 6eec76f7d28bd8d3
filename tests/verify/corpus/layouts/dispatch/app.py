"""A function as SAM lays it out: its folder is on the path, with its neighbors."""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from couriers import eligible  # type: ignore[import-not-found]


def ask(courier: str, _: StepContext) -> str:
    return f"{courier}: yes"


@durable_execution
def dispatch(event: dict[str, Any], context: DurableContext) -> list[str]:
    """Ask each courier who may carry the parcel, in no particular order."""
    answers = []
    for courier in eligible(event["kilograms"]):  # <- cause of dispatch
        context.wait(Duration.from_minutes(1), name="do not hurry")
        answer = context.step(partial(ask, courier), name=f"ask {courier}")  # <- cause of dispatch
        answers.append(answer)
    context.wait(Duration.from_minutes(5), name="wait for the answers")
    return sorted(answers)
