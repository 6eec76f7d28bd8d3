"""Wait for a person to decide, for some minutes, and be left with an order that is whole.

An order is saved and announced, and the restaurant is asked by mail. Look at three things:

- There are three endings, not two: accepted, rejected, and nobody answered. Each undoes what has to
  be undone, and each tells the guest.
- An answer that is no decision is refused, and the wait goes on, for what is left of the time. It
  never counts as an approval.
- Nothing stands between the callback and its wait: the question is asked by the submitter, which
  comes again with the same link if it dies.
"""

from __future__ import annotations

import os
import time
from typing import Any

from aws_durable_execution_sdk_python import CallbackError, DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig, WaitForCallbackConfig
from aws_durable_execution_sdk_python.types import WaitForCallbackContext

from patterns import callback_answers, callbacks
from patterns.approval import logic, orders, outbox
from patterns.approval.logic import Ending, Order
from patterns.reference import Purpose, derive, row_name
from patterns.transient import retry_transient

URL_VARIABLE = "APPROVAL_URL"
"""Names the environment variable that holds where the page is, without a slash at the end."""
ANSWER_TIMEOUT = Duration.from_minutes(5)
MOST_ANSWERS = 3
"""How many answers that are no decision are borne."""
QUESTION = "decision"

_STEP = StepConfig(retry_strategy=retry_transient)


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Place an order, and see it accepted, rejected or given up.

    Parameters:
        event: `{"order_id": …, "items": […], "guest": …, "restaurant": …}`; the last two are
            addresses for mail.

    Returns:
        `{"order_id": …, "ending": "accepted" | "rejected" | "unanswered"}`.

    Raises:
        InvalidOrder: the event is no order.
        StepError: the order could not be saved, for example because there is one of its id.
    """
    order = logic.order_of(event)
    execution = context.execution_context.durable_execution_arn
    context.step(lambda _: orders.save(order, execution), name="save the order", config=_STEP)
    _publish(context, "order_placed", order, execution)
    ending = _ask(context, order, execution)
    context.step(
        lambda _: orders.end(order, execution, ending), name="write down the ending", config=_STEP
    )
    match ending:
        case Ending.ACCEPTED:
            _publish(context, "order_accepted", order, execution)
            _mail(context, "good news", order["guest"], "is being prepared", order, execution)
        case Ending.REJECTED:
            _publish(context, "order_cancelled", order, execution)
            _mail(context, "bad news", order["guest"], "was declined", order, execution)
        case Ending.UNANSWERED:
            _publish(context, "order_cancelled", order, execution)
            # The guest first: the restaurant's address may be why nobody answered.
            _mail(context, "no news", order["guest"], "got no answer", order, execution)
            _mail(context, "too late", order["restaurant"], "was withdrawn", order, execution)
    return {"order_id": order["order_id"], "ending": ending.value}


def _ask(context: DurableContext, order: Order, execution: str) -> Ending:
    deadline = context.step(
        lambda _: time.time() + ANSWER_TIMEOUT.to_seconds(), name="note the deadline", config=_STEP
    )
    ending, got = Ending.UNANSWERED, None
    for number in range(1, MOST_ANSWERS + 1):
        left = ANSWER_TIMEOUT if number == 1 else _time_left(context, deadline, number)
        if not left.to_seconds():
            break
        try:
            answer = _wait(context, order, execution, deadline, number, left)
        except CallbackError as error:
            # Nobody answered in time, or the question could not be asked: the same to the guest.
            context.logger.warning("no decision: %s", type(error).__name__)
            break
        decision = logic.decision_of(answer)
        if decision is not None:
            ending, got = Ending(decision), callback_answers.received(answer)
            break
        context.logger.warning("an answer that is no decision was refused")
    context.step(
        lambda _: callbacks.close(_row(_reference(execution)), owner=execution, got=got),
        name="close the callback",
        config=_STEP,
    )
    return ending


def _time_left(context: DurableContext, deadline: float, number: int) -> Duration:
    seconds: int = context.step(
        lambda _: max(0, int(deadline - time.time())),
        name=f"see what is left for {QUESTION} {number}",
        config=_STEP,
    )
    return Duration.from_seconds(seconds)


def _wait(
    context: DurableContext,
    order: Order,
    execution: str,
    deadline: float,
    number: int,
    left: Duration,
) -> str:
    def ask(callback_id: str, _: WaitForCallbackContext) -> None:
        reference = _reference(execution)
        callbacks.put(
            _row(reference), callback_id, owner=execution, deadline=deadline, not_before=0
        )
        if number == 1:
            _ask_by_mail(order, reference, execution)

    config = WaitForCallbackConfig(timeout=left, retry_strategy=retry_transient)
    answer: str | None = context.wait_for_callback(ask, name=f"{QUESTION} {number}", config=config)
    return answer or ""


def _ask_by_mail(order: Order, reference: str, execution: str) -> None:
    minutes = ANSWER_TIMEOUT.to_seconds() // 60
    outbox.mail(
        "question",
        order["restaurant"],
        f"Order {order['order_id']}: can you prepare it?",
        f"{', '.join(order['items'])}.\n\nPlease decide within {minutes} minutes:\n"
        f"{os.environ[URL_VARIABLE]}/approvals/{reference}\n",
        execution,
    )


def _publish(context: DurableContext, name: str, order: Order, execution: str) -> None:
    context.step(
        lambda _: outbox.publish(name, order, execution), name=f"publish {name}", config=_STEP
    )


def _mail(
    context: DurableContext, name: str, to: str, what: str, order: Order, execution: str
) -> None:
    subject = f"Order {order['order_id']} {what}"
    context.step(
        lambda _: outbox.mail(name, to, subject, f"{subject}.\n", execution),
        name=f"mail the {name}",
        config=_STEP,
    )


def _reference(execution: str) -> str:
    # One for all answers of this question, so that the link in the mail goes on leading here.
    return derive(Purpose.APPROVAL, execution, QUESTION)


def _row(reference: str) -> str:
    return row_name(Purpose.APPROVAL, reference)
