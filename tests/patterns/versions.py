"""The handler of `versioned` as it was deployed first, and edits of it that break executions.

`first` is the code that recorded `histories/versioned`. The edits add the fraud check in ways that
look simpler than today's; the tests show which executions in flight each of them breaks. The
functions that do the work are today's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig

from patterns.transient import retry_transient
from patterns.versioned import logic, shop
from patterns.versioned.handler import RETURN_PERIOD
from patterns.versioned.logic import Ending, Preorder

_STEP = StepConfig(retry_strategy=retry_transient)


@durable_execution
def first(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Run a preorder by the first version: without a check, and without a version in its result."""
    preorder = logic.parse_preorder(event)
    _reserve_and_wait(context, preorder)
    return _settle(context, preorder)


@durable_execution
def inserted(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Check for fraud where it belongs, without a condition: the naive edit."""
    preorder = logic.parse_preorder(event)
    _reserve_and_wait(context, preorder)
    if _is_refused(context, preorder):
        return _result(preorder, Ending.REFUSED)
    return _settle(context, preorder)


@durable_execution
def decided_in_front(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Decide in a new step before all others."""
    preorder = logic.parse_preorder(event)
    version = context.step(lambda _: 2, name="choose the version", config=_STEP)
    _reserve_and_wait(context, preorder)
    if version == 2 and _is_refused(context, preorder):
        return _result(preorder, Ending.REFUSED)
    return _settle(context, preorder)


@durable_execution
def decided_at_the_change(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Decide in a new step where the check belongs."""
    preorder = logic.parse_preorder(event)
    _reserve_and_wait(context, preorder)
    version = context.step(lambda _: 2, name="choose the version", config=_STEP)
    if version == 2 and _is_refused(context, preorder):
        return _result(preorder, Ending.REFUSED)
    return _settle(context, preorder)


def _reserve_and_wait(context: DurableContext, preorder: Preorder) -> None:
    def reserve(_: object) -> dict[str, int]:
        seconds = logic.seconds_until_release(preorder, datetime.now(UTC))
        shop.reserve(preorder)
        return {"seconds": seconds}

    reserved = context.step(reserve, name="reserve the item", config=_STEP)
    context.wait(Duration.from_seconds(reserved["seconds"]), name="wait for the release")


def _is_refused(context: DurableContext, preorder: Preorder) -> bool:
    is_suspicious = context.step(
        lambda _: shop.is_suspicious(preorder), name="check for fraud", config=_STEP
    )
    if is_suspicious:
        context.step(lambda _: shop.cancel(preorder), name="cancel the reservation", config=_STEP)
    return is_suspicious


def _settle(context: DurableContext, preorder: Preorder) -> dict[str, str]:
    context.step(lambda _: shop.charge(preorder), name="charge the account", config=_STEP)
    context.step(lambda _: shop.ship(preorder), name="ship the item", config=_STEP)
    context.wait(RETURN_PERIOD, name="wait for returns")
    context.step(lambda _: shop.pay_seller(preorder), name="pay the seller", config=_STEP)
    return _result(preorder, Ending.SETTLED)


def _result(preorder: Preorder, ending: Ending) -> dict[str, str]:
    return {"order_id": preorder.order_id, "ending": ending.value}
