"""Wait for an answer: everything that a handler has to do around a callback, in one function."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from aws_durable_execution_sdk_python import CallbackError, DurableContext, StepError
from aws_durable_execution_sdk_python.config import Duration, StepConfig, WaitForCallbackConfig
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.types import StepContext

from patterns.callbacks import answers, registry, service
from patterns.callbacks.service import Reply
from patterns.transient import RetryStrategy, retry_for, retry_transient

CLOSING_OUTLASTS = Duration.from_minutes(1)
"""Length of an outage of the table that closing a row survives; longer ones it gives up on."""

_CLOSE = StepConfig(retry_strategy=retry_for(CLOSING_OUTLASTS))

Parsed = TypeVar("Parsed")


class InvalidAnswer(Exception):  # noqa: N818 - says what it is
    """An answer arrived, but it isn't what the handler waits for."""


class WaitOver(Exception):  # noqa: N818 - says what it is
    """The wait ended while its job could not be submitted."""


def wait_for_answer(
    context: DurableContext,
    submit: Callable[[], object],
    *,
    name: str,
    row: str,
    config: WaitForCallbackConfig,
    parse: Callable[[str], Parsed],
    not_before: float = 0,
    asks_again: bool = False,
) -> Parsed:
    """Submit a job, wait for its answer, and close the row however the wait ends.

    Records three operations: the callback, `open NAME`, and `close NAME`.

    Parameters:
        submit: starts the job. Runs in a step, once the row is open, at least once.
        name: name of the wait, unique within the execution.
        row: key of its row in the registry. Recorded by an earlier step, or part of the input, so
            that closing the row needs nothing but the table. Never a reference: it is in the
            history, where everybody who may read that could answer the callback with it.
        config: timeouts of the callback, and the retry strategy of `submit`.
        parse: pure function of the answer's text; raises ValueError if it is invalid.
        not_before: an answer about an earlier event is stale, epoch seconds.
        asks_again: whether the handler waits again after an invalid answer, under the same row.

    Returns:
        The parsed answer.

    Raises:
        StepError: the job could not be submitted.
        CallbackTimeoutError: no answer or heartbeat arrived in time.
        CallbackExternalError: the answer is a failure.
        InvalidAnswer: `parse` rejects the answer.
    """
    owner = context.execution_context.durable_execution_arn
    # Not wait_for_callback, which hides the ID that closing needs. Only one step stands between the
    # callback and its result: what the handler's body did there, it would do at every replay.
    callback = context.create_callback(name=name, config=config)

    def open_row_and_submit(step: StepContext) -> None:
        if step.attempt > 1 and config.heartbeat_timeout.to_seconds():
            _keep_open(callback.callback_id)
        # The row first: an answer may arrive even before the job's own response does.
        registry.put(
            row,
            callback.callback_id,
            owner=owner,
            timeout=config.timeout.to_seconds(),
            not_before=not_before,
        )
        submit()

    text: str | None = None
    result: Parsed | Exception
    try:
        context.step(
            open_row_and_submit,
            name=f"open {name}",
            config=StepConfig(retry_strategy=config.retry_strategy),
        )
        text = callback.result() or ""
        result = _parse_with(parse, text)
    except (StepError, CallbackError) as error:
        result = error
    # Not in a `finally`: that runs at every suspension, too, and would close the row of a wait that
    # has just begun.
    is_open = asks_again and isinstance(result, InvalidAnswer)
    received = answers.received(text, result if isinstance(result, Exception) else None)
    _close(
        context,
        name,
        lambda: registry.close(
            row,
            callback.callback_id,
            received=None if is_open else received,
            asks_again=is_open,
        ),
    )
    if isinstance(result, Exception):
        raise result
    return result


def retry_until(deadline: float, *, max_delay: Duration) -> RetryStrategy:
    """Return a retry strategy for a job that nobody needs after a deadline.

    Parameters:
        deadline: epoch seconds; must come from a step, like everything that depends on the time.
        max_delay: longest time between two attempts.
    """

    def retry(error: Exception, attempts_made: int) -> RetryDecision:
        # The clock may be read here: a strategy runs when an attempt has failed, never at a replay.
        decision = retry_transient(error, attempts_made)
        delay = min(decision.delay_seconds, max_delay.to_seconds())
        if not decision.should_retry or time.time() + delay >= deadline:
            return RetryDecision.no_retry()
        return RetryDecision.retry(Duration.from_seconds(delay))

    return retry


def _keep_open(callback_id: str) -> None:
    # The service counts from the creation of the callback. Without this, an outage that is longer
    # than the heartbeat timeout would have the job done for a wait that is already over.
    if service.send_heartbeat(callback_id) is not Reply.ACCEPTED:
        raise WaitOver("the wait was over before the job could be submitted")


def _parse_with(parse: Callable[[str], Parsed], text: str) -> Parsed | InvalidAnswer:
    try:
        return parse(text)
    except ValueError:
        return InvalidAnswer("the answer is invalid")


def _close(context: DurableContext, name: str, close: Callable[[], None]) -> None:
    try:
        context.step(lambda _: close(), name=f"close {name}", config=_CLOSE)
    except StepError as error:
        # The service has the answer, and the handler goes on with it. Waiting for the table, or
        # failing, would turn an outage of the bookkeeping into a lost answer. Catch nothing else
        # here: suspensions must leave the handler.
        context.logger.warning("the row of %s is not closed: %s", name, error.error_type)
