"""Do the bookkeeping of a job posting: notify subscribers, confirm to the seller, update the count.

Nobody waits for this work, so it may take its time; and nobody will request it again, so it must
not get lost. This pattern shows:

- Independent branches: `parallel` runs three branches, and a branch that fails doesn't stop the
  others. Failures are reported once all branches have completed.
- One step per email: `map` (in `mailing`) checkpoints each email separately. After a crash, the
  execution resumes at the next email instead of the first one. (The email in flight at the crash
  may be sent twice, with the same idempotency key.)
- Failures as results: a rejected address is a result. Too many rejected addresses are an error that
  stops the mailing, because every further email to a list that bad hurts the sender's reputation.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, InvokeError, durable_execution
from aws_durable_execution_sdk_python.config import (
    CompletionConfig,
    Duration,
    ParallelBranch,
    ParallelConfig,
    StepConfig,
)

from patterns.fan_out import logic, mailing, postings
from patterns.fan_out.logic import Announcement
from patterns.mails import MailRefused
from patterns.transient import retry_transient

MAIL_FUNCTION_VARIABLE = "POSTING_MAIL_FUNCTION"
"""Environment variable with the mail function, qualified with its alias."""

CONFIRMATION_PAUSES = (
    Duration.from_seconds(30),
    Duration.from_minutes(2),
    Duration.from_minutes(8),
    *[Duration.from_minutes(15)] * 24,
)
"""Delays between the attempts to have the confirmation sent: they outlast 6 hours.

An invocation has no retry strategy, so this is a loop. Each attempt is two operations: 55 in all.
"""

_STEP = StepConfig(retry_strategy=retry_transient)
_ALL_BRANCHES = ParallelConfig(completion_config=CompletionConfig(tolerated_failure_percentage=100))


class BookkeepingFailed(Exception):  # noqa: N818 - says what it is
    """One or more branches failed; the message names each with its reason."""


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Do everything that follows from a new job posting.

    Parameters:
        event: the posting, a `logic.Announcement`: `{"posting_id": …, "trade": …, "date": …,
            "location": …}`.

    Returns:
        `{"posting_id": …, "notified": …, "unsubscribed": …, "not_notified": […],
        "is_confirmed": …}`.

    Raises:
        InvalidPosting: the event isn't a valid posting.
        BookkeepingFailed: one or more branches failed; all branches have completed.

    It outlasts an outage of 6 hours. After a day in all, the execution times out.
    """
    posting = logic.parse_announcement(event)
    branches: list[ParallelBranch[Any]] = [
        ParallelBranch(
            partial(mailing.notify_subscribers, posting=posting), name="notify the subscribers"
        ),
        ParallelBranch(partial(_confirm, posting=posting), name="confirm to the seller"),
        ParallelBranch(partial(_count, posting=posting), name="count the posting"),
    ]
    outcome = context.parallel(branches, name="do the bookkeeping", config=_ALL_BRANCHES)
    failures = [
        f"{branches[item.index].name}: {item.error.message if item.error else 'unknown error'}"
        for item in outcome.failed()
    ]
    if failures:
        raise BookkeepingFailed("; ".join(failures))
    notified, is_confirmed, _ = outcome.get_results()
    return {"posting_id": posting.posting_id, **notified, "is_confirmed": is_confirmed}


def _confirm(context: DurableContext, posting: Announcement) -> bool:
    function: str = context.step(
        lambda _: os.environ[MAIL_FUNCTION_VARIABLE],
        name="look up the mail function",
        config=_STEP,
    )

    def send(attempt: int) -> bool:
        name = f"confirm to the seller {attempt}"
        answer: dict[str, bool] = context.invoke(
            function, posting.model_dump(mode="json"), name=name
        )
        return answer["is_sent"]

    for attempt, pause in enumerate(CONFIRMATION_PAUSES, start=1):
        try:
            return send(attempt)
        except InvokeError as error:
            if _class_of(error) == MailRefused.__name__:
                raise
            context.logger.warning("confirmation to the seller failed: %s", _class_of(error))
        context.wait(pause, name=f"wait before attempt {attempt + 1}")
    return send(len(CONFIRMATION_PAUSES) + 1)


def _class_of(error: InvokeError) -> str:
    # A plain function reports the error's class name; a durable function adds its module.
    return (error.error_type or "").rpartition(".")[2]


def _count(context: DurableContext, posting: Announcement) -> None:
    context.step(lambda _: postings.count(posting), name="increment the count", config=_STEP)
