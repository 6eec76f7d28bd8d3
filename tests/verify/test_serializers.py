"""Serializers are compared by what they give, and what they do is not the handler's doing."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import ChildConfig, Duration, StepConfig
from aws_durable_execution_sdk_python.filesystem_serdes import FileSystemSerDes
from aws_durable_execution_sdk_python.serdes import SerDes
from moto import mock_aws

from dacapo import Scenario, run
from dacapo.verify.findings import Certainty, Code, ExperimentName
from dacapo.verify.observe.results import are_equal
from dacapo.verify.verifier import verify
from tests.depth import every

A_DAY = Duration.from_days(1)
ONLY = [
    *(ExperimentName.SINGLE_INVOCATION, ExperimentName.SUSPENDED),
    *(ExperimentName.CRASHED, ExperimentName.REPLAYED),
]
s3 = boto3.client("s3")


class Sealed(SerDes[Any]):
    """Writes a random nonce and the time next to the value, as encryption does."""

    def serialize(self, value: Any, _: Any) -> str:
        return json.dumps([os.urandom(8).hex(), datetime.now(UTC).isoformat(), value])

    def deserialize(self, data: str, _: Any) -> Any:
        return json.loads(data)[2]


class InBucket(SerDes[Any]):
    """Stores values in S3 under a random key, and checkpoints the key."""

    def serialize(self, value: Any, _: Any) -> str:
        key = str(uuid.uuid4())
        s3.put_object(Bucket="values", Key=key, Body=json.dumps(value).encode())
        return json.dumps({"key": key})

    def deserialize(self, data: str, _: Any) -> Any:
        stored = s3.get_object(Bucket="values", Key=json.loads(data)["key"])
        return json.loads(stored["Body"].read())


class Stamped(SerDes[Any]):
    """Gives the time together with the value, so that a context gives another one each time."""

    def serialize(self, value: Any, _: Any) -> str:
        time.sleep(1)
        return json.dumps([value, time.time_ns()])

    def deserialize(self, data: str, _: Any) -> Any:
        return json.loads(data)


@contextmanager
def bucket() -> Iterator[None]:
    with mock_aws():
        s3.create_bucket(Bucket="values")
        yield


def handler_with(serdes: SerDes[Any]) -> Any:
    """Return a handler that gives a serializer to a step and to a context around it."""

    @durable_execution
    def handler(_: Any, context: DurableContext) -> Any:
        def vault(child: DurableContext) -> Any:
            pin = child.step(lambda _: 7, name="draw a pin", config=StepConfig(serdes=serdes))
            child.wait(A_DAY, name="a day")
            return {"pin": pin}

        opened = context.run_in_child_context(
            vault, name="vault", config=ChildConfig(serdes=serdes)
        )
        context.wait(A_DAY, name="another day")
        return opened

    return handler


SERIALIZERS: dict[str, tuple[Callable[[], SerDes[Any]], Any]] = {
    "a nonce and the time": (Sealed, nullcontext),
    "values in S3": (InBucket, bucket),
    "the SDK's files": (lambda: FileSystemSerDes(tempfile.mkdtemp()), nullcontext),
}


@pytest.mark.parametrize("name", every(2, SERIALIZERS))
def test_a_serializer_that_gives_the_same_is_no_finding(name: str) -> None:
    make, world = SERIALIZERS[name]
    scenario = Scenario(handler=handler_with(make()), world=world)
    assert run(scenario).result == {"pin": 7}
    report = verify(scenario, only=ONLY)
    assert all(report.experiments[experiment].runs for experiment in ONLY)
    assert report.findings == []


@pytest.mark.prove
def test_a_serializer_that_gives_something_else_each_time_is_proved() -> None:
    @durable_execution
    def handler(_: Any, context: DurableContext) -> Any:
        def child(inner: DurableContext) -> None:
            inner.step(lambda _: 1, name="one")
            inner.wait(A_DAY, name="a day")

        config: ChildConfig[Any] = ChildConfig(serdes=Stamped())
        return context.run_in_child_context(child, name="child", config=config)

    codes = {f.code for f in verify(Scenario(handler=handler), only=ONLY).proved}
    assert Code.DIFFERENT_RESULT in codes


@durable_execution
def lossy(_: Any, context: DurableContext) -> int:
    prices = context.step(lambda _: {1: "one", 2: "two"}, name="read the prices")
    context.wait(A_DAY, name="a day")
    return len(prices)


@pytest.mark.prove
def test_a_lossy_serializer_is_a_lint() -> None:
    findings = verify(Scenario(handler=lossy), only=ONLY).findings
    assert [(f.code, f.certainty) for f in findings] == [(Code.CHANGED_BY_SERDES, Certainty.LINT)]


@dataclasses.dataclass
class Measured:
    value: float


NAN = float("nan")
ALIKE = [
    (NAN, float("nan")),
    ([1, NAN], [1, float("nan")]),
    ({"a": {"b": (NAN,)}}, {"a": {"b": (float("nan"),)}}),
    (Measured(NAN), Measured(float("nan"))),
]
UNLIKE = [(NAN, 0.0), ([1, 2], (1, 2)), ([1], [1, 2]), ({"a": 1}, {"b": 1}), (Measured(1), {})]


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=str)
def test_not_a_number_equals_itself_wherever_it_is(one: object, other: object) -> None:
    assert are_equal(one, other)


@pytest.mark.parametrize(("one", "other"), UNLIKE, ids=str)
def test_other_values_are_not_equal(one: object, other: object) -> None:
    assert not are_equal(one, other)


@pytest.mark.prove
def test_a_step_that_returns_not_a_number_is_no_finding() -> None:
    @durable_execution
    def handler(_: Any, context: DurableContext) -> int:
        def child(inner: DurableContext) -> list[float]:
            measured = inner.step(lambda _: [1.0, float("nan")], name="measure")
            inner.wait(A_DAY, name="a day")
            return measured

        return len(context.run_in_child_context(child, name="measuring"))

    assert verify(Scenario(handler=handler), only=ONLY).findings == []


def test_what_a_handler_does_with_a_serializer_itself_is_its_own_doing(tmp_path: Path) -> None:
    @durable_execution
    def handler(_: Any, context: DurableContext) -> None:
        Sealed().serialize("x", None)
        context.step(lambda _: 1, name="one")
        context.wait(A_DAY, name="a day")

    findings = verify(Scenario(handler=handler), only=[ExperimentName.REPLAYED]).findings
    assert {f.code for f in findings} == {
        Code.CLOCK_OUTSIDE_STEP,
        Code.RANDOMNESS_OUTSIDE_STEP,
    }
