"""Several processes share one /tmp and import concurrently: the cache withstands it.

They are real processes that read from one S3 server on loopback, which counts the requests.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from patterns.batch_import import cache
from scenarios.worlds.ledger import BATCH_BYTES, BUCKET, cents_of, ledger
from scenarios.worlds.objects import Objects, Repeated, serving
from tests.patterns.import_processes import HALF_A_BLOCK

pytestmark = pytest.mark.prove  # it starts processes of its own

ROOT = Path(__file__).parents[2]
RECORDS = {"first": 200, "second": 210, "third": 30}
BLOCKS = {key: math.ceil(len(ledger(number)) / BATCH_BYTES) for key, number in RECORDS.items()}

Play = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def objects() -> Objects:
    return Objects({f"/{BUCKET}/{key}": Repeated(ledger(n)) for key, n in RECORDS.items()})


@pytest.fixture(scope="module")
def worker(objects: Objects) -> Iterator[subprocess.Popen[str]]:
    with serving(objects) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.patterns.import_processes"],
            cwd=ROOT,
            env={**os.environ, "AWS_ENDPOINT_URL_S3": url, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.communicate(timeout=20)  # closing its input ends it


@pytest.fixture
def play(worker: subprocess.Popen[str], tmp_path: Path) -> Play:
    """Import these objects concurrently, one process each; all rounds of a test share a /tmp."""

    def play(*keys: str, dies: tuple[str, ...] = ()) -> list[Any]:
        assert worker.stdin is not None
        assert worker.stdout is not None
        request = {"tmp": str(tmp_path), "keys": keys, "dies": dies}
        worker.stdin.write(f"{json.dumps(request)}\n")
        worker.stdin.flush()
        outcomes: list[Any] = json.loads(worker.stdout.readline())
        return outcomes

    return play


def imported(key: str) -> dict[str, Any]:
    """Return the outcome of a correct import."""
    number = RECORDS[key]
    total = {"records": number, "cents": sum(map(cents_of, range(number)))}
    return {"result": {**total, "batches": BLOCKS[key]}, "row": total}


def cached_in(tmp: Path) -> list[Path]:
    return sorted((tmp / cache.FOLDER).iterdir())


def test_a_block_that_one_process_has_read_is_not_read_again_by_others(
    objects: Objects, play: Play
) -> None:
    path = f"/{BUCKET}/first"
    assert BLOCKS["first"] <= cache.MAX_BLOCKS, "no block is evicted"
    before = objects.reads(path)
    assert play("first") == [imported("first")]
    assert objects.reads(path) - before == BLOCKS["first"]
    assert play("first", "first", "first") == [imported("first")] * 3
    assert objects.reads(path) - before == BLOCKS["first"]


def test_processes_that_evict_each_others_blocks_all_import_correctly(
    play: Play, tmp_path: Path
) -> None:
    assert BLOCKS["first"] + BLOCKS["second"] > cache.MAX_BLOCKS, "some blocks are evicted"
    keys = ("first", "second", "first")
    assert play(*keys) == [imported(key) for key in keys]
    assert len(cached_in(tmp_path)) <= cache.MAX_BLOCKS + len(keys)


def test_a_process_killed_while_writing_leaves_nothing_that_others_accept_as_a_block(
    play: Play, tmp_path: Path
) -> None:
    one, killed = play("first", "third", dies=("third",))
    assert killed == -signal.SIGXFSZ
    assert one == imported("first")
    left = [path for path in cached_in(tmp_path) if path.stat().st_size == HALF_A_BLOCK]
    assert left, "half a block is left"
    assert play("third") == [imported("third")]
    with patch.object(tempfile, "tempdir", str(tmp_path)):
        assert [cache.load(path.name) for path in left] == [None] * len(left)
