"""An object of 1 GiB, imported durably by ranges, and by hand, held whole: memory and time.

S3 is a process of its own, which makes the object while it sends it. Each side runs in a fresh
process; DynamoDB is moto, in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from unittest.mock import patch

import boto3
from moto import mock_aws

import dacapo
from bench import sides
from bench.measuring import own_peak_memory_mb, seconds_of
from dacapo import Scenario
from dacapo.scenario import START
from dacapo.simulation import Simulation
from patterns.batch_import import before, totals
from patterns.batch_import.handler import handler
from scenarios.worlds.beyond_moto import slow
from scenarios.worlds.ledger import TOTALS, own_tmp
from scenarios.worlds.objects import BUCKET, KEY, gigabyte
from scenarios.worlds.registry import create_table, dynamodb

DURABLE, BY_HAND = "durable", "by_hand"
BATCH_SECONDS = 200
"""Virtual: so the hand-made one invokes itself three times, each time in a warm environment."""
OBJECT = {"bucket": BUCKET, "key": KEY}


@dataclass(frozen=True)
class Imported:
    """What an import took: real seconds, and memory in MB (resident, as the system counts).

    Parameters:
        before_mb: the peak before the first byte was read: Python, the SDK, the lab and moto.
        peak_mb: the peak of all.
        invocations: of how many it consisted.
    """

    seconds: float
    before_mb: float
    peak_mb: float
    invocations: int


def measured(side: str) -> Imported:
    """Import the object in a fresh process, from an S3 in another.

    Raises:
        subprocess.CalledProcessError: it failed, or came to another total.
    """
    with _s3() as url:
        ran = subprocess.run(
            [sys.executable, "-m", "bench.importing", side],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "AWS_ENDPOINT_URL_S3": url},
        )
    return Imported(**json.loads(ran.stdout))


@contextmanager
def _s3() -> Iterator[str]:
    command = [sys.executable, "-m", "scenarios.worlds.objects"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None:
            raise RuntimeError("the object server says nothing")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextmanager
def _table() -> Iterator[dict[str, int]]:
    row: dict[str, int] = {}
    with mock_aws(), own_tmp(), patch.dict(os.environ, {totals.TABLE_VARIABLE: TOTALS}):
        create_table(TOTALS, totals.KEY)
        yield row
        (item,) = dynamodb.scan(TableName=TOTALS)["Items"]
        row.update({field: int(item[field]["N"]) for field in ("records", "cents")})


def _durable() -> tuple[dict[str, int], int]:
    recording = dacapo.run(Scenario(handler=handler, event=OBJECT, world=_table))
    return recording.world, len(recording.invocations)


def _by_hand() -> tuple[dict[str, int], int]:
    simulation = Simulation(0, START)
    simulation.add_function(BY_HAND, before.handler, timeout=timedelta(minutes=15))
    with (
        simulation.running(),
        _table() as row,
        slow(totals.dynamodb, "UpdateItem", BATCH_SECONDS),
    ):
        boto3.client("lambda").invoke(
            FunctionName=BY_HAND, InvocationType="Event", Payload=json.dumps(OBJECT).encode()
        )
        while not simulation.clock.is_idle():
            simulation.clock.run_next()
    return row, len(simulation.service.calls.made)


def main() -> None:
    """Import it the one way or the other, and print what that took, as JSON."""
    sides.quietly()
    run = {DURABLE: _durable, BY_HAND: _by_hand}[sys.argv[1]]
    _, total = gigabyte()
    before_mb = own_peak_memory_mb()
    done: list[tuple[dict[str, int], int]] = []
    seconds = seconds_of(lambda: done.append(run()))
    ((row, invocations),) = done
    if row != total:
        raise RuntimeError(f"it came to {row} instead of {total}")
    print(json.dumps(vars(Imported(seconds, before_mb, own_peak_memory_mb(), invocations))))


if __name__ == "__main__":
    main()
