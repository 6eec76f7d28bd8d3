"""Work every 20 minutes, every hour on days off, for as long as you like.

Look at four things:

- The interval is decided in a step, because the clock is read there: a replay waits for the same
  moment again, whatever the hour and the calendar say by then.
- A round that fails is noted, and the next one comes. Only several in a row end the schedule.
- A moment that has passed is not made up for: it is counted, and the next one comes at its time.
- An execution can't go on for ever: it has 3,000 operations, and every replay is longer than the
  last. So it hands over to a fresh one well before, by name: asking again starts nothing new. To
  Lambda a function that invokes itself 16 times in a chain is a runaway, which it stops: the
  function has to be deployed with `RecursiveLoop: Allow`.

Without holidays you need none of this: EventBridge Scheduler knows time zones, and two schedules,
`cron(0/20 * ? * MON-FRI *)` and `cron(0 * ? * SAT,SUN *)`, do the same without any code; only the
hour that the clocks repeat in autumn they work through once.

A schedule ends with the last moment that is not after `until`. To end it earlier, stop its running
execution (StopDurableExecution), and look whether it had just handed over: then stop that one too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, StepError, durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig
from aws_durable_execution_sdk_python.types import StepContext

from patterns.schedule import logic, work
from patterns.schedule.logic import Due
from patterns.schedule.plan import Plan, plan_of
from patterns.start import start_once
from patterns.transient import retry_transient

MOST_FAILURES = 6
"""Rounds in a row that may fail: two hours of a working day."""

_STEP = StepConfig(retry_strategy=retry_transient)


class TooManyFailures(Exception):  # noqa: N818 - says what it is
    """So many rounds in a row have failed that somebody has to look."""


@dataclass
class Tally:
    """How far an execution has come, and how: moments worked for, failed, and missed.

    Parameters:
        last: the moment of the last round; None if there was none.
        in_a_row: how many of the last rounds have failed.
    """

    last: str | None
    in_a_row: int
    worked: int = 0
    failed: int = 0
    missed: int = 0

    def result(self, **more: str) -> dict[str, Any]:
        """What the execution returns."""
        return {"worked": self.worked, "failed": self.failed, "missed": self.missed, **more}


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Make some rounds of a schedule, then hand over; begin one with `begin`.

    Parameters:
        event: a `Plan`.

    Returns:
        `{"worked": …, "failed": …, "missed": …}`, the moments of this execution, and `"successor"`,
        the ARN of the next one, unless the schedule is over.

    Raises:
        InvalidSchedule: the event is no plan.
        TooManyFailures: round after round has failed.
        StepError: the next execution could not be started.
    """
    plan = plan_of(event)
    tally = Tally(plan.last.isoformat() if plan.last else None, plan.failures)
    for number in range(1, plan.rounds + 1):
        due = _decide(context, plan, tally, number)
        tally.missed += due["missed"]
        if plan.is_over(due["at"]):
            return tally.result()
        context.wait(Duration.from_seconds(due["seconds"]), name=f"wait for round {number}")
        _work(context, plan, due, tally, number)
    return tally.result(successor=_hand_over(context, plan, tally))


def _decide(context: DurableContext, plan: Plan, tally: Tally, number: int) -> Due:
    last = datetime.fromisoformat(tally.last) if tally.last else None

    def decide(step: StepContext) -> Due:
        now = datetime.now(UTC)
        if not plan.days.covers(now.astimezone(plan.days.zone).date()):
            step.logger.warning("calendar %s has no holidays of this year", plan.calendar)
        return logic.decide(now, plan.days, last=last, until=plan.until)

    return context.step(decide, name=f"decide when round {number} is", config=_STEP)


def _work(context: DurableContext, plan: Plan, due: Due, tally: Tally, number: int) -> None:
    at = tally.last = due["at"]
    try:
        context.step(lambda _: work.read(plan.name, at), name=f"round {number}", config=_STEP)
    except StepError as error:
        context.logger.warning("round %s, for %s, failed: %s", number, at, error.error_type)
        tally.failed, tally.in_a_row = tally.failed + 1, tally.in_a_row + 1
        if tally.in_a_row >= MOST_FAILURES:
            message = f"{tally.in_a_row} rounds in a row failed, the last one for {at}"
            raise TooManyFailures(f"{message}: {error.message}") from error
    else:
        tally.worked, tally.in_a_row = tally.worked + 1, 0


def _hand_over(context: DurableContext, plan: Plan, tally: Tally) -> str:
    next_plan = plan.successor(last=tally.last or "", failures=tally.in_a_row)
    return context.step(
        lambda _: start_once(next_plan.function, next_plan.key, next_plan.to_json()),
        name=f"hand over to generation {next_plan.generation}",
        config=_STEP,
    )
