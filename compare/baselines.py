"""A scheduled function that polls every migration its table lists as in progress, in virtual time.

Up to `MOST_POLLS` polls, the counts come from the run itself; beyond that, two runs give the line.
"""

from __future__ import annotations

from datetime import timedelta

from baselines import polling as baseline
from compare import calls, costs
from compare.outcome import Counts, Outcome, Polls, polls_until
from scenarios.worlds.migration import TASK_ARN
from scenarios.worlds.migration_baseline import BEGIN, CHECK, schedule_world, state_in_table
from scenarios.worlds.stage import on_stage

POLLING = "scheduled function"
MOST_POLLS = 300


def poll(length: timedelta, pause: timedelta) -> Outcome:
    """Have a rule call a function after every pause, whether a migration is in progress or not."""
    polls = polls_until(length, pause)
    counts, is_measured = POLLS.counts(polls)
    return Outcome(
        POLLING,
        pause,
        length,
        counts,
        is_measured,
        costs.of_functions_and_tables(counts),
        pause,
    )


def _run(polls: int) -> Counts:
    functions = {BEGIN: baseline.begin, CHECK: baseline.check}
    with calls.counted() as tables, on_stage(schedule_world, functions) as (stage, world):
        stage.call(BEGIN, {"task_arn": TASK_ARN})
        for number in range(polls):
            if number == polls - 1:
                world.finish()
            stage.call(CHECK, {})
        if state_in_table() != "finished":
            raise AssertionError("the last poll did not see the end of the migration")
        return Counts(
            invocations=stage.calls_of(BEGIN) + stage.calls_of(CHECK),
            payload_bytes=tables.bytes_sent,
            writes=tables.writes,
            reads=tables.reads,
        )


POLLS = Polls(_run, MOST_POLLS)
