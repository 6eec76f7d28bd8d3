"""Of a long history some points are chosen to replay from: every kind of them, and the ends."""

from __future__ import annotations

from functools import cache

from aws_durable_execution_sdk_python.lambda_service import Operation
from hypothesis import given, settings
from hypothesis import strategies as st

from dacapo import Scenario, run
from dacapo.verify.log import Log
from dacapo.verify.points import chosen
from tests.lab import handlers


@cache
def versions(steps: int) -> list[Operation]:
    return Log.of(run(Scenario(handler=handlers.steps, event=steps))).versions


SIZES = st.sampled_from([1, 3, 60, 150])


@given(SIZES, st.integers(2, 400))
@settings(deadline=None)
def test_the_first_and_the_last_point_are_chosen_each_once_and_in_order(
    steps: int, most: int
) -> None:
    points = chosen(versions(steps), most)
    assert points == sorted(set(points))
    assert (points[0], points[-1]) == (1, len(versions(steps)))


@given(SIZES, st.integers(2, 400))
@settings(deadline=None)
def test_no_more_are_chosen_than_asked_for_and_two_of_every_kind(steps: int, most: int) -> None:
    kinds = 3  # the execution has started, a step has started, a step has succeeded
    assert len(chosen(versions(steps), most)) <= max(most, 1) + 2 * kinds


@given(SIZES, st.integers(2, 400))
@settings(deadline=None)
def test_steps_that_differ_by_a_number_are_of_one_kind(steps: int, most: int) -> None:
    statuses = {versions(steps)[count - 1].status for count in chosen(versions(steps), most)}
    assert statuses == {version.status for version in versions(steps)}


def test_a_short_history_is_replayed_from_every_point_and_any_if_all_are_wanted() -> None:
    assert chosen(versions(60), 200) == list(range(1, 122))
    assert len(chosen(versions(150), 200)) < len(chosen(versions(150), None)) == 301
