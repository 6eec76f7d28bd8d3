"""Wait for an answer: everything that a handler has to do around a callback, in one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from aws_durable_execution_sdk_python import (
    CallbackError,
    CallbackExternalError,
    DurableContext,
    StepError,
)
from aws_durable_execution_sdk_python.config import Duration, StepConfig, WaitForCallbackConfig
from aws_durable_execution_sdk_python.types import Callback, StepContext

from patterns.callbacks import answers, registry, service
from patterns.callbacks.answers import Answer
from patterns.callbacks.service import Reply
from patterns.transient import retry_for, retry_transient

CLOSING_OUTLASTS = Duration.from_minutes(1)
"""Length of an outage of the table that closing a row survives; longer ones it gives up on."""

_STEP = StepConfig(retry_strategy=retry_transient)
_CLOSE = StepConfig(retry_strategy=retry_for(CLOSING_OUTLASTS))

Parsed = TypeVar("Parsed")


class InvalidAnswer(Exception):  # noqa: N818 - says what it is
    """An answer arrived, but it isn't what the handler waits for."""


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

    Records three operations: the callback, `open NAME`, and `close NAME`. If the job can't be
    submitted, it also records `withdraw NAME`.

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
    # Not wait_for_callback, which hides the ID that closing needs. Only steps stand between the
    # callback and its result: what the handler's body did there, it would do at every replay.
    wait = _Wait(context, name, row, config, context.create_callback(name=name, config=config))
    not_submitted = wait.submit(submit, not_before)
    text, result = wait.result(parse, not_submitted)
    # Not in a `finally`: that runs at every suspension, too, and would close the row of a wait that
    # has just begun.
    is_open = asks_again and isinstance(result, InvalidAnswer)
    error = result if isinstance(result, Exception) else None
    wait.close(None if is_open else answers.received(text, error), asks_again=is_open)
    if error is not None:
        raise error
    return cast("Parsed", result)


@dataclass(frozen=True)
class _Wait:
    """The parts of one wait."""

    context: DurableContext
    name: str
    row: str
    config: WaitForCallbackConfig
    callback: Callback[str]

    def submit(self, submit: Callable[[], object], not_before: float) -> StepError | None:
        """Open the row and submit the job; return the error if that failed for good."""
        opened = StepConfig(retry_strategy=self.config.retry_strategy)
        try:
            self.context.step(
                lambda step: self._open_and_submit(step, submit, not_before),
                name=f"open {self.name}",
                config=opened,
            )
        except StepError as error:
            # The job may run all the same, and its answer may have been accepted. So leave it to
            # the service, which accepts either that answer or this withdrawal.
            self.context.step(
                lambda _: service.withdraw(self.callback.callback_id),
                name=f"withdraw {self.name}",
                config=_STEP,
            )
            return error
        return None

    def result(
        self, parse: Callable[[str], Parsed], not_submitted: StepError | None
    ) -> tuple[str | None, Parsed | Exception]:
        """Wait; return the answer's text (None if there is none), and what it means."""
        try:
            text = self.callback.result() or ""
        except CallbackError as error:
            is_sent = isinstance(error, CallbackExternalError)
            is_answer = is_sent and not answers.is_withdrawal(error.message)
            return None, error if is_answer else not_submitted or error
        try:
            return text, parse(text)
        except ValueError:
            return text, InvalidAnswer("the answer is invalid")

    def close(self, received: Answer | None, *, asks_again: bool) -> None:
        """Close the row, if the table is there."""
        try:
            self.context.step(
                lambda _: registry.close(
                    self.row, self.callback.callback_id, received=received, asks_again=asks_again
                ),
                name=f"close {self.name}",
                config=_CLOSE,
            )
        except StepError as error:
            # The service has the answer, and the handler goes on with it. Waiting for the table, or
            # failing, would turn an outage of the bookkeeping into a lost answer. Catch nothing
            # else here: suspensions must leave the handler.
            self.context.logger.warning(
                "the row of %s is not closed: %s", self.name, error.error_type
            )

    def _open_and_submit(
        self, step: StepContext, submit: Callable[[], object], not_before: float
    ) -> None:
        if step.attempt > 1 and not self._is_open():
            return  # the callback's result says why
        # The row first: an answer may arrive even before the job's own response does.
        registry.put(
            self.row,
            self.callback.callback_id,
            owner=self.context.execution_context.durable_execution_arn,
            timeout=self.config.timeout.to_seconds(),
            not_before=not_before,
        )
        submit()

    def _is_open(self) -> bool:
        # The service counts from the creation of the callback. Without this, an outage that is
        # longer than the heartbeat timeout would have the job done for a wait that is already over.
        if not self.config.heartbeat_timeout.to_seconds():
            return True
        return service.send_heartbeat(self.callback.callback_id) is Reply.ACCEPTED
