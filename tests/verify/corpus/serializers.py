"""Correct handlers whose serializers do more than JSON, and values that do not equal themselves."""

from __future__ import annotations

import base64
import json
import math
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import (
    ChildConfig,
    Duration,
    MapConfig,
    StepConfig,
)
from aws_durable_execution_sdk_python.filesystem_serdes import FileSystemSerDes
from aws_durable_execution_sdk_python.serdes import SerDes, SerDesContext

from dacapo import Scenario
from tests.verify.corpus.aws import bucket
from tests.verify.corpus.case import HOUR, MINUTE, correct

s3 = boto3.client("s3")


def echo(value: Any, _: StepContext) -> Any:
    return value


class Encrypted(SerDes[Any]):
    """Encrypts with a toy cipher and a random nonce, so equal values are stored differently."""

    KEY = b"not a real key"

    def serialize(self, value: Any, _: SerDesContext) -> str:
        nonce = os.urandom(12)
        sealed = self.mix(json.dumps(value).encode(), nonce)
        return base64.b64encode(nonce + sealed).decode()

    def deserialize(self, data: str, _: SerDesContext) -> Any:
        raw = base64.b64decode(data)
        return json.loads(self.mix(raw[12:], raw[:12]))

    def mix(self, text: bytes, nonce: bytes) -> bytes:
        pad = self.KEY + nonce
        return bytes(byte ^ pad[number % len(pad)] for number, byte in enumerate(text))


class Envelope(SerDes[Any]):
    """Wraps a value with the time and the sender of the message."""

    def serialize(self, value: Any, context: SerDesContext) -> str:
        stamp = {"at": time.time(), "pid": os.getpid(), "trace": secrets.token_hex(8)}
        return json.dumps({**stamp, "operation": context.operation_id, "value": value})

    def deserialize(self, data: str, _: SerDesContext) -> Any:
        return json.loads(data)["value"]


class Offloaded(SerDes[Any]):
    """Stores values in S3 under a random key, and records the key."""

    def serialize(self, value: Any, _: SerDesContext) -> str:
        key = f"payloads/{secrets.token_hex(8)}.json"
        s3.put_object(Bucket="payloads", Key=key, Body=json.dumps(value).encode())
        return key

    def deserialize(self, data: str, _: SerDesContext) -> Any:
        return json.loads(s3.get_object(Bucket="payloads", Key=data)["Body"].read())


class DataKeys(SerDes[Any]):
    """Asks a key service for a data key for each value, as envelope encryption does."""

    def __init__(self, service: Encrypted) -> None:
        self.service = service

    def serialize(self, value: Any, context: SerDesContext) -> str:
        data_key = secrets.token_hex(4)
        return json.dumps(
            {
                "key": self.service.serialize(data_key, context),
                "body": self.service.serialize([data_key, value], context),
            }
        )

    def deserialize(self, data: str, context: SerDesContext) -> Any:
        data_key, value = self.service.deserialize(json.loads(data)["body"], context)
        if data_key != self.service.deserialize(json.loads(data)["key"], context):
            raise ValueError("the data key does not fit")
        return value


SECRET, STAMPED = StepConfig(serdes=Encrypted()), StepConfig(serdes=Envelope())


@durable_execution
def patient_record(event: dict[str, Any], context: DurableContext) -> Any:
    """Encrypt what the steps and a child return."""

    def visit(child: DurableContext) -> dict[str, Any]:
        diagnosis = child.step(partial(echo, "well"), name="diagnose", config=SECRET)
        child.wait(HOUR, name="wait for the laboratory")
        values = child.step(partial(echo, [4.1, 5.2]), name="measure", config=SECRET)
        return {"diagnosis": diagnosis, "values": values}

    patient = context.step(partial(echo, event["patient"]), name="admit", config=SECRET)
    config: ChildConfig[Any] = ChildConfig(serdes=Encrypted())
    record = context.run_in_child_context(visit, name="visit", config=config)
    context.wait(HOUR, name="wait for the letter")
    return context.step(partial(echo, f"{patient}: {record['diagnosis']}"), name="write")


