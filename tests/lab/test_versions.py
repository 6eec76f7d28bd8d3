"""A history holds what a replay needs: from its events back to the operations as they were."""

from __future__ import annotations

from typing import Any

import pytest

from dacapo import Scenario, run
from dacapo.recording import Recording
from dacapo.versions import Truncated, state_after, versions
from tests.lab.test_differential import SCENARIOS
from tests.stories import STORIES


def left_by(recording: Recording) -> dict[str, Any]:
    """Every operation as its last event left it, without the execution itself."""
    latest = {version.operation_id: version for version in versions(recording.events)}
    return {o.id: latest.get(o.id) for o in recording.operations}


ALL: dict[str, Scenario] = SCENARIOS | dict(list(STORIES.items())[::3])
"""Of the stories each third: they are many, and the scenarios have every kind of operation."""


@pytest.mark.parametrize("name", ALL)
def test_the_history_gives_the_operations_back_as_the_service_left_them(name: str) -> None:
    recording = run(ALL[name])
    assert left_by(recording) == {o.id: o.stored for o in recording.operations}


def test_a_poll_is_pending_then_ready_again_before_its_next_attempt() -> None:
    recording = run(SCENARIOS["a poll"])
    (poll,) = recording.operations
    found = [v.status.value for v in versions(recording.events) if v.operation_id == poll.id]
    assert found == [*["STARTED", "PENDING", "READY"] * (poll.attempts - 1), "STARTED", "SUCCEEDED"]


def test_what_a_finished_context_hides_is_no_part_of_the_state() -> None:
    recording = run(SCENARIOS["child contexts"])
    shown = {operation.operation_id for operation in state_after(versions(recording.events))}
    inside = [o for o in recording.operations if o.around]
    assert inside
    assert not shown.intersection(o.id for o in inside)


def test_a_context_that_keeps_its_children_shows_them() -> None:
    recording = run(SCENARIOS["a big child"])
    shown = {operation.operation_id for operation in state_after(versions(recording.events))}
    assert shown.issuperset(o.id for o in recording.operations)


def test_a_payload_that_was_cut_is_refused_by_name() -> None:
    recording = run(SCENARIOS["steps"])
    event = next(event for event in recording.events if event["EventType"] == "StepSucceeded")
    event["StepSucceededDetails"]["Result"]["Truncated"] = True
    with pytest.raises(Truncated, match=f"the payload of '{event['Name']}'"):
        versions(recording.events)
