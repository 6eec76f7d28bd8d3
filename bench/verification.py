"""Measurements of verification: single replays, replays of a whole history, and `verify`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python.execution import (
    DurableExecutionInvocationInputWithClient,
    InitialExecutionState,
)

from bench import handlers, sides
from bench.measuring import Measured, seconds_of, side_by_side
from dacapo import Scenario
from dacapo.history.points import choose_points
from dacapo.history.rebuild import operations_after
from dacapo.history.replay_log import Log
from dacapo.scenario import START
from dacapo.sdk.deterministic import in_simulation
from dacapo.service.functions import LambdaContext
from dacapo.simulation.simulation import Simulation
from dacapo.verify.compare import replays as compared
from dacapo.verify.findings import ExperimentName
from dacapo.verify.verifier import ALL, verify

PATTERNS = {
    "polling": "finishes",
    "event_callback": "event_on_time",
    "webhook_callback": "answered",
    "approval": "accepted",
}

NAME = ExperimentName.REPLAYED


def replays(steps: int, often: int, rounds: int) -> Measured:
    """Time replays from the last point of a history: the lab's with its checks, and the bare SDK's.

    Parameters:
        steps: number of steps in the history.
        often: replays per round.
        rounds: number of times that each side is timed.
    """
    log = Log.of(sides.simulated(handlers.steps, steps))
    last = len(log.states)
    state = operations_after(log.states)
    context: Any = LambdaContext("request", "steps")

    def ours() -> None:
        with Simulation(0, START).running():
            for _ in range(often):
                _require(list(compared.observations(handlers.steps, log, [last], NAME)) == [])

    def bare() -> None:
        with in_simulation(Simulation(0, START).scheduler):
            for _ in range(often):
                output = handlers.steps(
                    DurableExecutionInvocationInputWithClient(
                        log.arn,
                        "token",
                        InitialExecutionState(state, ""),
                        service_client=sides.Pages(state),
                    ),
                    context,
                )
                _require(output["Status"] == "SUCCEEDED")

    return side_by_side(ours, bare, rounds)


def replay_seconds(steps: int, most: int | None) -> tuple[int, float]:
    """Replay a history, and return the number of points and the seconds that it takes.

    Parameters:
        steps: number of steps in the history.
        most: points to select at least; None for all.
    """
    log = Log.of(sides.simulated(handlers.steps, steps))
    points = choose_points(log.states, most)
    with Simulation(0, START).running():
        return len(points), seconds_of(
            lambda: list(compared.observations(handlers.steps, log, points, NAME))
        )


def verify_seconds(pattern: str, *, cold: bool = False) -> float:
    """Time `verify` on a pattern's scenario, as `dacapo verify` runs it, in real seconds.

    Parameters:
        cold: whether *cold* is among the experiments; its interpreters run already.
    """
    scenario: Scenario = getattr(importlib.import_module(f"scenarios.{pattern}"), PATTERNS[pattern])
    only = [name for name in ALL if cold or name is not ExperimentName.COLD]
    return seconds_of(partial(_verify, scenario, only))


def _verify(scenario: Scenario, only: Sequence[ExperimentName]) -> None:
    _require(verify(scenario, processes=2, only=only).proved == [])


def _require(is_so: bool) -> None:
    if not is_so:
        raise RuntimeError("a replay did not complete without findings")
