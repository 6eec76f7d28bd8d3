"""A long history is replayed from selected points: some of each kind, and both ends."""

from __future__ import annotations

from functools import cache

from aws_durable_execution_sdk_python.lambda_service import Operation
from hypothesis import given, settings
from hypothesis import strategies as st

from dacapo import Scenario, run
from dacapo.history.points import choose_points
from dacapo.history.replay_log import Log
from tests.lab import handlers


@cache
def versions(steps: int) -> list[Operation]:
    return Log.of(run(Scenario(handler=handlers.steps, event=steps))).states


SIZES = st.sampled_from([1, 3, 60, 150])


@given(SIZES, st.integers(2, 400))
@settings(deadline=None)
def test_the_selection_is_sorted_without_duplicates_and_includes_both_ends(
    steps: int, most: int
) -> None:
    points = choose_points(versions(steps), most)
    assert points == sorted(set(points))
    assert (points[0], points[-1]) == (1, len(versions(steps)))


@given(SIZES, st.integers(2, 400))
@settings(deadline=None)
def test_the_selection_exceeds_the_limit_by_at_most_two_points_per_kind(
    steps: int, most: int
) -> None:
    kinds = 3  # the execution has started, a step has started, a step has succeeded
    assert len(choose_points(versions(steps), most)) <= max(most, 1) + 2 * kinds


@given(SIZES, st.integers(2, 400))
@settings(deadline=None)
def test_steps_whose_names_differ_by_a_number_are_one_kind(steps: int, most: int) -> None:
    statuses = {versions(steps)[count - 1].status for count in choose_points(versions(steps), most)}
    assert statuses == {version.status for version in versions(steps)}


def test_every_point_is_selected_from_a_short_history_or_on_request() -> None:
    assert choose_points(versions(60), 200) == list(range(1, 122))
    assert len(choose_points(versions(150), 200)) < len(choose_points(versions(150), None)) == 301
