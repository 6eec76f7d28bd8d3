"""The baseline of `schedule`: how its function adjusts its rule, and its weaknesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from baselines import schedule as baseline
from baselines.schedule import DAY_OFF_PACE, WORKING_DAY_PACE
from patterns.schedule import work
from scenarios.schedule import BERLIN
from scenarios.worlds.rules import RuleClock, once
from scenarios.worlds.schedule import RULE, Readings, put_rule, rule_world
from scenarios.worlds.stage import on_stage
from tests.interference import Moment, at_every_call, crash_at, watching

events = boto3.client("events")

FRIDAY_NIGHT = datetime(2026, 1, 9, 23, 40, tzinfo=BERLIN)
"""When the rule is created: its next invocation is Saturday's first."""
CALLS = ["DescribeRule", "PutRule", "GetQueueAttributes", "UpdateItem"]
"""The calls of an invocation that changes the pace."""
CLIENTS = [baseline.events, work.sqs, work.dynamodb]


class System:
    """The function, its rule, and the clock that fires the rule."""

    def __init__(self, world: Readings) -> None:
        self.world = world
        self.clock = RuleClock("baseline", RULE)

    def done_after(
        self, minutes: int, calls: Callable[[datetime], int] = once
    ) -> list[tuple[str, int]]:
        """Return the work done by then: the local times in Berlin, and how often each was done."""
        self.clock.run(datetime.now(UTC) + timedelta(minutes=minutes), calls)
        self.world.refresh()
        done = [(datetime.fromisoformat(at), runs) for at, runs in self.world.rows.items()]
        return [(f"{at.astimezone(BERLIN):%H:%M}", runs) for at, runs in done]


@pytest.fixture
def system() -> Iterator[System]:
    with on_stage(rule_world, {"baseline": baseline.handler}, FRIDAY_NIGHT) as (_, world):
        yield System(world)


def pace() -> str:
    expression: str = events.describe_rule(Name=RULE)["ScheduleExpression"]
    return expression


# -- adjusting the rule ---------------------------------------------------------------------------


def test_the_first_invocation_of_a_day_off_slows_the_rule_down(system: System) -> None:
    assert system.done_after(150) == [("00:00", 1), ("01:00", 1), ("02:00", 1)]
    assert pace() == DAY_OFF_PACE


@pytest.mark.prove
def test_the_first_invocation_of_a_working_day_speeds_the_rule_up_again(system: System) -> None:
    system.done_after(48 * 60)
    assert pace() == DAY_OFF_PACE
    system.done_after(21)
    assert pace() == WORKING_DAY_PACE


def test_a_rule_with_the_right_pace_is_left_alone(system: System) -> None:
    with watching([baseline.events]) as calls:
        system.done_after(3 * 60)
    assert calls.names == ["DescribeRule", "PutRule", "DescribeRule", "DescribeRule"]


def test_all_other_settings_of_the_rule_are_preserved(system: System) -> None:
    role = "arn:aws:iam::123456789012:role/rule"
    put_rule(RULE, RoleArn=role, State="DISABLED", Description="original description")
    baseline.ensure_pace(RULE, DAY_OFF_PACE)
    rule = events.describe_rule(Name=RULE)
    assert rule["ScheduleExpression"] == DAY_OFF_PACE
    settings = (rule["RoleArn"], rule["State"], rule["Description"])
    assert settings == (role, "DISABLED", "original description")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 1, 9, 22, 59, tzinfo=UTC), WORKING_DAY_PACE),
        (datetime(2026, 1, 9, 23, 0, tzinfo=UTC), DAY_OFF_PACE),  # Saturday in Berlin
        (datetime(2026, 1, 11, 22, 59, tzinfo=UTC), DAY_OFF_PACE),
        (datetime(2026, 1, 11, 23, 0, tzinfo=UTC), WORKING_DAY_PACE),  # Monday in Berlin
        (datetime(2026, 12, 25, 12, 0, tzinfo=UTC), DAY_OFF_PACE),
    ],
)
def test_the_pace_follows_the_local_date(system: System, moment: datetime, expected: str) -> None:
    assert baseline.pace_at(moment) == expected


# -- weaknesses -----------------------------------------------------------------------------------


def test_the_first_invocation_of_a_day_off_makes_these_calls(system: System) -> None:
    with watching(CLIENTS) as calls:
        system.done_after(30)
    assert calls.names == CALLS


@at_every_call(CALLS)
def test_a_crash_at_any_call_is_retried_and_repeats_work_that_was_already_done(
    system: System, moment: Moment
) -> None:
    with crash_at(CLIENTS, moment) as crashes:
        done = system.done_after(30)
    assert crashes
    assert done == [("00:00", 2 if moment == (3, "after") else 1)]
    assert pace() == DAY_OFF_PACE


def test_a_duplicate_invocation_works_twice(system: System) -> None:
    assert system.done_after(30, calls=lambda _: 2) == [("00:00", 2)]


def test_a_late_rewrite_shifts_all_later_work(system: System) -> None:
    """After a crash, the retry rewrites the rule a minute later, and the hour starts from there."""
    with crash_at(CLIENTS, (0, "before")) as crashes:
        done = system.done_after(90)
    assert crashes
    assert done == [("00:00", 1), ("01:01", 1)]


@pytest.mark.prove
def test_a_day_whose_first_invocation_is_lost_starts_an_hour_late(system: System) -> None:
    system.done_after(47 * 60)
    lost = datetime(2026, 1, 12, tzinfo=BERLIN)
    done = system.done_after(150, calls=lambda at: int(at != lost))
    assert done[-2:] == [("23:00", 1), ("01:00", 1)]


def test_a_rule_that_is_disabled_during_a_rewrite_is_enabled_again(
    system: System,
) -> None:
    def disable(number: int, when: str) -> None:
        if (number, when) == (0, "after"):
            events.disable_rule(Name=RULE)

    with watching([baseline.events], disable):
        system.done_after(30)
    assert events.describe_rule(Name=RULE)["State"] == "ENABLED"
