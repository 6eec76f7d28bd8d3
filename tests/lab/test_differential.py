"""The simulated service agrees with AWS's own runner on operations, results and errors.

These tests compare the operations by ID, with everything that a replay depends on. They do not
compare counts of invocations and checkpoints, which vary from run to run on the official runner,
nor handlers that wait inside map or parallel, which stall on it.
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
        handler=handlers.invoking, event="polled", functions={"polled": handlers.failed_step}
    ),
    "an invoke of a durable function that fails": Scenario(
        handler=handlers.invoking, event="failing", functions={"failing": handlers.failing}
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


@pytest.mark.parametrize("name", SCENARIOS)
def test_operations_result_and_error_equal_those_of_the_official_runner(name: str) -> None:
    ours, theirs = run(SCENARIOS[name]), runner.run(SCENARIOS[name])
    assert ours.operations, "nothing ran"
    assert comparable(ours) == comparable(theirs)
    assert (ours.status, ours.result, ours.error) == (theirs.status, theirs.result, theirs.error)


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
