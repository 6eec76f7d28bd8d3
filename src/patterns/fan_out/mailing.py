"""Notify the subscribers of a job posting's trade: a few emails at a time, one step per email."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypedDict

from aws_durable_execution_sdk_python import BatchResult, DurableContext
from aws_durable_execution_sdk_python.config import CompletionConfig, MapConfig, StepConfig

from patterns.fan_out import logic, subscribers
from patterns.fan_out.logic import Announcement
from patterns.transient import retry_transient

CONCURRENT_EMAILS = 3
"""About 15 emails per second, at 0.2 seconds each: compare it with the rate of your account."""
EXECUTION_TIMEOUT_SECONDS = 24 * 3600
"""The function's ExecutionTimeout: after a day without mail, the news of a posting is old."""
MAX_SUBSCRIBERS = 250
"""An execution may have 3,000 operations. These need at most 2,326, and everything else 170.

- 500 for the map iterations and the steps.
- 1,250 for 5 quick retries of each email.
- 576 for all other retries together. Each takes at least 7.5 minutes, so each of the 3 emails at a
  time has 192 of them in the day that an execution lasts.

The list of IDs may have 256 KB, so each ID may have a thousand characters.
"""

_STEP = StepConfig(retry_strategy=retry_transient)


class TooManyFailed(Exception):  # noqa: N818 - says what it is
    """Too many emails failed, so sending stopped; the message gives the numbers."""


class Notified(TypedDict):
    """Number of subscribers notified and unsubscribed, and the IDs of those whose email failed."""

    notified: int
    unsubscribed: int
    not_notified: list[str]


def notify_subscribers(context: DurableContext, posting: Announcement) -> Notified:
    """Send the news of a posting to every subscriber of its trade.

    Raises:
        StepError: the subscribers can't be listed, or there are too many.
        TooManyFailed: more emails failed than are tolerated.
    """
    listed: list[str] = context.step(
        lambda _: subscribers.of_trade(posting.trade, MAX_SUBSCRIBERS),
        name="list the subscribers",
        config=_STEP,
    )
    max_failures = logic.tolerated_failures(len(listed))
    mailed: BatchResult[bool] = context.map(
        listed,
        partial(_notify, posting=posting),
        name="mail the subscribers",
        config=_tolerating(max_failures),
    )
    not_notified = [listed[item.index] for item in mailed.failed()]
    if not_notified:
        context.logger.warning("not notified: %s", ", ".join(not_notified))
    if len(not_notified) > max_failures:
        raise TooManyFailed(
            f"{len(not_notified)} of {len(listed)} emails failed (at most {max_failures} may), "
            "so sending stopped"
        )
    notified = sum(mailed.get_results())
    return {
        "notified": notified,
        "unsubscribed": mailed.success_count - notified,
        "not_notified": not_notified,
    }


def _tolerating(failures: int) -> MapConfig[str]:
    return MapConfig(
        max_concurrency=CONCURRENT_EMAILS,
        completion_config=CompletionConfig(tolerated_failure_count=failures),
        item_namer=lambda subscriber, _: subscriber,
    )


def _notify(
    context: DurableContext, subscriber: str, _: int, __: Sequence[str], *, posting: Announcement
) -> bool:
    return context.step(
        lambda _: subscribers.notify(posting, subscriber), name=f"mail {subscriber}", config=_STEP
    )
