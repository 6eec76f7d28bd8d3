"""Do work every 20 minutes, or every hour on days off, for as long as you like.

This pattern shows:

- Deciding the interval in a step, because that reads the clock: on replay, the handler waits for
  the same moment again, regardless of the current time and calendar.
- Tolerating failures: a round that fails is counted, and the next round follows. Only several
  failures in a row end the schedule.
- Skipping missed moments: they are counted, not made up for, and the next round runs on time.
- Handing over: an execution can't run forever, because it may have 3,000 operations and each replay
  takes longer than the last. Long before that, it starts a fresh execution by name, so a retry
  starts nothing new. To Lambda, a function that invokes itself 16 times in a chain is a recursive
  loop to be stopped: deploy the function with `RecursiveLoop: Allow`.

Without holidays you need none of this: EventBridge Scheduler supports time zones, and two
schedules, `cron(0/20 * ? * MON-FRI *)` and `cron(0 * ? * SAT,SUN *)`, do the same without any code.
The only difference is that they run once in the hour that clocks repeat in autumn.

A schedule ends with the last moment that isn't after `until`. To end it earlier, stop its running
execution (StopDurableExecution) and check whether it had just handed over: if so, stop the
successor too.
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
from patterns.schedule.plan import Plan, parse_plan
from patterns.starting import start_once
from patterns.transient import retry_transient

MAX_FAILURES = 6
"""Number of consecutive failures that end the schedule: two hours of a working day."""

_STEP = StepConfig(retry_strategy=retry_transient)


class TooManyFailures(Exception):  # noqa: N818 - says what it is
    """Too many consecutive rounds failed; somebody has to investigate."""


@dataclass
class Tally:
    """The progress of an execution: number of moments worked, failed, and missed.

    Parameters:
        last: the moment of the last round, or None before the first round.
        in_a_row: number of consecutive failures up to the last round.
    """

    last: str | None
    in_a_row: int
    worked: int = 0
    failed: int = 0
    missed: int = 0

    def result(self, **more: str) -> dict[str, Any]:
        """Return the result of the execution."""
        return {"worked": self.worked, "failed": self.failed, "missed": self.missed, **more}


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Run a number of rounds of a schedule, then hand over; `start` starts a schedule.

    Parameters:
        event: a `Plan`.

    Returns:
        `{"worked": …, "failed": …, "missed": …}`, numbers of moments in this execution, and
        `"successor"`, the ARN of the next execution, unless the schedule has ended.

    Raises:
        InvalidSchedule: the event isn't a valid plan.
        TooManyFailures: 6 consecutive rounds failed, each after hours if its error was transient.
        StepError: the next execution could not be started.
    """
    plan = parse_plan(event)
    tally = Tally(plan.last.isoformat() if plan.last else None, plan.failures)
    for number in range(1, plan.rounds + 1):
        due = _decide(context, plan, tally, number)
        tally.missed += due["missed"]
        if plan.is_over(due["at"]):
            return tally.result()
        context.wait(Duration.from_seconds(due["seconds"]), name=f"wait for round {number}")
        _work(context, plan, due, tally, number)
        # Missed moments count as well: after an outage that took thousands of retries, what is left
        # of the 3,000 operations is not enough for all rounds.
        if number + tally.missed >= plan.rounds:
            break
    return tally.result(successor=_hand_over(context, plan, tally))


def _decide(context: DurableContext, plan: Plan, tally: Tally, number: int) -> Due:
    last = datetime.fromisoformat(tally.last) if tally.last else None

    def decide(step: StepContext) -> Due:
        now = datetime.now(UTC)
        if not plan.days.covers(now.astimezone(plan.days.zone).date()):
            step.logger.warning("calendar %s lists no holidays for this year", plan.calendar)
        return logic.decide(now, plan.days, last=last, until=plan.until)

    return context.step(decide, name=f"schedule round {number}", config=_STEP)


def _work(context: DurableContext, plan: Plan, due: Due, tally: Tally, number: int) -> None:
    at = tally.last = due["at"]
    try:
        context.step(
            lambda _: work.take_reading(plan.name, at), name=f"run round {number}", config=_STEP
        )
    except StepError as error:
        context.logger.warning("round %s, due at %s, failed: %s", number, at, error.error_type)
        tally.failed, tally.in_a_row = tally.failed + 1, tally.in_a_row + 1
        if tally.in_a_row >= MAX_FAILURES:
            message = f"{tally.in_a_row} rounds in a row failed, the last one due at {at}"
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
