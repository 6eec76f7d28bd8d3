"""The state machines, run by moto's interpreter, with zero-length waits.

Up to `MOST_POLLS` polls, the counts come from the run itself. Beyond that, they are calculated from
the straight line through two runs. State transitions are billed; the limit is on events.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from compare import calls, costs
from compare.outcome import Counts, Outcome, Polls, polls_until
from scenarios.worlds.migration import TASK_ARN
from scenarios.worlds.migration_baseline import (
    deliver_event,
    polling_machine,
    token_machine,
)
from scenarios.worlds.state_machines import Run

POLLING, TOKEN = "Step Functions polls", "Step Functions token"
MOST_EVENTS = 25_000
"""Events in the history of one execution (Step Functions Developer Guide, quotas)."""
MOST_POLLS = 100
_LONG_SECONDS = 3_600


def poll(length: timedelta, pause: timedelta) -> Outcome:
    """Run the polling loop: wait, poll, choose, repeat."""
    needed = polls_until(length, pause)
    polls = min(needed, polls_at_the_limit())
    counts, is_measured = POLLS.counts(polls)
    return Outcome(
        POLLING,
        pause,
        length,
        counts,
        is_measured,
        costs.of_state_machine(counts),
        pause if polls == needed else None,
    )


@cache
def wait_for_token(length: timedelta) -> Outcome:
    """Wait for a task token; the counts are the same for any length of migration."""
    with calls.counted() as tables, token_machine() as (machine, world):
        run = machine.start(task_arn=TASK_ARN, timeout_seconds=_LONG_SECONDS)
        run.wait_until_submitted()
        world.finish()
        deliver_event()
        counts = _counts(run, invocations=2, tables=tables)
    return Outcome(
        TOKEN,
        None,
        length,
        counts,
        is_measured=True,
        dollars=costs.of_state_machine(counts),
        delay=timedelta(0),
    )


def polls_at_the_limit() -> int:
    """Return the number of polls that fit into a history."""
    line = POLLS.line
    return line.polls + (MOST_EVENTS - line.first.events) // line.every.events


def _run(polls: int) -> Counts:
    with calls.counted() as tables, polling_machine() as (machine, world):
        world.finish_after_descriptions(polls)
        run = machine.start(task_arn=TASK_ARN, start_type="start-replication", pause_seconds=0)
        return _counts(run, invocations=0, tables=tables)


def _counts(run: Run, invocations: int, tables: calls.TableCalls) -> Counts:
    status = run.wait()
    if status != "SUCCEEDED":
        raise AssertionError(f"state machine status {status}: {run.described.get('cause')}")
    return Counts(
        units=run.transitions,
        invocations=invocations,
        payload_bytes=run.payload_bytes,
        writes=tables.writes,
        reads=tables.reads,
        events=len(run.history),
    )


POLLS = Polls(_run, MOST_POLLS)
