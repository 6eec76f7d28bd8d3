"""Keep the books of a leed that was posted: tell its trade's subscribers, its seller, the count.

Nobody waits for this, so it may take its time; and nobody asks for it again, so it must not get
lost. Look at three things:

- `parallel` has three branches that know nothing of each other. One that fails stops no other one:
  what failed is told at the end, when all have ended.
- `map` (in `mailing`) has one step for each mail, so what was sent is on record mail by mail. Who
  dies in the middle goes on with the next mail, and not with the first. (The mail that was under
  way may come twice; it carries the same key.)
- A refused address is a result. That too many are refused is an error, and the end: a list that
  bad costs the sender its good name with every further mail.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, InvokeError, durable_execution
from aws_durable_execution_sdk_python.config import (
    CompletionConfig,
    ParallelBranch,
    ParallelConfig,
    StepConfig,
)

from patterns.fan_out import leeds, logic, mailing
from patterns.fan_out.logic import Announcement
from patterns.fan_out.patience import CONFIRMATION_PAUSES
from patterns.mails import MailRefused
from patterns.transient import retry_transient

MAIL_FUNCTION_VARIABLE = "LEED_MAIL_FUNCTION"
"""Names the environment variable that holds the mail function, with its alias."""

_STEP = StepConfig(retry_strategy=retry_transient)
_ALL_BRANCHES = ParallelConfig(completion_config=CompletionConfig(tolerated_failure_percentage=100))


class BookkeepingFailed(Exception):  # noqa: N818 - says what it is
    """Some of the books could not be kept; the message says which, and why."""


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Do all that follows from a new leed.

    Parameters:
        event: the leed, as `logic.Announcement` has it: `{"leed_id": …, "trade": …, "date": …,
            "location": …}`.

    Returns:
        `{"leed_id": …, "told": …, "unsubscribed": …, "not_told": […], "is_confirmed": …}`.

    Raises:
        InvalidLeed: the event is no leed.
        BookkeepingFailed: a branch failed; the others have ended.
    """
    leed = logic.announcement_of(event)
    branches: list[ParallelBranch[Any]] = [
        ParallelBranch(partial(mailing.tell_subscribers, leed=leed), name="tell the subscribers"),
        ParallelBranch(partial(_confirm, leed=leed), name="confirm to the seller"),
        ParallelBranch(partial(_count, leed=leed), name="count the leed"),
    ]
    kept = context.parallel(branches, name="keep the books", config=_ALL_BRANCHES)
    failures = [
        f"{branches[item.index].name}: {item.error.message if item.error else 'no reason given'}"
        for item in kept.failed()
    ]
    if failures:
        raise BookkeepingFailed("; ".join(failures))
    told, is_confirmed, _ = kept.get_results()
    return {"leed_id": leed.leed_id, **told, "is_confirmed": is_confirmed}


def _confirm(context: DurableContext, leed: Announcement) -> bool:
    function: str = context.step(
        lambda _: os.environ[MAIL_FUNCTION_VARIABLE],
        name="look up the mail function",
        config=_STEP,
    )

    def write(attempt: int) -> bool:
        name = f"write to the seller {attempt}"
        answer: dict[str, bool] = context.invoke(function, leed.model_dump(mode="json"), name=name)
        return answer["is_sent"]

    for attempt, pause in enumerate(CONFIRMATION_PAUSES, start=1):
        try:
            return write(attempt)
        except InvokeError as error:
            if _class_of(error) == MailRefused.__name__:
                raise
            context.logger.warning("the seller was not written to: %s", _class_of(error))
        context.wait(pause, name=f"pause {attempt}")
    return write(len(CONFIRMATION_PAUSES) + 1)


def _class_of(error: InvokeError) -> str:
    # A plain function's error comes with the name of its class, a durable one's with its module.
    return (error.error_type or "").rpartition(".")[2]


def _count(context: DurableContext, leed: Announcement) -> None:
    context.step(lambda _: leeds.count(leed), name="count", config=_STEP)
