"""Processes that import objects concurrently and share a /tmp, as on Lambda Managed Instances.

Run as a program, it reads rounds from its input, one line of JSON each, forks a process for each
import of a round, and prints the outcomes. Forking means that everything is loaded only once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any
from unittest.mock import patch

from moto import mock_aws

import dacapo  # import the lab first, so that the pattern's clients reach a run
from dacapo import Scenario
from patterns.batch_import import totals
from patterns.batch_import.handler import handler
from scenarios.worlds.ledger import BATCH_BYTES, BUCKET, TOTALS
from scenarios.worlds.registry import create_table, dynamodb

HALF_A_BLOCK = BATCH_BYTES // 2


def main() -> None:
    """Run each round that arrives on the input."""
    for line in sys.stdin:
        print(json.dumps(play(**json.loads(line))), flush=True)  # noqa: T201 - the reply


def play(tmp: str, keys: list[str], dies: list[str]) -> list[Any]:
    """Import objects concurrently; return each process's outcome, or the signal that killed it.

    Parameters:
        tmp: the shared /tmp.
        keys: the objects; two processes import an object that is listed twice.
        dies: the objects whose process is killed while it writes its first file.
    """
    os.environ["TMPDIR"] = tmp
    started = [_start(key, key in dies) for key in keys]
    outcomes = []
    for process, pipe in started:
        process.join()
        outcomes.append(pipe.recv() if process.exitcode == 0 else process.exitcode)
    return outcomes


def _start(key: str, dies: bool) -> tuple[Any, Connection]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_import, args=(key, dies, theirs))
    process.start()
    return process, ours


def _import(key: str, dies: bool, pipe: Connection) -> None:
    tempfile.tempdir = None  # so that it reads TMPDIR, as a fresh process does
    if dies:
        _arrange_to_be_killed_during_a_write()
    event = {"bucket": BUCKET, "key": key, "batch_bytes": BATCH_BYTES}
    recording = dacapo.run(Scenario(handler=handler, event=event, world=_table))
    pipe.send({"result": recording.result, "row": recording.world})


def _arrange_to_be_killed_during_a_write() -> None:
    # The system kills a process that exceeds this limit, and leaves its files as they are.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (HALF_A_BLOCK, HALF_A_BLOCK))


@contextmanager
def _table() -> Iterator[dict[str, int]]:
    row: dict[str, int] = {}
    with mock_aws(), patch.dict(os.environ, {totals.TABLE_VARIABLE: TOTALS}):
        create_table(TOTALS, totals.KEY)
        yield row
        (item,) = dynamodb.scan(TableName=TOTALS)["Items"]
        row.update({field: int(item[field]["N"]) for field in ("records", "cents")})


if __name__ == "__main__":
    main()
