"""Wait for a migration by its event, and never trust the event alone.

DMS sends an event when a replication task stops or fails, but it promises nothing: an event can be
lost, doubled, late, or about an earlier run of the same task. So here an event is a hint that it
is time to look. Look at three things:

- The row that leads from the task to the callback is put *before* the task starts, so no event can
  come too early.
- After an answer *or a timeout* the task is looked at in a step, and if it still runs it is waited
  for again, a bounded number of times. A lost event costs time; it never costs a migration.
- Whatever the event says, only that look decides how the migration ended.

What it costs, when the event comes: one wait, two invocations, however long the migration takes.
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

from patterns import callback_answers, callbacks
from patterns.event_callback.hint import LOOK
from patterns.migration import logic, task
from patterns.migration.logic import (
    Finished,
    MigrationNotStarted,
    MigrationUnfinished,
    Run,
    Standing,
)
from patterns.transient import retry_transient

EVENT_TIMEOUT = Duration.from_hours(8)
"""How long an event may keep us waiting before we look without one."""
MOST_WAITS = 12
"""Four days in all; the function's ExecutionTimeout must be longer."""

_STEP = StepConfig(retry_strategy=retry_transient)
_WAIT = WaitForCallbackConfig(timeout=EVENT_TIMEOUT, retry_strategy=retry_transient)


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> Finished:
    """Start a full load and wait until it has ended.

    Parameters:
        event: `{"task_arn": …}`, the DMS replication task to start.

    Raises:
        MigrationNotStarted: there is no such task, it runs already, DMS refused to start it, or
            another execution waits for it.
        MigrationFailed: it ended, but did not finish; the message is DMS's reason.
        MigrationUnfinished: it still ran after the last wait.
        CallbackExternalError: somebody failed the wait by hand, to have it end.
    """
    task_arn = logic.task_arn_of(event)
    run = _note_earlier_run(context, task_arn)
    since = run["noted_at"]
    for number in range(1, MOST_WAITS + 1):
        _wait_for_event(context, run, since, number)
        standing: Standing = context.step(
            lambda _: task.look(run), name=f"look after event {number}", config=_STEP
        )
        if logic.has_ended(standing):
            return logic.result_of(standing, task_arn)
        since = standing["looked_at"]
    raise MigrationUnfinished(f"{task_arn} still runs after {MOST_WAITS} waits")


def _note_earlier_run(context: DurableContext, task_arn: str) -> Run:
    try:
        run: Run = context.step(
            lambda _: task.note_earlier_run(task_arn), name="note the earlier run", config=_STEP
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
        elif logic.has_ended(task.look(run)):
            # The event may have come between two waits, when no row was open for it.
            callbacks.answer(run["task_arn"], LOOK)

    try:
        hint = context.wait_for_callback(submit, name=f"event {number}", config=_WAIT)
    except CallbackTimeoutError:
        context.logger.warning("no event came in time; looking without one")
    except CallbackError as error:
        failure = error
    got = callback_answers.received(hint, failure)
    context.step(
        lambda _: callbacks.close(run["task_arn"], owner=owner, got=got),
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
        # Both are reckoned from a moment before the callback was made, and recorded in a step:
        # an attempt that comes again writes the same row.
        deadline=_epoch(since) + EVENT_TIMEOUT.to_seconds(),
        not_before=math.floor(_epoch(run["noted_at"])),  # events tell whole seconds only
    )


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
