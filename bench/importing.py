"""Memory and time to import a 1 GiB object: durable with ranged reads, baseline in memory.

S3 is a separate process that generates the object while sending it. Each side runs in a fresh
process, with moto's DynamoDB inside.
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
from baselines import batch_import as baseline
from bench import sides
from bench.measuring import own_peak_memory_mb, seconds_of
from dacapo import Scenario
from dacapo.scenario import START
from dacapo.simulation.simulation import Simulation
from patterns.batch_import import totals
from patterns.batch_import.handler import handler
from scenarios.worlds.beyond_moto import slow
from scenarios.worlds.ledger import TOTALS, private_tmp
from scenarios.worlds.objects import BUCKET, KEY, gigabyte
from scenarios.worlds.registry import create_table, dynamodb

DURABLE, BASELINE = "durable", "baseline"
BATCH_SECONDS = 200
"""Virtual; the baseline then invokes itself three times, each time in a warm environment."""
OBJECT = {"bucket": BUCKET, "key": KEY}


@dataclass(frozen=True)
class Imported:
    """The measurements of an import.

    Parameters:
        seconds: real time.
        before_mb: peak resident memory before the first byte is read (Python, the SDK, the lab and
            moto), in MB as the operating system counts.
        peak_mb: peak resident memory overall, in MB.
        invocations: number of invocations.
    """

    seconds: float
    before_mb: float
    peak_mb: float
    invocations: int


def measured(side: str) -> Imported:
    """Import the object in a fresh process, from an S3 in another one.

    Parameters:
        side: `DURABLE` or `BASELINE`.

    Raises:
        subprocess.CalledProcessError: the import failed, or its total is wrong.
    """
    with _s3() as url:
        completed = subprocess.run(
            [sys.executable, "-m", "bench.importing", side],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "AWS_ENDPOINT_URL_S3": url},
        )
    return Imported(**json.loads(completed.stdout))


@contextmanager
def _s3() -> Iterator[str]:
    command = [sys.executable, "-m", "scenarios.worlds.objects"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None:
            raise RuntimeError("the object server has no output")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextmanager
def _table() -> Iterator[dict[str, int]]:
    row: dict[str, int] = {}
    with mock_aws(), private_tmp(), patch.dict(os.environ, {totals.TABLE_VARIABLE: TOTALS}):
        create_table(TOTALS, totals.KEY)
        yield row
        (item,) = dynamodb.scan(TableName=TOTALS)["Items"]
        row.update({field: int(item[field]["N"]) for field in ("records", "cents")})


def _durable() -> tuple[dict[str, int], int]:
    recording = dacapo.run(Scenario(handler=handler, event=OBJECT, world=_table))
    return recording.world, len(recording.invocations)


def _baseline() -> tuple[dict[str, int], int]:
    simulation = Simulation(0, START)
    simulation.add_function(BASELINE, baseline.handler, timeout=timedelta(minutes=15))
    with (
        simulation.running(),
        _table() as row,
        slow(totals.dynamodb, "UpdateItem", BATCH_SECONDS),
    ):
        boto3.client("lambda").invoke(
            FunctionName=BASELINE, InvocationType="Event", Payload=json.dumps(OBJECT).encode()
        )
        while not simulation.clock.is_idle():
            simulation.clock.run_next()
    return row, len(simulation.service.calls.completed)


def main() -> None:
    """Import the object with the side in the arguments, and print the measurements as JSON."""
    sides.quietly()
    run = {DURABLE: _durable, BASELINE: _baseline}[sys.argv[1]]
    _, total = gigabyte()
    before_mb = own_peak_memory_mb()
    results: list[tuple[dict[str, int], int]] = []
    seconds = seconds_of(lambda: results.append(run()))
    ((row, invocations),) = results
    if row != total:
        raise RuntimeError(f"the import totals {row} instead of {total}")
    print(json.dumps(vars(Imported(seconds, before_mb, own_peak_memory_mb(), invocations))))


if __name__ == "__main__":
    main()
