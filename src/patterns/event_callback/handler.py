"""Wait for a migration by its event, but never trust the event alone.

DMS sends an event when a replication task stops or fails, with no guarantees: an event can be lost,
duplicated, late, or about an earlier run of the same task. So we treat it as a hint: time to check.

This example shows:

- **No early events.** The registry row that maps the task to the callback is put *before* the task
  starts, so no event can arrive too early.
- **Lost events are harmless.** After an answer *or a timeout*, a step checks the task. If it is
  still running, we wait again, a bounded number of times. A lost event costs time; it never costs a
  migration.
- **Wrong events are harmless.** Only that check decides how the migration ended.

Cost, when the event arrives: one wait and two invocations, however long the migration takes.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from aws_durable_execution_sdk_python import (
    CallbackTimeoutError,
    DurableContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, StepConfig, WaitForCallbackConfig

from patterns import callbacks
from patterns.event_callback.resolver import CHECK
from patterns.migration import logic, task
from patterns.migration.logic import (
    Finished,
    MigrationNotStarted,
    MigrationUnfinished,
    Run,
    TaskStatus,
)
from patterns.transient import retry_transient

EVENT_TIMEOUT = Duration.from_hours(8)
"""Longest wait for an event before we check without one."""
MAX_WAITS = 12
"""Four days in total; the function's ExecutionTimeout must be longer."""

_STEP = StepConfig(retry_strategy=retry_transient)
_WAIT = WaitForCallbackConfig(timeout=EVENT_TIMEOUT, retry_strategy=retry_transient)


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> Finished:
    """Start a full load and wait until it ends.

    Parameters:
        event: `{"task_arn": …}`, the DMS replication task to start.

    Raises:
        MigrationNotStarted: the task does not exist, is already running, or another execution
            waits for it; or DMS refused to start it.
        MigrationFailed: it ended without finishing; the message is DMS's reason.
        MigrationUnfinished: it was still running after the last wait.
        CallbackExternalError: an operator failed the callback to end the wait.
    """
    task_arn = logic.task_arn_of(event)
    run = _record_earlier_run(context, task_arn)
    for number in range(1, MAX_WAITS + 1):
        _wait_for_event(context, run, number)
        # An event is a hint: only the task itself says whether it has ended, and how.
        status: TaskStatus = context.step(
            lambda _: task.check(run), name=f"check after event {number}", config=_STEP
        )
        if logic.has_ended(status):
            return logic.result_of(status, task_arn)
    raise MigrationUnfinished(f"{task_arn} is still running after {MAX_WAITS} waits")


def _record_earlier_run(context: DurableContext, task_arn: str) -> Run:
    try:
        run: Run = context.step(
            lambda _: task.record_earlier_run(task_arn), name="record the earlier run", config=_STEP
        )
    except StepError as error:
        raise MigrationNotStarted(error.message) from error
    return run


def _wait_for_event(context: DurableContext, run: Run, number: int) -> None:
    def submit() -> None:
        if number == 1:
            task.start(run)
        elif logic.has_ended(task.check(run)):
            # The event may have arrived between two waits, while no row was open for it.
            callbacks.answer(run["task_arn"], CHECK)

    try:
        callbacks.wait_for_answer(
            context,
            submit,
            name=f"event {number}",
            row=run["task_arn"],
            config=_WAIT,
            parse=str,  # any text means: time to check
            not_before=_not_before(run),
        )
    except CallbackTimeoutError:
        context.logger.warning("no event arrived in time, checking without one")
    except StepError as error:
        if number == 1:
            raise MigrationNotStarted(error.message) from error
        raise


def _not_before(run: Run) -> float:
    # DMS still reports the end of the earlier run. Its events have a resolution of a second.
    return math.floor(datetime.fromisoformat(run["recorded_at"]).timestamp())
