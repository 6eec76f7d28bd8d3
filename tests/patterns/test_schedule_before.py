"""The rule that rewrites itself: what its function sees to, and where the approach is weak."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from patterns.schedule import before, work
from patterns.schedule.before import DAY_OFF_PACE, WORKING_DAY_PACE
from scenarios.schedule import BERLIN
from scenarios.worlds.rules import RuleClock, once
from scenarios.worlds.schedule import RULE, Readings, put_rule, rule_world
from scenarios.worlds.stage import on_stage
from tests.interference import Moment, at_every_call, dying_at, watching

events = boto3.client("events")

FRIDAY_NIGHT = datetime(2026, 1, 9, 23, 40, tzinfo=BERLIN)
"""When the rule is put: its next call is Saturday's first."""
CALLS = ["DescribeRule", "PutRule", "GetQueueAttributes", "UpdateItem"]
"""What a call does that changes the pace."""
CLIENTS = [before.events, work.sqs, work.dynamodb]


class System:
    """The function, its rule, and the clock that fires it."""

    def __init__(self, world: Readings) -> None:
        self.world = world
        self.clock = RuleClock("before", RULE)

    def done_after(
        self, minutes: int, calls: Callable[[datetime], int] = once
    ) -> list[tuple[str, int]]:
        """What was done by then: what clocks in Berlin showed, and how often."""
        self.clock.run(datetime.now(UTC) + timedelta(minutes=minutes), calls)
        self.world.look()
        done = [(datetime.fromisoformat(at), runs) for at, runs in self.world.rows.items()]
        return [(f"{at.astimezone(BERLIN):%H:%M}", runs) for at, runs in done]


@pytest.fixture
def system() -> Iterator[System]:
    with on_stage(rule_world, {"before": before.handler}, FRIDAY_NIGHT) as (_, world):
        yield System(world)


def pace() -> str:
    found: str = events.describe_rule(Name=RULE)["ScheduleExpression"]
    return found


# -- what it sees to ------------------------------------------------------------------------------


def test_the_first_call_of_a_day_off_slows_the_rule_down(system: System) -> None:
    assert system.done_after(150) == [("00:00", 1), ("01:00", 1), ("02:00", 1)]
    assert pace() == DAY_OFF_PACE


def test_the_first_call_of_a_working_day_speeds_it_up_again(system: System) -> None:
    system.done_after(48 * 60)
    assert pace() == DAY_OFF_PACE
    system.done_after(21)
    assert pace() == WORKING_DAY_PACE


def test_a_rule_at_the_right_pace_is_left_alone(system: System) -> None:
    with watching([before.events]) as calls:
        system.done_after(3 * 60)
    assert calls.made == ["DescribeRule", "PutRule", "DescribeRule", "DescribeRule"]


def test_what_else_the_rule_says_is_kept(system: System) -> None:
    role = "arn:aws:iam::123456789012:role/rule"
    put_rule(RULE, RoleArn=role, State="DISABLED", Description="as it was")
    before.keep_pace(RULE, DAY_OFF_PACE)
    found = events.describe_rule(Name=RULE)
    assert found["ScheduleExpression"] == DAY_OFF_PACE
    kept = (found["RoleArn"], found["State"], found["Description"])
    assert kept == (role, "DISABLED", "as it was")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 1, 9, 22, 59, tzinfo=UTC), WORKING_DAY_PACE),
        (datetime(2026, 1, 9, 23, 0, tzinfo=UTC), DAY_OFF_PACE),  # Saturday, there
        (datetime(2026, 1, 11, 22, 59, tzinfo=UTC), DAY_OFF_PACE),
        (datetime(2026, 1, 11, 23, 0, tzinfo=UTC), WORKING_DAY_PACE),  # Monday, there
        (datetime(2026, 12, 25, 12, 0, tzinfo=UTC), DAY_OFF_PACE),
    ],
)
def test_the_day_is_that_of_the_place(system: System, moment: datetime, expected: str) -> None:
    assert before.pace_at(moment) == expected


# -- where it is weak -----------------------------------------------------------------------------


def test_the_first_call_of_a_day_off_is_these_calls(system: System) -> None:
    with watching(CLIENTS) as calls:
        system.done_after(30)
    assert calls.made == CALLS


@at_every_call(CALLS)
def test_whoever_dies_between_two_calls_is_called_again_and_works_again_if_it_had(
    system: System, moment: Moment
) -> None:
    with dying_at(CLIENTS, moment) as died:
        done = system.done_after(30)
    assert died
    assert done == [("00:00", 2 if moment == (3, "after") else 1)]
    assert pace() == DAY_OFF_PACE


def test_a_call_that_comes_twice_works_twice(system: System) -> None:
    assert system.done_after(30, calls=lambda _: 2) == [("00:00", 2)]


def test_a_pace_that_is_put_late_moves_all_that_follows(system: System) -> None:
    """Who dies before the rule is put has it put a minute later, and an hour starts from there."""
    with dying_at(CLIENTS, (0, "before")) as died:
        done = system.done_after(90)
    assert died
    assert done == [("00:00", 1), ("01:01", 1)]


def test_a_day_that_begins_with_a_lost_call_begins_an_hour_late(system: System) -> None:
    system.done_after(47 * 60)
    lost = datetime(2026, 1, 12, tzinfo=BERLIN)
    done = system.done_after(150, calls=lambda at: int(at != lost))
    assert done[-2:] == [("23:00", 1), ("01:00", 1)]


def test_whoever_disables_the_rule_while_it_is_rewritten_has_it_enabled_again(
    system: System,
) -> None:
    def disable(number: int, when: str) -> None:
        if (number, when) == (0, "after"):
            events.disable_rule(Name=RULE)

    with watching([before.events], disable):
        system.done_after(30)
    assert events.describe_rule(Name=RULE)["State"] == "ENABLED"
