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
    CallbackError,
    CallbackSubmitterError,
    CallbackTimeoutError,
    DurableContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, StepConfig, WaitForCallbackConfig
from aws_durable_execution_sdk_python.types import WaitForCallbackContext

from patterns import callbacks
from patterns.callbacks import answers
from patterns.event_callback.hint import CHECK
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
    since = run["recorded_at"]
    for number in range(1, MAX_WAITS + 1):
        _wait_for_event(context, run, since, number)
        status: TaskStatus = context.step(
            lambda _: task.check(run), name=f"look after event {number}", config=_STEP
        )
        if logic.has_ended(status):
            return logic.result_of(status, task_arn)
        since = status["checked_at"]
    raise MigrationUnfinished(f"{task_arn} is still running after {MAX_WAITS} waits")


def _record_earlier_run(context: DurableContext, task_arn: str) -> Run:
    try:
        run: Run = context.step(
            lambda _: task.record_earlier_run(task_arn), name="note the earlier run", config=_STEP
        )
    except StepError as error:
        raise MigrationNotStarted(error.message) from error
    return run


def _wait_for_event(context: DurableContext, run: Run, since: str, number: int) -> None:
    owner = context.execution_context.durable_execution_arn
    hint: str | None = None
    failure: CallbackError | None = None

    def submit(callback_id: str, _: WaitForCallbackContext) -> None:
        _open_row(run, callback_id, owner, since)
        if number == 1:
            task.start(run)
        elif logic.has_ended(task.check(run)):
            # The event may have arrived between two waits, while no row was open for it.
            callbacks.answer(run["task_arn"], CHECK)

    try:
        hint = context.wait_for_callback(submit, name=f"event {number}", config=_WAIT)
    except CallbackTimeoutError:
        context.logger.warning("no event arrived in time, checking without one")
    except CallbackError as error:
        failure = error
    answer = answers.received(hint, failure)
    context.step(
        lambda _: callbacks.close(run["task_arn"], owner=owner, received=answer),
        name=f"close event {number}",
        config=_STEP,
    )
    if isinstance(failure, CallbackSubmitterError) and number == 1:
        raise MigrationNotStarted(failure.message) from failure
    if failure is not None:
        raise failure


def _open_row(run: Run, callback_id: str, owner: str, since: str) -> None:
    callbacks.put(
        run["task_arn"],
        callback_id,
        owner=owner,
        # Both derive from a time that a step recorded before the callback existed, so a retried
        # attempt writes the same row.
        deadline=_epoch(since) + EVENT_TIMEOUT.to_seconds(),
        not_before=math.floor(_epoch(run["recorded_at"])),  # events have a resolution of 1 s
    )


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
