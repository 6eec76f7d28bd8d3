"""Wait for a migration by asking how it stands, until it has ended.

Look at `wait_for_condition`: the pause grows from a minute to a quarter of an hour, the polls are
counted and bounded, and a poll that fails for a passing reason is not the end of the wait.

What it costs: every poll is an operation that is charged and an invocation that replays the
handler from the top. And it can't go on for ever: at 3,000 operations the execution is failed by
the service, whatever it waits for. Where the job can send an event, wait for that instead
(`event_callback`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_durable_execution_sdk_python import (
    DurableContext,
    StepError,
    WaitForConditionError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, JitterStrategy, StepConfig
from aws_durable_execution_sdk_python.types import WaitForConditionCheckContext
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitForConditionDecision,
    WaitStrategyConfig,
    create_wait_strategy,
)
from botocore.exceptions import BotoCoreError, ClientError

from patterns.migration import logic, task
from patterns.migration.logic import (
    Finished,
    MigrationNotStarted,
    MigrationUnfinished,
    Run,
    Standing,
)
from patterns.transient import is_transient, retry_transient

_STEP = StepConfig(retry_strategy=retry_transient)


@dataclass(frozen=True)
class Pace:
    """How often to ask, and for how long.

    Parameters:
        first_pause: before the second poll; at least a second.
        longest_pause: what the pauses grow to.
        growth: of each pause, from one to the next; 1 for pauses that are all the same.
        most_polls: the bound; an execution can't have more than 3,000 operations, and each poll
            is one.
    """

    first_pause: Duration
    longest_pause: Duration
    growth: float
    most_polls: int

    def strategy(self) -> Callable[[Standing, int], WaitForConditionDecision]:
        """Whether to ask again after a poll, and when."""
        return create_wait_strategy(
            WaitStrategyConfig[Standing](
                should_continue_polling=lambda standing: not logic.has_ended(standing),
                max_attempts=self.most_polls,
                initial_delay=self.first_pause,
                max_delay=self.longest_pause,
                backoff_rate=self.growth,
                # One execution asks for one task, so there is no herd to spread.
                jitter_strategy=JitterStrategy.NONE,
            )
        )


PACE = Pace(Duration.from_minutes(1), Duration.from_minutes(15), growth=1.5, most_polls=120)
"""Some 28 hours; the function's ExecutionTimeout must be longer."""


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> Finished:
    """Start a full load and wait until it has ended.

    Parameters:
        event: `{"task_arn": …}`, the DMS replication task to start.

    Raises:
        MigrationNotStarted: there is no such task, it runs already, or DMS refused to start it.
        MigrationFailed: it ended, but did not finish; the message is DMS's reason.
        MigrationUnfinished: it still ran after the last poll.
        WaitForConditionError: DMS refused to say how it stands.
    """
    return migrate(event, context, PACE)


def migrate(event: dict[str, Any], context: DurableContext, pace: Pace) -> Finished:
    """What the handler does, at a pace of one's own."""
    task_arn = logic.task_arn_of(event)
    run = _start(context, task_arn)
    return logic.result_of(_wait_until_ended(context, run, pace), task_arn)


def _start(context: DurableContext, task_arn: str) -> Run:
    try:
        run = context.step(
            lambda _: task.note_earlier_run(task_arn), name="note the earlier run", config=_STEP
        )
        context.step(lambda _: task.start(run), name="start the migration", config=_STEP)
    except StepError as error:
        raise MigrationNotStarted(error.message) from error
    return run


def _wait_until_ended(context: DurableContext, run: Run, pace: Pace) -> Standing:
    def look(last: Standing, check: WaitForConditionCheckContext) -> Standing:
        try:
            return task.look(run)
        except (BotoCoreError, ClientError) as error:
            # An error that leaves this function would end the wait, while the migration runs on.
            if not is_transient(error):
                raise
            check.logger.warning("could not look at the task, will ask again: %s", error)
            return last

    config = WaitForConditionConfig(pace.strategy(), initial_state=logic.NOT_LOOKED_YET)
    try:
        return context.wait_for_condition(look, config, name="wait until it has ended")
    except WaitForConditionError as error:
        if not _ran_out_of_polls(error):
            raise
        message = f"{run['task_arn']} still runs after {pace.most_polls} polls"
        raise MigrationUnfinished(message) from error


def _ran_out_of_polls(error: WaitForConditionError) -> bool:
    # The SDK raises the same class for a poll that failed; the type of what escaped tells them
    # apart, on replay as on the first run.
    return error.error_type.endswith(WaitForConditionError.__name__)
