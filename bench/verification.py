"""What is measured of verification: replays, and how many of them a history takes."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python.execution import (
    DurableExecutionInvocationInputWithClient,
    InitialExecutionState,
)

from bench import handlers, sides
from bench.measuring import Measured, seconds_of, side_by_side
from dacapo import Scenario
from dacapo.scenario import START
from dacapo.sdk_internals.simulated import in_simulation
from dacapo.service.functions import LambdaContext
from dacapo.simulation import Simulation
from dacapo.verify import rewound
from dacapo.verify.log import Log
from dacapo.verify.points import chosen
from dacapo.verify.verifier import verify
from dacapo.versions import state_after

PATTERNS = {
    "polling": "finishes",
    "event_callback": "event_on_time",
    "webhook_callback": "answered",
    "approval": "accepted",
}


def replays(steps: int, often: int, rounds: int) -> Measured:
    """Replays from the last point of so many steps: ours, with what is compared, and bare ones."""
    log = Log.of(sides.simulated(handlers.steps, steps))
    last = len(log.versions)
    state = state_after(log.versions)
    context: Any = LambdaContext("request", "steps")

    def ours() -> None:
        with Simulation(0, START).running():
            for _ in range(often):
                _require(list(rewound.findings(handlers.steps, log, [last])) == [])

    def bare() -> None:
        with in_simulation(0):
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


def rewound_seconds(steps: int, most: int | None) -> tuple[int, float]:
    """From how many points so many steps are replayed, and how long that takes."""
    log = Log.of(sides.simulated(handlers.steps, steps))
    points = chosen(log.versions, most)
    with Simulation(0, START).running():
        return len(points), seconds_of(lambda: list(rewound.findings(handlers.steps, log, points)))


def verify_seconds(pattern: str) -> float:
    """Real seconds of `verify`, as `dacapo verify` calls it, on one story of a pattern."""
    scenario: Scenario = getattr(importlib.import_module(f"scenarios.{pattern}"), PATTERNS[pattern])
    return seconds_of(partial(_verify, scenario))


def _verify(scenario: Scenario) -> None:
    _require(verify(scenario, processes=2).findings == [])


def _require(is_so: bool) -> None:
    if not is_so:
        raise RuntimeError("a replay did not do what is measured")
