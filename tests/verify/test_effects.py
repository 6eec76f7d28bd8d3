"""Effects that only a fake of the world can see are told to the verifier by the fake itself."""

from __future__ import annotations

from itertools import count
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

import dacapo
from dacapo import Scenario
from dacapo.verify.experiments import CRASHED, MOVED
from dacapo.verify.findings import PROVED, Code
from dacapo.verify.verifier import verify

A_DAY = Duration.from_days(1)


class Kafka:
    """A fake of a client that is written in C."""

    def produce(self, message: str) -> str:
        dacapo.effect("kafka:Produce", message)
        return message


kafka = Kafka()
numbers = count()


@durable_execution
def outside(_: Any, context: DurableContext) -> None:
    kafka.produce("hello")
    context.wait(A_DAY, name="a day")


@durable_execution
def inside(_: Any, context: DurableContext) -> None:
    context.step(lambda _: kafka.produce("hello"), name="say hello")
    context.wait(A_DAY, name="a day")


@durable_execution
def never_the_same(_: Any, context: DurableContext) -> None:
    context.step(lambda _: kafka.produce(f"hello number {next(numbers)}"), name="say hello")
    context.wait(A_DAY, name="a day")


def found(handler: Any) -> list[tuple[Code, str]]:
    report = verify(Scenario(handler=handler))
    assert report.experiments[CRASHED].runs
    assert report.experiments[MOVED].runs
    return [(finding.code, finding.certainty) for finding in report.findings]


def test_an_effect_outside_a_step_is_proved() -> None:
    assert found(outside) == [(Code.EFFECT_OUTSIDE_STEP, PROVED)]


def test_an_effect_in_a_step_is_fine_if_it_is_the_same_when_it_comes_again() -> None:
    assert found(inside) == []


def test_an_effect_in_a_step_that_is_another_one_when_it_comes_again_is_proved() -> None:
    assert (Code.EFFECT_REPEATED, PROVED) in found(never_the_same)
