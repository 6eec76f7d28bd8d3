"""A function on a schedule that looks at what a table says is under way, in virtual time.

Up to `MOST_LOOKS` looks the run itself is counted; beyond, two runs give the line.
"""

from __future__ import annotations

from datetime import timedelta

from compare import calls, costs
from compare.outcome import Counts, Looks, Outcome, delay_of, looks_until
from patterns.polling import before
from scenarios.worlds.migration import TASK_ARN
from scenarios.worlds.migration_before import BEGIN, LOOK, schedule_world, state_in_table
from scenarios.worlds.stage import on_stage

POLLING = "by hand, schedule"
MOST_LOOKS = 300


def asking(length: timedelta, pause: timedelta) -> Outcome:
    """A rule calls a function after every pause, whether anybody waits or not."""
    looks = looks_until(length, pause)
    counts, is_counted = LOOKS.counts(looks)
    return Outcome(
        POLLING,
        pause,
        length,
        counts,
        is_counted,
        costs.of_functions_and_tables(counts),
        delay_of(length, pause),
        is_delay_seen=False,
    )


def _looking(looks: int) -> Counts:
    functions = {BEGIN: before.begin, LOOK: before.look}
    with calls.counted() as tables, on_stage(schedule_world, functions) as (stage, world):
        stage.call(BEGIN, {"task_arn": TASK_ARN})
        for look in range(looks):
            if look == looks - 1:
                world.finish()
            stage.call(LOOK, {})
        if state_in_table() != "finished":
            raise AssertionError("the last look did not see the end")
        return Counts(
            invocations=stage.calls_of(BEGIN) + stage.calls_of(LOOK),
            payload_bytes=tables.bytes_sent,
            writes=tables.writes,
            reads=tables.reads,
        )


LOOKS = Looks(_looking, MOST_LOOKS)