@durable_execution
def traced_messages(event: list[str], context: DurableContext) -> Any:
    """Put results into envelopes with a time and a trace."""
    sent = []
    for text in event:
        sent.append(context.step(partial(echo, text), name=f"send {text}", config=STAMPED))
        context.wait(MINUTE, name=f"after {text}")
    config: MapConfig[Any] = MapConfig(item_serdes=Envelope())
    ask: Any = lambda child, text, *_: child.step(partial(echo, text), name="ask")  # noqa: E731
    asked: Any = context.map(sent, ask, name="ask all", config=config)
    context.wait(MINUTE, name="wait for the readers")
    return asked.get_results()


@durable_execution
def large_export(event: int, context: DurableContext) -> Any:
    """Offload rows to S3."""
    config = StepConfig(serdes=Offloaded())
    rows = context.step(lambda _: list(range(event)), name="read", config=config)
    context.wait(HOUR, name="wait for the night")
    doubled = context.step(lambda _: [2 * n for n in rows], name="double", config=config)
    return context.step(partial(echo, sum(doubled)), name="sum up")


@contextmanager
def mount() -> Iterator[Path]:
    """Context manager that makes an empty folder where a file system would be mounted."""
    folders = tempfile.TemporaryDirectory(prefix="corpus-mount-")
    with folders as folder, patch.dict(os.environ, MOUNT=folder):
        yield Path(folder)


@durable_execution
def mounted_files(event: int, context: DurableContext) -> Any:
    """Store rows on a mounted file system with the SDK's serializer."""
    config = StepConfig(serdes=FileSystemSerDes(os.environ["MOUNT"]))
    rows = context.step(lambda _: {"rows": list(range(event))}, name="read", config=config)
    context.wait(HOUR, name="wait for the night")
    triple = [3 * n for n in rows["rows"]]
    tripled = context.step(partial(echo, {"rows": triple}), name="triple", config=config)
    return len(tripled["rows"])


@durable_execution
def envelope_keys(event: dict[str, Any], context: DurableContext) -> Any:
    """Encrypt each value under a data key of its own."""
    config = StepConfig(serdes=DataKeys(Encrypted()))
    card = context.step(partial(echo, event["card"]), name="read the card", config=config)
    context.wait(Duration.from_minutes(10), name="wait for the bank")
    last = context.step(partial(echo, card[-4:]), name="mask", config=config)
    return context.step(partial(echo, f"paid with {last}"), name="pay")


@durable_execution
def mean_temperature(event: list[float], context: DurableContext) -> Any:
    """Compute a mean that is not a number where nothing was measured."""

    def mean(values: list[float], _: StepContext) -> float:
        return sum(values) / len(values) if values else math.nan

    here = context.step(partial(mean, event), name="mean of today")
    none = context.step(partial(mean, []), name="mean of nothing")
    context.wait(HOUR, name="wait for tomorrow")
    limits = {"low": -math.inf, "typical": none, "high": here}
    context.step(partial(echo, limits), name="publish")
    return limits


CASES = (
    correct(Scenario(handler=patient_record, event={"patient": "Ada"}), "serializer"),
    correct(Scenario(handler=traced_messages, event=["one", "two"]), "serializer"),
    correct(
        Scenario(handler=large_export, event=50, world=partial(bucket, "payloads")), "serializer"
    ),
    correct(
        Scenario(handler=mounted_files, event=50, world=mount),
        "serializer",
        "environment-outside-step",
    ),
    correct(Scenario(handler=envelope_keys, event={"card": "4000123412341234"}), "serializer"),
    correct(Scenario(handler=mean_temperature, event=[20.5, 21.5]), "not a number"),
)
"""Cases of serializers."""
