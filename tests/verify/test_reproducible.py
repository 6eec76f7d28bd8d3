"""A verdict depends on the handler: not on hash seeds, options of pytest, or the machine's load.

Two runs of a handler are compared that are as different as possible, and then ten.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import PATH, run_pytest
from tests.depth import every

MODULE = """
import json
import os

import pytest
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration

from dacapo import Scenario
from dacapo.cli.verify import as_json
from dacapo.verify.verifier import verify

CITIES = {"Rome", "Oslo", "Bern"}

@durable_execution
def iterates_a_set(event, context):
    visited = []
    for city in CITIES:
        visited.append(context.step(lambda _: city.upper(), name=f"visit {city}"))
        context.wait(Duration.from_days(1), name=f"after {city}")
    return visited

def make():
    @durable_execution
    def fills_a_closure(event, context):
        basket = []

        def add(_):
            basket.append("tea")
            return "added"

        context.step(add, name="add")
        context.wait(Duration.from_days(1), name="a day")
        return context.step(lambda _: f"{len(basket)} sold", name="sell")

    return fills_a_closure

@durable_execution
def is_correct(event, context):
    visited = []
    for city in sorted(CITIES):
        visited.append(context.step(lambda _: city.upper(), name=f"visit {city}"))
        context.wait(Duration.from_days(1), name=f"after {city}")
    return visited

HANDLERS = {
    "iterates_a_set": iterates_a_set, "fills_a_closure": make(), "is_correct": is_correct
}

@pytest.mark.parametrize("name", [os.environ["HANDLER"]])
def test_it(name):
    scenario = Scenario(handler=HANDLERS[name], name=name)
    report = verify(scenario, processes=int(os.environ["PROCESSES"]))
    with open(os.environ["REPORT"], "w") as file:
        json.dump(as_json(report), file, default=str)
"""
SPIN = "while True: pass"
VERDICTS = {"iterates_a_set": "breaks", "fills_a_closure": "breaks", "is_correct": "survives"}


@dataclass(frozen=True)
class Conditions:
    """Settings that must make no difference.

    Parameters:
        hash_seed: of the process that verifies.
        options: of pytest.
        processes: how many runs are made at the same time.
        load: how many processes keep the machine busy meanwhile.
    """

    hash_seed: str = "0"
    options: tuple[str, ...] = ()
    processes: int = 1
    load: int = 0

    def __str__(self) -> str:
        options = " ".join(self.options)
        return f"seed {self.hash_seed} {options} processes {self.processes} load {self.load}"


TWO = (Conditions(), Conditions("4", ("-v",), processes=2, load=2))
TEN = (
    *TWO,
    *(Conditions(str(seed)) for seed in (1, 2)),
    Conditions("3", ("-v",)),
    Conditions("5", processes=2),
    Conditions("6", ("-v", "-s"), processes=2),
    Conditions("7", ("-n", "2")),
    Conditions("random", load=4),
    Conditions("random", ("-v",), processes=2, load=4),
)


@contextmanager
def busy(load: int) -> Iterator[None]:
    """Context manager in which so many processes never rest."""
    with ExitStack() as stack:
        for _ in range(load):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", SPIN]))
            stack.callback(process.kill)
        yield


def verified(handler: str, conditions: Conditions, folder: Path) -> Mapping[str, Any]:
    """Return what the verifier reports under these conditions, without what it took."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PYTHONHASHSEED": conditions.hash_seed,
        "PYTHONPATH": os.pathsep.join(PATH),
        "HANDLER": handler,
        "PROCESSES": str(conditions.processes),
        "REPORT": str(report),
    }
    with busy(conditions.load):
        done = run_pytest(
            *conditions.options,
            "test_reproduced.py",
            cwd=folder,
            environment=environment,
            seconds=300,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    printed: dict[str, Any] = json.loads(report.read_text())
    for experiment in printed["experiments"].values():
        del experiment["seconds"]
    return printed


def assert_same(handler: str, each: tuple[Conditions, ...], folder: Path) -> None:
    (folder / "test_reproduced.py").write_text(MODULE)
    first, *others = (verified(handler, conditions, folder) for conditions in each)
    assert first["verdict"] == VERDICTS[handler]
    assert all(
        one["state"] in {"made", "not applicable", "off"} for one in first["experiments"].values()
    )
    for conditions, other in zip(each[1:], others, strict=True):
        assert other == first, str(conditions)


@pytest.mark.prove
@pytest.mark.parametrize("handler", every(3, VERDICTS))
def test_a_verdict_is_the_same_under_conditions_that_differ_in_everything(
    handler: str, tmp_path: Path
) -> None:
    assert_same(handler, TWO, tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("handler", VERDICTS)
def test_a_verdict_is_the_same_ten_times(handler: str, tmp_path: Path) -> None:
    assert len(TEN) == 10
    assert_same(handler, TEN, tmp_path)
