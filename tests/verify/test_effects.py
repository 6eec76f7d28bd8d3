"""An effect is what a fake reports through `dacapo.effect`, and a call that AWS didn't throttle."""

from __future__ import annotations

from itertools import count
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration
from moto import mock_aws

import dacapo
from dacapo import Scenario
from dacapo.process import effect_listeners
from dacapo.verify.findings import Certainty, Code, ExperimentName
from dacapo.verify.observe.run import observe
from dacapo.verify.verifier import verify

A_DAY = Duration.from_days(1)


class Kafka:
    """A fake of a client written in C, whose calls no hook sees."""

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
def changing(_: Any, context: DurableContext) -> None:
    context.step(lambda _: kafka.produce(f"hello number {next(numbers)}"), name="say hello")
    context.wait(A_DAY, name="a day")


def codes_of(handler: Any) -> list[tuple[Code, str]]:
    report = verify(Scenario(handler=handler))
    assert report.experiments[ExperimentName.CRASHED].runs
    assert report.experiments[ExperimentName.COLD].runs
    return [(finding.code, finding.certainty) for finding in report.findings]


@pytest.mark.prove
def test_an_effect_outside_a_step_is_proved() -> None:
    assert codes_of(outside) == [(Code.EFFECT_OUTSIDE_STEP, Certainty.PROVED)]


@pytest.mark.prove
def test_a_repeated_effect_in_a_step_is_no_finding_if_it_is_identical() -> None:
    assert codes_of(inside) == []


@pytest.mark.prove
def test_a_repeated_effect_in_a_step_is_proved_if_it_differs() -> None:
    assert (Code.EFFECT_REPEATED, Certainty.PROVED) in codes_of(changing)


def test_an_effect_is_not_taken_for_a_throttled_call_that_has_its_place_in_memory() -> None:
    queues = boto3.client("sqs")

    def create(_: Any) -> None:
        queues.create_queue(QueueName="orders")
        # Contexts of calls that are throttled: some are where the first one's has been.
        throttled: list[dict[str, Any]] = [{} for _ in range(10_000)]
        for context in throttled:
            effect_listeners.report_undone(context)

    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        context.step(create, name="create")

    observed = observe(Scenario(handler=handler, world=mock_aws), 0)
    assert [effect.what for effect in observed.effects] == ["sqs:CreateQueue"]
