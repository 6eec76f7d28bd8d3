"""A history is enough to replay from: the operations can be rebuilt from its events."""

from __future__ import annotations

from typing import Any

import pytest

from dacapo import Scenario, run
from dacapo.errors import HistoryError
from dacapo.history.rebuild import operation_states, operations_after
from dacapo.history.recording import Recording
from tests.all_scenarios import SCENARIOS as OF_PATTERNS
from tests.lab.test_differential import SCENARIOS


def rebuild(recording: Recording) -> dict[str, Any]:
    """Return every operation as of its last event, without the execution itself."""
    latest = {version.operation_id: version for version in operation_states(recording.events)}
    return {o.id: latest.get(o.id) for o in recording.operations}


ALL: dict[str, Scenario] = SCENARIOS | dict(list(OF_PATTERNS.items())[::3])
"""Of the patterns' many scenarios every third: SCENARIOS covers every kind of operation."""


@pytest.mark.parametrize("name", ALL)
def test_the_operations_rebuilt_from_a_history_equal_those_of_the_service(name: str) -> None:
    recording = run(ALL[name])
    assert rebuild(recording) == {o.id: o.stored for o in recording.operations}


def test_a_poll_is_pending_then_ready_again_before_its_next_attempt() -> None:
    recording = run(SCENARIOS["a poll"])
    (poll,) = recording.operations
    seen = [v.status.value for v in operation_states(recording.events) if v.operation_id == poll.id]
    assert seen == [*["STARTED", "PENDING", "READY"] * (poll.attempts - 1), "STARTED", "SUCCEEDED"]


def test_the_state_omits_operations_inside_a_completed_context() -> None:
    recording = run(SCENARIOS["child contexts"])
    shown = {
        operation.operation_id for operation in operations_after(operation_states(recording.events))
    }
    inside = [o for o in recording.operations if o.around]
    assert inside
    assert not shown.intersection(o.id for o in inside)


def test_the_state_includes_operations_inside_a_context_that_replays_its_children() -> None:
    recording = run(SCENARIOS["a big child"])
    shown = {
        operation.operation_id for operation in operations_after(operation_states(recording.events))
    }
    assert shown.issuperset(o.id for o in recording.operations)


def test_a_truncated_payload_is_refused_and_its_operation_named() -> None:
    recording = run(SCENARIOS["steps"])
    event = next(event for event in recording.events if event.type == "StepSucceeded")
    event.details["Result"]["Truncated"] = True
    with pytest.raises(HistoryError, match=f"the payload of '{event.name}'"):
        operation_states(recording.events)
