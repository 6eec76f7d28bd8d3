"""Fulfill an order as a saga: reserve, charge, and ship, or compensate in reverse order.

This pattern shows:

- Where to register compensations: in the handler's body, before the step runs (see `_fulfill`).
- Which compensation comes first: the one that may be too late. Whether the parcel has left decides
  whether the payment and the goods may be compensated at all (see `_compensate`).
- How long compensations are retried: for hours, after any error. If one fails in the end, it stops
  no other, and one error names everything that somebody must compensate manually.
- How to resolve the race with the carrier: the parcel's own row alone decides whether it was
  picked up.

There is no status column: the execution is the state. A repeated request finds the execution by its
name (`start`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import (
    DurableContext,
    StepError,
    WaitForConditionError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, JitterStrategy, StepConfig
from aws_durable_execution_sdk_python.types import WaitForConditionCheckContext
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)
from botocore.exceptions import BotoCoreError, ClientError

from patterns.transient import OUTLASTS, retry_for, retry_transient
from patterns.workflow import logic, shop
from patterns.workflow.ledger_writes import ReservationStatus
from patterns.workflow.logic import CompensationFailed, Ending, Order, OrderFailed
from patterns.workflow.shop import SagaStep

CHECK_INTERVAL = Duration.from_hours(6)
MAX_CHECKS = 9
"""The first check is immediate, so the carrier has two days.

ExecutionTimeout must be longer than these two days and six steps of up to 12 hours and 20 minutes,
which is 5 days and 2 hours: an execution that times out compensates nothing.
"""

_STEP = StepConfig(retry_strategy=retry_transient)
# Retry any error: a missing compensation is worse than a futile attempt, and the cause (a role, a
# table, a bug in the other service) may be fixed in the meantime.
_COMPENSATION = StepConfig(retry_strategy=retry_for(OUTLASTS, errors=lambda _: True))
_WAIT_STRATEGY = create_wait_strategy(
    WaitStrategyConfig[ReservationStatus](
        should_continue_polling=lambda status: status == ReservationStatus.HELD,
        max_attempts=MAX_CHECKS,
        initial_delay=CHECK_INTERVAL,
        max_delay=CHECK_INTERVAL,
        jitter_strategy=JitterStrategy.NONE,
    )
)


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
        if _compensate(context, order, to_compensate, why=str(failure)):
            raise
        ending = Ending.SHIPPED
    if ending is not Ending.SHIPPED and not _compensate(context, order, to_compensate, why=ending):
        ending = Ending.SHIPPED
    return {"order_id": order["order_id"], "ending": ending.value}


def _fulfill(context: DurableContext, order: Order, to_compensate: list[SagaStep]) -> Ending:
    for step in shop.STEPS:
        # Not in the step's body, which doesn't run on replay: the list would be empty by the time
        # it is needed. And not after the step: one that failed may have succeeded with only its
        # reply lost, and to compensate a step that never ran is harmless.
        to_compensate.append(step)
        try:
            is_done = context.step(partial(_act, step, order), name=step.name, config=_STEP)
        except StepError as error:
            raise OrderFailed(f"could not {step.name}: {error.message}") from error
        if not is_done:
            # A refusal is a result, not an error: it guarantees that nothing was done.
            to_compensate.pop()
            return step.refused
    match _wait_for_carrier(context, order):
        case ReservationStatus.PICKED_UP:
            return Ending.SHIPPED
        case ReservationStatus.RELEASED:
            return Ending.CANCELED
        case ReservationStatus.HELD:
            # The carrier may still come, until the first compensation has canceled the parcel.
            return Ending.NOT_PICKED_UP


def _act(step: SagaStep, order: Order, _: object) -> bool:
    return step.action(order)


def _wait_for_carrier(context: DurableContext, order: Order) -> ReservationStatus:
    def check(
        last: ReservationStatus, check_context: WaitForConditionCheckContext
    ) -> ReservationStatus:
        try:
            return shop.parcel_status(order)
        except (BotoCoreError, ClientError) as error:
            # Catch all errors: an error that leaves this function would end the wait, and is no
            # reason to cancel the parcel.
            check_context.logger.warning("could not check the parcel, will retry: %s", error)
            return last

    config = WaitForConditionConfig(_WAIT_STRATEGY, initial_state=ReservationStatus.HELD)
    try:
        status = context.wait_for_condition(check, config, name="wait for the carrier")
        return ReservationStatus(status)
    except WaitForConditionError as error:
        # The carrier didn't come, or the checks failed: canceling the parcel shows which.
        context.logger.warning("no pickup seen: %s", error.message)
        return ReservationStatus.HELD


def _compensate(
    context: DurableContext, order: Order, to_compensate: list[SagaStep], *, why: str
) -> bool:
    """Compensate in reverse order, or return False if the parcel has left: then it is shipped."""
    failed: list[str] = []
    while to_compensate:
        step = to_compensate.pop()
        compensate = partial(_undo, step, order)
        try:
            if not context.step(compensate, name=step.compensation_name, config=_COMPENSATION):
                return False
        except StepError as error:
            context.logger.error("could not %s: %s", step.compensation_name, error.message)
            failed.append(f"{step.compensation_name} ({error.message or error.error_type})")
            if step.is_pivot:
                # Nobody knows whether the parcel has left. A refund might pay for goods that did.
                failed += [s.compensation_name for s in reversed(to_compensate)]
                break
    if failed:
        raise CompensationFailed(f"{why}; manual compensation needed: {', '.join(failed)}")
    return True


def _undo(step: SagaStep, order: Order, _: object) -> bool:
    return step.compensation(order)
