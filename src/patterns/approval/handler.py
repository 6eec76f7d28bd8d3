"""Human in the loop: a reviewer has five minutes to accept or reject a customer's order.

The handler saves the order, publishes an event, and emails the reviewer a link. This example shows:

- Three outcomes, not two: accepted, rejected, and unanswered. Each one compensates as needed and
  notifies the customer.
- An invalid answer is rejected, and the wait continues for the remaining time. It never counts as
  an approval.
- Nothing runs between creating the callback and waiting for it. The submitter sends the email, and
  if it crashes, its retry sends the same link.
"""

from __future__ import annotations

import os
import time
from typing import Any, TypedDict

from aws_durable_execution_sdk_python import (
    CallbackError,
    DurableContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, StepConfig, WaitForCallbackConfig

from patterns import callbacks
from patterns.approval import logic, orders, outbox
from patterns.approval.logic import FinalStatus, Order
from patterns.callbacks import InvalidAnswer
from patterns.callbacks.reference import Purpose, derive, row_name
from patterns.transient import retry_transient, retry_until

URL_VARIABLE = "APPROVAL_URL"
"""Environment variable with the base URL of the approval page, without a trailing slash."""
ANSWER_TIMEOUT = Duration.from_minutes(5)
MAX_ANSWERS = 3
"""How many invalid answers we accept before giving up."""
MAX_EMAIL_DELAY = Duration.from_seconds(30)
"""Longest time between two attempts to ask the reviewer, who has only five minutes."""
QUESTION = "decision"

_STEP = StepConfig(retry_strategy=retry_transient)


class Question(TypedDict):
    """The question to the reviewer.

    Parameters:
        row: key of its row in the registry.
        deadline: when it is withdrawn, epoch seconds.
    """

    row: str
    deadline: float


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Place an order and wait until it is accepted, rejected, or out of time.

    Parameters:
        event: `{"order_id": …, "items": […], "customer": …, "reviewer": …}`; the last two are
            email addresses.

    Returns:
        `{"order_id": …, "status": "accepted" | "rejected" | "unanswered"}`.

    Raises:
        InvalidOrder: the event is not a valid order.
        StepError: the order could not be saved, for example because its ID is already in use.
    """
    order = logic.parse_order(event)
    execution = context.execution_context.durable_execution_arn
    context.step(lambda _: orders.save(order, execution), name="save the order", config=_STEP)
    _publish(context, "order_placed", order, execution)
    status = _ask(context, order, execution)
    context.step(
        lambda _: orders.set_status(order, execution, status),
        name="record the outcome",
        config=_STEP,
    )
    match status:
        case FinalStatus.ACCEPTED:
            _publish(context, "order_accepted", order, execution)
            _mail(context, "good news", order["customer"], "was accepted", order, execution)
        case FinalStatus.REJECTED:
            _publish(context, "order_cancelled", order, execution)
            _mail(context, "bad news", order["customer"], "was rejected", order, execution)
        case FinalStatus.UNANSWERED:
            _publish(context, "order_cancelled", order, execution)
            # The customer first: a bad reviewer address may be why there is no answer.
            _mail(context, "no news", order["customer"], "received no answer", order, execution)
            _mail(context, "too late", order["reviewer"], "was withdrawn", order, execution)
    return {"order_id": order["order_id"], "status": status.value}


def _ask(context: DurableContext, order: Order, execution: str) -> FinalStatus:
    question: Question = context.step(
        lambda _: _prepare(execution), name="prepare the question", config=_STEP
    )
    for number in range(1, MAX_ANSWERS + 1):
        left = _time_left(context, question, number)
        if not left.to_seconds():
            break
        try:
            return _wait_for_decision(context, order, execution, question, number, left)
        except InvalidAnswer:
            context.logger.warning("invalid answer rejected")
        except (CallbackError, StepError) as error:
            # A timeout, or the email could not be sent: to the customer it is the same.
            context.logger.warning("no decision: %s", type(error).__name__)
            break
    return FinalStatus.UNANSWERED


def _prepare(execution: str) -> Question:
    return {
        # Now, so that closing the row needs no KMS. The row's key is a hash: the reference itself
        # must not be in the history.
        "row": row_name(Purpose.APPROVAL, _reference(execution)),
        "deadline": time.time() + ANSWER_TIMEOUT.to_seconds(),
    }


def _time_left(context: DurableContext, question: Question, number: int) -> Duration:
    if number == 1:
        return ANSWER_TIMEOUT
    seconds: int = context.step(
        lambda _: max(0, int(question["deadline"] - time.time())),
        name=f"compute the time left for {QUESTION} {number}",
        config=_STEP,
    )
    return Duration.from_seconds(seconds)


def _wait_for_decision(
    context: DurableContext,
    order: Order,
    execution: str,
    question: Question,
    number: int,
    left: Duration,
) -> FinalStatus:
    def submit() -> None:
        if number == 1:
            _email_reviewer(order, _reference(execution), execution)

    return callbacks.wait_for_answer(
        context,
        submit,
        name=f"{QUESTION} {number}",
        row=question["row"],
        config=WaitForCallbackConfig(
            timeout=left,
            retry_strategy=retry_until(question["deadline"], max_delay=MAX_EMAIL_DELAY),
        ),
        parse=lambda text: FinalStatus(logic.parse_decision(text)),
        # While an invalid answer is replaced, a click is asked to try again, not turned away.
        asks_again=number < MAX_ANSWERS,
    )


def _email_reviewer(order: Order, reference: str, execution: str) -> None:
    minutes = ANSWER_TIMEOUT.to_seconds() // 60
    outbox.mail(
        "question",
        order["reviewer"],
        f"Order {order['order_id']} needs your decision",
        f"{', '.join(order['items'])}\n\nPlease accept or reject this order within {minutes} "
        f"minutes:\n{os.environ[URL_VARIABLE]}/approvals/{reference}\n",
        execution,
    )


def _publish(context: DurableContext, name: str, order: Order, execution: str) -> None:
    context.step(
        lambda _: outbox.publish(name, order, execution), name=f"publish {name}", config=_STEP
    )


def _mail(
    context: DurableContext, name: str, to: str, news: str, order: Order, execution: str
) -> None:
    subject = f"Order {order['order_id']} {news}"
    context.step(
        lambda _: outbox.mail(name, to, subject, f"{subject}.\n", execution),
        name=f"mail the {name}",
        config=_STEP,
    )


def _reference(execution: str) -> str:
    # One reference for all attempts at this question, so that the emailed link keeps working.
    return derive(Purpose.APPROVAL, execution, QUESTION)
