"""Tells the subscribers of a trade of a leed: a few at once, and each mail on record."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypedDict

from aws_durable_execution_sdk_python import BatchResult, DurableContext
from aws_durable_execution_sdk_python.config import CompletionConfig, MapConfig, StepConfig

from patterns.fan_out import logic, news, subscribers
from patterns.fan_out.logic import Announcement
from patterns.fan_out.patience import retry_for_an_hour
from patterns.transient import retry_transient

MAILS_AT_ONCE = 3
"""SES lets a new production account send 14 mails a second; a mail takes some fifth of a second."""
MOST_SUBSCRIBERS = 250
"""An execution has 3,000 operations. A mail is charged at most 10: the map's item, the step, and 8
retries. That makes 2,500, and leaves room for the other branches, which need at most 30. The list
of ids has 256 KB, that is a thousand characters for each."""

_STEP = StepConfig(retry_strategy=retry_transient)
_MAIL_STEP = StepConfig(retry_strategy=retry_for_an_hour)


class TooManyFailed(Exception):  # noqa: N818 - says what it is
    """So many mails failed that no more were sent; the message has the numbers."""


class Told(TypedDict):
    """Who was told: how many, how many had unsubscribed, and the ids of who could not be told."""

    told: int
    unsubscribed: int
    not_told: list[str]


def tell_subscribers(context: DurableContext, leed: Announcement) -> Told:
    """Write to everybody who has subscribed to the trade of a leed.

    Raises:
        StepError: the subscribers can't be listed, or are too many.
        TooManyFailed: more mails failed than are tolerated.
    """
    listed: list[str] = context.step(
        lambda _: subscribers.of_trade(leed.trade, MOST_SUBSCRIBERS),
        name="list the subscribers",
        config=_STEP,
    )
    most_failures = logic.tolerated(len(listed))
    mailed: BatchResult[bool] = context.map(
        listed,
        partial(_tell, leed=leed),
        name="mail the subscribers",
        config=_tolerating(most_failures),
    )
    not_told = [listed[item.index] for item in mailed.failed()]
    if not_told:
        context.logger.warning("not told: %s", ", ".join(not_told))
    if len(not_told) > most_failures:
        raise TooManyFailed(
            f"{len(not_told)} of {len(listed)} mails failed, {most_failures} may; no more were sent"
        )
    told = sum(mailed.get_results())
    return {"told": told, "unsubscribed": mailed.success_count - told, "not_told": not_told}


def _tolerating(failures: int) -> MapConfig[str]:
    return MapConfig(
        max_concurrency=MAILS_AT_ONCE,
        completion_config=CompletionConfig(tolerated_failure_count=failures),
        item_namer=lambda subscriber, _: subscriber,
    )


def _tell(
    context: DurableContext, subscriber: str, _: int, __: Sequence[str], *, leed: Announcement
) -> bool:
    return context.step(
        lambda _: news.tell(leed, subscriber), name=f"mail {subscriber}", config=_MAIL_STEP
    )
