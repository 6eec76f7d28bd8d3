"""Carry an order through, reserve, pay, ship; or undo all of it, last things first.

Look at four things:

- The list of what has to be undone is filled by the handler's body, never inside a step: a step's
  body does not run on replay, and the list would be empty when it is needed.
- A move is noted before it is made. One that fails may have been made all the same, only its reply
  was lost; undoing what was never done does nothing. A refusal is a result, not an error: it says
  for certain that nothing was done.
- An undoing that can't be done does not stop the others. It is tried for long, and in the end one
  error names all that is left for somebody to undo.
- The parcel is waited for, and whether it has gone is decided in one place: the carrier's own row.

How the order stands is nowhere written down: it is where the execution is. Whoever asks again finds
the execution by its name (`begin`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from aws_durable_execution_sdk_python import (
    DurableContext,
    StepError,
    WaitForConditionError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, JitterStrategy, StepConfig
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.types import WaitForConditionCheckContext
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)
from botocore.exceptions import BotoCoreError, ClientError

from patterns.transient import retry_transient
from patterns.workflow import logic, shop
from patterns.workflow.ledger_writes import Standing
from patterns.workflow.logic import Ending, NotUndone, Order, OrderFailed
from patterns.workflow.shop import Move

LOOK_EVERY = Duration.from_hours(6)
MOST_LOOKS = 9
"""The first at once: two days for the carrier; the function's ExecutionTimeout must be longer."""
UNDO_ATTEMPTS = 5
UNDO_FIRST_PAUSE = Duration.from_seconds(10)
UNDO_PAUSE_GROWTH = 6
UNDO_LONGEST_PAUSE = Duration.from_minutes(30)
"""With jitter, one undoing is tried for 18 to 37 minutes."""

_STEP = StepConfig(retry_strategy=retry_transient)
# Any error: to leave something undone is worse than to try in vain, and what refuses (a role, a
# table, a bug over there) may be mended meanwhile.
_UNDO = StepConfig(
    retry_strategy=create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=UNDO_ATTEMPTS,
            initial_delay=UNDO_FIRST_PAUSE,
            max_delay=UNDO_LONGEST_PAUSE,
            backoff_rate=UNDO_PAUSE_GROWTH,
            jitter_strategy=JitterStrategy.HALF,
        )
    )
)
_WAIT_STRATEGY = create_wait_strategy(
    WaitStrategyConfig[Standing](
        should_continue_polling=lambda standing: standing == Standing.HELD,
        max_attempts=MOST_LOOKS,
        initial_delay=LOOK_EVERY,
        max_delay=LOOK_EVERY,
        jitter_strategy=JitterStrategy.NONE,
    )
)

T = TypeVar("T")


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Carry an order through.

    Parameters:
        event: an `Order`.

    Returns:
        `{"order_id": …, "ending": …}`, an `Ending`; unless it is "shipped", all is undone.

    Raises:
        InvalidOrder: the event is no order.
        OrderFailed: something broke; all is undone.
        NotUndone: not all could be undone.
    """
    order = logic.order_of(event)
    to_undo: list[Move] = []
    try:
        ending = _carry_out(context, order, to_undo)
    except OrderFailed as failure:
        _undo(context, order, to_undo, why=str(failure))
        raise
    if ending is not Ending.SHIPPED:
        _undo(context, order, to_undo, why=ending)
    return {"order_id": order["order_id"], "ending": ending.value}


def _carry_out(context: DurableContext, order: Order, to_undo: list[Move]) -> Ending:
    for move in shop.MOVES:
        to_undo.append(move)
        if not _make(context, move.name, partial(move.do, order)):
            to_undo.pop()
            return move.refused
    standing = _wait_for_carrier(context, order)
    ending = Ending.CANCELLED if standing is Standing.GIVEN_BACK else Ending.NOT_PICKED_UP
    if standing is Standing.HELD:
        withdraw = partial(shop.withdraw_parcel, order)
        standing = Standing(_make(context, "withdraw the parcel", withdraw))
    if standing is Standing.GONE:
        return Ending.SHIPPED
    to_undo.pop()  # the parcel: it is off already
    return ending


def _make(context: DurableContext, name: str, action: Callable[[], T]) -> T:
    try:
        done: T = context.step(lambda _: action(), name=name, config=_STEP)
    except StepError as error:
        raise OrderFailed(f"could not {name}: {error.message}") from error
    return done


def _wait_for_carrier(context: DurableContext, order: Order) -> Standing:
    def look(last: Standing, check: WaitForConditionCheckContext) -> Standing:
        try:
            return shop.look_at_parcel(order)
        except (BotoCoreError, ClientError) as error:
            # Whatever the reason: an error that leaves this function would end the wait, and it is
            # no reason to call the parcel back.
            check.logger.warning("could not look at the parcel, will look again: %s", error)
            return last

    config = WaitForConditionConfig(_WAIT_STRATEGY, initial_state=Standing.HELD)
    try:
        return Standing(context.wait_for_condition(look, config, name="wait for the carrier"))
    except WaitForConditionError as error:
        # The carrier did not come, or was not seen to: to withdraw the parcel tells which.
        context.logger.warning("the carrier was not seen: %s", error.message)
        return Standing.HELD


def _undo(context: DurableContext, order: Order, to_undo: list[Move], *, why: str) -> None:
    failures = [(move.undoing, _undo_one(context, order, move)) for move in reversed(to_undo)]
    left = [f"{undoing} ({failure})" for undoing, failure in failures if failure]
    if left:
        raise NotUndone(f"{why}; still to do by hand: {', '.join(left)}")


def _undo_one(context: DurableContext, order: Order, move: Move) -> str | None:
    try:
        context.step(lambda _: move.undo(order), name=move.undoing, config=_UNDO)
    except StepError as error:
        context.logger.error("could not %s: %s", move.undoing, error.message)
        return error.message or type(error).__name__
    return None
