"""The state machines, run by moto's interpreter, with waits of no length.

Up to `MOST_LOOKS` looks the run itself is counted. Beyond, the counts are reckoned: they lie on a
straight line, and two runs give it. What is charged are state transitions; the limit is on events.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from compare import calls, costs
from compare.outcome import Counts, Looks, Outcome, delay_of, looks_until
from scenarios.worlds.migration import TASK_ARN
from scenarios.worlds.migration_before import (
    bring_event,
    polling_machine,
    token_machine,
)
from scenarios.worlds.state_machines import Run

POLLING, TOKEN = "Step Functions polls", "Step Functions token"
MOST_EVENTS = 25_000
"""Events of one execution's history (Step Functions developer guide, quotas)."""
MOST_LOOKS = 100
_LONG_SECONDS = 3_600


def asking(length: timedelta, pause: timedelta) -> Outcome:
    """Wait, look, choose, and again."""
    wanted = looks_until(length, pause)
    looks = min(wanted, looks_at_the_wall())
    counts, is_counted = LOOKS.counts(looks)
    return Outcome(
        POLLING,
        pause,
        length,
        counts,
        is_counted,
        costs.of_state_machine(counts),
        delay_of(length, pause) if looks == wanted else None,
        is_delay_seen=False,
    )


@cache
def being_told(length: timedelta) -> Outcome:
    """Wait for a token; it takes the same however long the migration does."""
    with calls.counted() as tables, token_machine() as (machine, world):
        run = machine.start(task_arn=TASK_ARN, timeout_seconds=_LONG_SECONDS)
        run.wait_until_submitted()
        world.finish()
        bring_event()
        counts = _counts(run, invocations=2, tables=tables)
    return Outcome(
        TOKEN,
        None,
        length,
        counts,
        is_counted=True,
        dollars=costs.of_state_machine(counts),
        delay=timedelta(0),
        is_delay_seen=False,
    )


def looks_at_the_wall() -> int:
    """How many looks fit into a history."""
    line = LOOKS.line
    return line.looks + (MOST_EVENTS - line.first.events) // line.every.events


def _looking(looks: int) -> Counts:
    with calls.counted() as tables, polling_machine() as (machine, world):
        world.finish_after_descriptions(looks)
        run = machine.start(task_arn=TASK_ARN, start_type="start-replication", pause_seconds=0)
        return _counts(run, invocations=0, tables=tables)


def _counts(run: Run, invocations: int, tables: calls.TableCalls) -> Counts:
    status = run.wait()
    if status != "SUCCEEDED":
        raise AssertionError(f"the state machine {status.lower()}: {run.described.get('cause')}")
    return Counts(
        units=run.transitions,
        invocations=invocations,
        payload_bytes=run.payload_bytes,
        writes=tables.writes,
        reads=tables.reads,
        events=len(run.history),
    )


LOOKS = Looks(_looking, MOST_LOOKS)
