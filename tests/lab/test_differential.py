"""The simulated service agrees with AWS's own runner on operations, results and errors.

These tests compare the operations by ID, with everything that a replay depends on. They do not
compare counts of invocations and checkpoints, which vary from run to run on the official runner,
nor handlers that wait inside map or parallel, which stall on it. Branches that sleep do so in real
time there.
"""

from __future__ import annotations

from typing import Any

import pytest

from dacapo import Recording, Scenario, fail, run, succeed
from dacapo.official import runner
from tests.lab import handlers


def broken(event: Any, context: Any) -> None:
    raise ValueError("broken")


SCENARIOS = {
    "steps": Scenario(handler=handlers.steps, event=3),
    "waits": Scenario(handler=handlers.waits, event=3),
    "a retried step": Scenario(handler=handlers.retried_step),
    "a failed step": Scenario(handler=handlers.failed_step),
    "a failing handler": Scenario(handler=handlers.failing),
    "an at-most-once step": Scenario(handler=handlers.at_most_once),
    "a poll": Scenario(handler=handlers.polled, event=3),
    "a poll that runs out": Scenario(handler=handlers.polled, event=9),
    "a callback": Scenario(handler=handlers.called_back, answers={"callback": succeed({"a": 1})}),
    "an empty callback": Scenario(handler=handlers.called_back, answers={"callback": succeed()}),
    "a failed callback": Scenario(handler=handlers.called_back, answers={"callback": fail("no")}),
    "a wait for a callback": Scenario(
        handler=handlers.waited_for_callback, answers={"approval": succeed("yes")}
    ),
    "a failed wait for a callback": Scenario(
        handler=handlers.waited_for_callback,
        answers={"approval": fail("no", error_type="Rejected", data="{}")},
    ),
    "two callbacks of one name": Scenario(
        handler=handlers.two_callbacks, answers={"twice": [succeed(1), succeed(2)]}
    ),
    "an invoke": Scenario(
        handler=handlers.invoking, event="plain", functions={"plain": lambda e, c: e["n"]}
    ),
    "an invoke that fails": Scenario(
        handler=handlers.invoking, event="broken", functions={"broken": broken}
    ),
    "an invoke of a durable function": Scenario(
        handler=handlers.invoking, event="polled:1", functions={"polled": handlers.failed_step}
    ),
    "an invoke of a durable function that fails": Scenario(
        handler=handlers.invoking, event="failing:1", functions={"failing": handlers.failing}
    ),
    "child contexts": Scenario(handler=handlers.child_contexts),
    "a big child": Scenario(handler=handlers.big_child),
    "a map": Scenario(handler=handlers.mapped, event=5),
    "a flat map": Scenario(handler=handlers.mapped_flat, event=5),
    "a map with failures": Scenario(handler=handlers.mapped_with_failures, event=6),
    "a big map": Scenario(handler=handlers.big_map, event=4),
    "parallel branches": Scenario(handler=handlers.in_parallel),
    "a retried block": Scenario(handler=handlers.retried_block),
}


def sleeping(*seconds: float, limit: int | None = None, **completion: float) -> Scenario:
    event = {"seconds": seconds, "limit": limit, "completion": completion}
    return Scenario(handler=handlers.sleeping_map, event=event)


CONCURRENT = {
    "branches that sleep": sleeping(0.3, 0.1, 0.2),
    "a limit of two branches": sleeping(0.3, 0.1, 0.1, limit=2),
    "a race": sleeping(0.5, 0.1, 0.3, min_successful=1),
    "a race of parallel branches": Scenario(handler=handlers.sleeping_race, event=[0.4, 0.1, 0.4]),
    "a race whose fastest branch fails": sleeping(-0.1, 0.6, 0.3, min_successful=1),
    "the first two of three": sleeping(0.1, 0.6, 0.3, min_successful=2),
    "a race that not all branches enter": sleeping(0.3, 0.1, 0.1, limit=2, min_successful=1),
    "races in a race": Scenario(handler=handlers.races_in_a_race, event=[[0.4, 0.6], [0.4, 0.1]]),
    "a map that fails fast": sleeping(0.4, -0.1, 0.4, tolerated_failure_count=0),
    "a map that fails fast before all begin": sleeping(
        0.3, -0.1, 0.1, limit=2, tolerated_failure_count=0
    ),
    "a map that tolerates one failure": sleeping(-0.1, 0.1, -0.4, 0.7, tolerated_failure_count=1),
}
"""Batches in which time decides; the moments that matter are 0.2 s of real time apart."""


def comparable(recording: Recording) -> dict[str, Any]:
    """Return what has to be equal: the operations by ID, as a replay reads them."""
    return {
        operation.id: (
            operation.stored.operation_type,
            operation.stored.sub_type,
            operation.stored.name,
            operation.stored.parent_id,
            operation.stored.status,
            operation.attempts,
            operation.payload,
            operation.error,
            bool(
                operation.stored.context_details
                and operation.stored.context_details.replay_children
            ),
        )
        for operation in recording.operations
    }


def assert_equal(ours: Recording, theirs: Recording) -> None:
    assert ours.operations, "nothing ran"
    assert comparable(ours) == comparable(theirs)
    assert (ours.status, ours.result, ours.error) == (theirs.status, theirs.result, theirs.error)


@pytest.mark.parametrize("name", SCENARIOS)
def test_operations_result_and_error_equal_those_of_the_official_runner(name: str) -> None:
    assert_equal(run(SCENARIOS[name]), runner.run(SCENARIOS[name]))


@pytest.mark.parametrize("name", CONCURRENT)
def test_the_same_branches_win_lose_and_fail_as_on_the_official_runner(name: str) -> None:
    theirs = runner.run(CONCURRENT[name])
    for seed in range(4):
        assert_equal(run(CONCURRENT[name], seed=seed), theirs)


def test_the_scenarios_use_every_operation_of_the_sdk() -> None:
    kinds = {o.kind for scenario in SCENARIOS.values() for o in run(scenario).operations}
    assert kinds == {
        "Step",
        "Wait",
        "Callback",
        "RunInChildContext",
        "Map",
        "MapIteration",
        "Parallel",
        "ParallelBranch",
        "WaitForCallback",
        "WaitForCondition",
        "ChainedInvoke",
    }


def test_the_batches_end_for_every_reason_with_branches_of_every_status() -> None:
    results = [run(scenario).result for scenario in CONCURRENT.values()]
    batches = [result.get("outer", result) for result in results]
    assert {batch["reason"] for batch in batches} == {
        "ALL_COMPLETED",
        "MIN_SUCCESSFUL_REACHED",
        "FAILURE_TOLERANCE_EXCEEDED",
    }
    statuses = {status for batch in batches for status in batch["branches"].values()}
    assert statuses == {"SUCCEEDED", "FAILED", "STARTED"}
