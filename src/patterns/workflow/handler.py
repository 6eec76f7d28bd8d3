"""Fulfill an order as a saga: reserve, pay, and ship, or compensate all steps in reverse order.

This pattern shows:

- Where to register compensations: in the handler's body, never inside a step. A step's body doesn't
  run on replay, so the list would be empty when it is needed.
- When to register them: before the step runs. A step that fails may still have succeeded with only
  its reply lost, and compensating a step that never ran does nothing. A refusal, by contrast, is a
  result and not an error: it guarantees that nothing was done.
- How to handle failed compensations: one failure doesn't stop the others. Each is retried for a
  long time, and in the end one error names everything that somebody must compensate manually.
- How to resolve the race with the carrier: the carrier's own row alone decides whether the parcel
  was picked up.

There is no status column: the execution is the state. A repeated request finds the execution by its
name (`start`).
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
from patterns.workflow.ledger_writes import ReservationStatus
from patterns.workflow.logic import CompensationFailed, Ending, Order, OrderFailed
from patterns.workflow.shop import SagaStep

CHECK_INTERVAL = Duration.from_hours(6)
MAX_CHECKS = 9
"""The first check is immediate, so the carrier has two days; ExecutionTimeout must be longer."""
COMPENSATION_ATTEMPTS = 5
COMPENSATION_INITIAL_DELAY = Duration.from_seconds(10)
COMPENSATION_BACKOFF_RATE = 6
COMPENSATION_MAX_DELAY = Duration.from_minutes(30)
"""With jitter, each compensation is retried for 18 to 37 minutes."""

_STEP = StepConfig(retry_strategy=retry_transient)
# Retry any error: a missing compensation is worse than a futile attempt, and the cause (a role, a
# table, a bug in the other service) may be fixed in the meantime.
_COMPENSATION = StepConfig(
    retry_strategy=create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=COMPENSATION_ATTEMPTS,
            initial_delay=COMPENSATION_INITIAL_DELAY,
            max_delay=COMPENSATION_MAX_DELAY,
            backoff_rate=COMPENSATION_BACKOFF_RATE,
            jitter_strategy=JitterStrategy.HALF,
        )
    )
)
_WAIT_STRATEGY = create_wait_strategy(
    WaitStrategyConfig[ReservationStatus](
        should_continue_polling=lambda status: status == ReservationStatus.HELD,
        max_attempts=MAX_CHECKS,
        initial_delay=CHECK_INTERVAL,
        max_delay=CHECK_INTERVAL,
        jitter_strategy=JitterStrategy.NONE,
    )
)

T = TypeVar("T")


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Fulfill an order.

    Parameters:
        event: an `Order`.

    Returns:
        `{"order_id": …, "ending": …}`, an `Ending`; every ending except "shipped" means that all
        steps are compensated.

    Raises:
        InvalidOrder: the event isn't a valid order.
        OrderFailed: a step failed; all steps are compensated.
        CompensationFailed: one or more compensations failed.
    """
    order = logic.parse_order(event)
    to_compensate: list[SagaStep] = []
    try:
        ending = _fulfill(context, order, to_compensate)
    except OrderFailed as failure:
        _compensate(context, order, to_compensate, why=str(failure))
        raise
    if ending is not Ending.SHIPPED:
        _compensate(context, order, to_compensate, why=ending)
    return {"order_id": order["order_id"], "ending": ending.value}


def _fulfill(context: DurableContext, order: Order, to_compensate: list[SagaStep]) -> Ending:
    for step in shop.STEPS:
        to_compensate.append(step)
        if not _run(context, step.name, partial(step.action, order)):
            to_compensate.pop()
            return step.refused
    status = _wait_for_carrier(context, order)
    ending = Ending.CANCELED if status is ReservationStatus.RELEASED else Ending.NOT_PICKED_UP
    if status is ReservationStatus.HELD:
        withdraw = partial(shop.withdraw_parcel, order)
        status = ReservationStatus(_run(context, "withdraw the parcel", withdraw))
    if status is ReservationStatus.PICKED_UP:
        return Ending.SHIPPED
    to_compensate.pop()  # the parcel: it is already canceled
    return ending


def _run(context: DurableContext, name: str, action: Callable[[], T]) -> T:
    try:
        result: T = context.step(lambda _: action(), name=name, config=_STEP)
    except StepError as error:
        raise OrderFailed(f"could not {name}: {error.message}") from error
    return result


def _wait_for_carrier(context: DurableContext, order: Order) -> ReservationStatus:
    def check(
        last: ReservationStatus, check_context: WaitForConditionCheckContext
    ) -> ReservationStatus:
        try:
            return shop.parcel_status(order)
        except (BotoCoreError, ClientError) as error:
            # Catch all errors: an error that leaves this function would end the wait, and is no
            # reason to withdraw the parcel.
            check_context.logger.warning("could not check the parcel, will retry: %s", error)
            return last

    config = WaitForConditionConfig(_WAIT_STRATEGY, initial_state=ReservationStatus.HELD)
    try:
        status = context.wait_for_condition(check, config, name="wait for the carrier")
        return ReservationStatus(status)
    except WaitForConditionError as error:
        # The carrier didn't come, or the checks failed: withdrawing the parcel shows which.
        context.logger.warning("no pickup seen: %s", error.message)
        return ReservationStatus.HELD


def _compensate(
    context: DurableContext, order: Order, to_compensate: list[SagaStep], *, why: str
) -> None:
    failures = [
        (step.compensation_name, _compensate_one(context, order, step))
        for step in reversed(to_compensate)
    ]
    left = [f"{name} ({failure})" for name, failure in failures if failure]
    if left:
        raise CompensationFailed(f"{why}; manual compensation needed: {', '.join(left)}")


def _compensate_one(context: DurableContext, order: Order, step: SagaStep) -> str | None:
    name = step.compensation_name
    try:
        context.step(lambda _: step.compensation(order), name=name, config=_COMPENSATION)
    except StepError as error:
        context.logger.error("could not %s: %s", name, error.message)
        return error.message or type(error).__name__
    return None
