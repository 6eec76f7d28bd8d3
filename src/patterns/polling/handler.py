"""Wait for a migration by polling its status until it ends.

This example shows `wait_for_condition` with bounds: the delay grows from one minute to 15, the
number of polls is limited, and a transient error in one poll does not end the wait.

Cost: every poll is a charged operation, and an invocation that replays the handler from the top.
Polling can't go on forever: the service fails an execution at 3,000 operations, even in the middle
of a wait. If the job can send an event, wait for that instead (`event_callback`).
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
    TaskStatus,
)
from patterns.transient import is_transient, retry_transient

_STEP = StepConfig(retry_strategy=retry_transient)


@dataclass(frozen=True)
class Pace:
    """Frequency and duration of polling.

    Parameters:
        initial_delay: delay before the second poll; at least one second.
        max_delay: upper limit of the delay.
        backoff_rate: factor from each delay to the next; 1 for a constant delay.
        max_polls: limit on the number of polls; each is an operation, and an execution is limited
            to 3,000 operations.
    """

    initial_delay: Duration
    max_delay: Duration
    backoff_rate: float
    max_polls: int

    def strategy(self) -> Callable[[TaskStatus, int], WaitForConditionDecision]:
        """Return the wait strategy: whether to poll again, and after which delay."""
        return create_wait_strategy(
            WaitStrategyConfig[TaskStatus](
                should_continue_polling=lambda status: not logic.has_ended(status),
                max_attempts=self.max_polls,
                initial_delay=self.initial_delay,
                max_delay=self.max_delay,
                backoff_rate=self.backoff_rate,
                # One execution polls one task: there is no thundering herd to spread out.
                jitter_strategy=JitterStrategy.NONE,
            )
        )


PACE = Pace(Duration.from_minutes(1), Duration.from_minutes(15), backoff_rate=1.5, max_polls=120)
"""About 28 hours, of which an outage may take any part: a poll that fails counts as one that finds
the migration under way. The function's ExecutionTimeout must be longer, by the 25 hours that the
two steps before may take."""


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> Finished:
    """Start a full load and wait until it ends.

    Parameters:
        event: `{"task_arn": …}`, the DMS replication task to start.

    Raises:
        MigrationNotStarted: the task does not exist or is already running, or DMS refused to start
            it.
        MigrationFailed: it ended without finishing; the message is DMS's reason.
        MigrationUnfinished: it was still running after the last poll.
        WaitForConditionError: a poll failed with an error that is not transient.
    """
    return migrate(event, context, PACE)


def migrate(event: dict[str, Any], context: DurableContext, pace: Pace) -> Finished:
    """Run the handler's body at a pace of your choice."""
    task_arn = logic.task_arn_of(event)
    run = _start(context, task_arn)
    return logic.result_of(_wait_until_ended(context, run, pace), task_arn)


def _start(context: DurableContext, task_arn: str) -> Run:
    try:
        run = context.step(
            lambda _: task.record_earlier_run(task_arn), name="record the earlier run", config=_STEP
        )
        context.step(lambda _: task.start(run), name="start the migration", config=_STEP)
    except StepError as error:
        raise MigrationNotStarted(error.message) from error
    return run


def _wait_until_ended(context: DurableContext, run: Run, pace: Pace) -> TaskStatus:
    def poll(last: TaskStatus, check: WaitForConditionCheckContext) -> TaskStatus:
        try:
            return task.check(run)
        except (BotoCoreError, ClientError) as error:
            # An error raised here would end the wait while the migration keeps running.
            if not is_transient(error):
                raise
            check.logger.warning("poll failed, will retry: %s", error)
            return last

    config = WaitForConditionConfig(pace.strategy(), initial_state=logic.NOT_CHECKED_YET)
    try:
        return context.wait_for_condition(poll, config, name="wait until it has ended")
    except WaitForConditionError as error:
        if not _ran_out_of_polls(error):
            raise
        message = f"{run['task_arn']} is still running after {pace.max_polls} polls"
        raise MigrationUnfinished(message) from error


def _ran_out_of_polls(error: WaitForConditionError) -> bool:
    # The SDK raises the same class when a poll fails. The error type tells the two apart, on the
    # first run and on replay.
    return error.error_type.endswith(WaitForConditionError.__name__)
