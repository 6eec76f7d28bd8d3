"""One seed, one history: the same events, IDs, payloads and virtual times, every time."""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution

from dacapo import Recording, Scenario, run, succeed
from tests.lab import handlers
from tests.lab.validity import assert_valid

LONGEST = "a thousand operations"
SCENARIOS = {
    "waiting map": Scenario(handler=handlers.mapped_waits, event=[5, 1, 3, 1]),
    "flat waiting map": Scenario(handler=handlers.mapped_waits_flat, event=[5, 1, 3, 1]),
    "any two": Scenario(handler=handlers.any_two, event=6),
    "race": Scenario(
        handler=handlers.race, answers={"answer": succeed(1, after=timedelta(minutes=1))}
    ),
    "nested maps": Scenario(handler=handlers.nested_maps, event=4),
    "big map": Scenario(handler=handlers.big_map, event=4),
    "big child": Scenario(handler=handlers.big_child),
    "failures": Scenario(handler=handlers.mapped_with_failures, event=9),
    LONGEST: Scenario(handler=handlers.mapped, event=500),
}


def as_text(recording: Recording) -> str:
    return json.dumps(recording.to_json(), sort_keys=True)


@pytest.mark.parametrize(
    "name",
    [
        *(name for name in SCENARIOS if name != LONGEST),
        pytest.param(LONGEST, marks=pytest.mark.prove),
    ],
)
def test_the_same_seed_reproduces_the_same_history(name: str) -> None:
    first, *others = [run(SCENARIOS[name], seed=7) for _ in range(5)]
    assert_valid(first)
    assert {as_text(other) for other in others} == {as_text(first)}


@pytest.mark.prove
def test_twenty_seeds_yield_twenty_valid_histories_of_one_map() -> None:
    recordings = [run(SCENARIOS["waiting map"], seed=seed) for seed in range(20)]
    for recording in recordings:
        assert_valid(recording)
        assert recording.result == [5, 1, 3, 1]
    orders = {tuple(e.name for e in r.events if e.name) for r in recordings}
    assert len(orders) > 10, "the seed does not choose the order of the branches"
    assert len({recording.arn for recording in recordings}) == 20


def test_the_seed_decides_which_branches_win() -> None:
    winners = {tuple(run(SCENARIOS["any two"], seed=seed).result) for seed in range(20)}
    assert len(winners) > 5


@pytest.mark.prove
def test_processes_with_different_hash_seeds_write_the_same_histories() -> None:
    script = (
        "import hashlib, logging; logging.disable(50)\n"
        "from tests.lab.test_determinism import SCENARIOS, as_text, run\n"
        "from scenarios import event_callback, polling\n"
        "from dacapo import Scenario\n"
        "patterns = [s for m in (polling, event_callback) for s in vars(m).values()\n"
        "            if isinstance(s, Scenario)]\n"
        "assert len(patterns) > 20\n"
        "for scenario in [*SCENARIOS.values(), *patterns]:\n"
        "    print(hashlib.sha256(as_text(run(scenario, seed=3)).encode()).hexdigest())\n"
    )
    outputs = []
    for hash_seed in ("1", "2"):
        environment = os.environ | {
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": "src:.",
            "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        }
        command = [sys.executable, "-c", script]
        result = subprocess.run(
            command, env=environment, capture_output=True, check=True, timeout=100
        )
        outputs.append(result.stdout.decode().split())
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0])) == len(outputs[0])


@durable_execution
def reads_everything(event: Any, context: DurableContext) -> Any:
    """Read every clock and every source of randomness, in a step."""

    def read(_: object) -> list[str]:
        return [
            str(value)
            for value in (
                time.time(),
                datetime.now(UTC),
                random.random(),
                uuid.uuid4(),
                uuid.uuid1(),
                secrets.token_hex(),
                os.urandom(4).hex(),
            )
        ]

    return context.step(read, name="look around")


def test_clock_and_randomness_come_from_the_run() -> None:
    scenario = Scenario(handler=reads_everything)
    first, second = run(scenario), run(scenario)
    assert first.result == second.result
    assert first.result[1] == "2026-01-01 00:00:00+00:00"
    others = run(scenario, seed=1).result
    assert all(a != b for a, b in zip(first.result[2:], others[2:], strict=True))


def test_clock_and_randomness_are_restored_after_a_run() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    now, urandom, sleep = time.time(), os.urandom, time.sleep
    run(Scenario(handler=reads_everything))
    assert random.random() == expected
    assert 0 <= time.time() - now < 60
    assert (os.urandom, time.sleep) == (urandom, sleep)


@durable_execution
def sleeps(event: Any, context: DurableContext) -> str:
    context.step(lambda _: time.sleep(event), name="slow step")
    return datetime.now(UTC).isoformat()


def test_a_sleep_in_a_handler_takes_virtual_time() -> None:
    start = time.monotonic()
    recording = run(Scenario(handler=sleeps, event=600))
    assert recording.result == "2026-01-01T00:10:00+00:00"
    assert recording.operation("slow step").length == timedelta(minutes=10)
    assert time.monotonic() - start < 60


IMPORTS_IN_TWO_RUNS = """
import importlib, sys, moto.core.models
from contextlib import contextmanager
from dacapo import Scenario, run
from tests.lab import handlers

@contextmanager
def importing(name):
    assert name not in sys.modules
    importlib.import_module(name)
    yield

for name in ("moto.sdb.models", "moto.synthetics.models"):
    run(Scenario(handler=handlers.waits, event=1, world=lambda: importing(name)))
from moto.sdb.models import sdb_backends
from moto.synthetics.models import synthetics_backends
print(hash(sdb_backends) == hash(synthetics_backends))
"""


@pytest.mark.prove
def test_libraries_that_two_runs_import_draw_ids_that_differ() -> None:
    """Moto keeps a list of services with data, and takes those with equal IDs for one."""
    command = [sys.executable, "-c", IMPORTS_IN_TWO_RUNS]
    result = subprocess.run(command, capture_output=True, check=True, timeout=100)
    assert result.stdout.decode().split() == ["False"]
