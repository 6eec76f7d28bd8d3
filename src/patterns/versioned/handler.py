"""Charge and ship a preorder on the day of its release, by the rules of the day it was placed.

A preorder waits for months. Meanwhile, the shop began to check accounts for fraud before it charges
them. This pattern shows how a handler changes while executions are in flight:

- Where to decide which path an execution takes: in the first step, which both versions have. Its
  result now names a version; executions that began before recorded a result without one. A replay
  compares the types and names of operations, not their results, so old histories replay unchanged.
- Where not to decide: in a new step. An operation's ID is its position, so a step in front gives
  all that follow other IDs, and breaks every execution. A step at the point of the change breaks
  those that are past it, and so does the new operation without any condition.
- How to deploy: twice. First with `CURRENT` as it was, then with the new version. So the code that
  a rollback returns to, and that Lambda may run for a moment longer, has both paths. Never deploy
  code that lacks a path that some execution is on.

You need none of this where an execution stays on the version that it started with: behind an alias,
as all other patterns are deployed. Prefer that if executions end within weeks. But no fix reaches a
published version, and a preorder has months to go. So this function runs as `$LATEST`, where every
execution meets new code at its next invocation. Run `dacapo check` before you deploy there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any, NotRequired, TypedDict

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig

from patterns.transient import retry_transient
from patterns.versioned import logic, shop
from patterns.versioned.logic import Ending, Preorder

FIRST = 1
"""The version of executions whose first step recorded none. Delete it, and what it decides, once
none of them is in flight: docs/runbook.md lists them."""
WITH_FRAUD_CHECK = 2
VERSIONS = (FIRST, WITH_FRAUD_CHECK)
"""The versions whose paths this code has."""
CURRENT = WITH_FRAUD_CHECK
"""The version of executions that begin now. Raise it in a deployment of its own, and set it back to
roll back: executions that began in between stay on the path that they recorded."""
RETURN_PERIOD = Duration.from_days(14)

_STEP = StepConfig(retry_strategy=retry_transient)


class UnknownVersion(Exception):  # noqa: N818 - says what it is
    """The execution recorded a version that this code doesn't have: newer code was rolled back."""


class Reserved(TypedDict):
    """The result of the first step.

    Parameters:
        seconds: how long to wait for the release.
        version: the path of this execution. Executions of the first version have none.
    """

    seconds: int
    version: NotRequired[int]


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Reserve an item, wait for its release, charge and ship it, and pay the seller.

    Parameters:
        event: a `Preorder`.

    Returns:
        `{"order_id": …, "ending": …}`, an `Ending`.

    Raises:
        InvalidPreorder: the event isn't a valid preorder.
        UnknownVersion: newer code was rolled back; nothing was done.
        StepError: a step failed, after hours if its error was transient, or the release is more
            than 300 days away. `workflow` shows how to compensate the steps before it.
    """
    preorder = logic.parse_preorder(event)
    reserved = context.step(partial(_reserve, preorder), name="reserve the item", config=_STEP)
    version = _version_in(reserved)
    context.wait(Duration.from_seconds(reserved["seconds"]), name="wait for the release")
    # What follows is the future of all executions that are waiting now, and the past of those that
    # wait for returns. So it changes only under a condition like this one, with a version of its
    # own for each change.
    if version >= WITH_FRAUD_CHECK and _is_refused(context, preorder):
        return _result(preorder, Ending.REFUSED)
    context.step(lambda _: shop.charge(preorder), name="charge the account", config=_STEP)
    context.step(lambda _: shop.ship(preorder), name="ship the item", config=_STEP)
    context.wait(RETURN_PERIOD, name="wait for returns")
    context.step(lambda _: shop.pay_seller(preorder), name="pay the seller", config=_STEP)
    return _result(preorder, Ending.SETTLED)


def _reserve(preorder: Preorder, _: object) -> Reserved:
    seconds = logic.seconds_until_release(preorder, datetime.now(UTC))
    shop.reserve(preorder)
    # Recorded once, and read back from then on, even if CURRENT has changed. An attempt that failed
    # or crashed has recorded nothing, so the next one may decide again: no other operation began.
    return {"seconds": seconds, "version": CURRENT}


def _version_in(reserved: Reserved) -> int:
    version = reserved.get("version", FIRST)
    if version not in VERSIONS:
        raise UnknownVersion(f"version {version} was rolled back: deploy code that has its path")
    return version


def _is_refused(context: DurableContext, preorder: Preorder) -> bool:
    is_suspicious = context.step(
        lambda _: shop.is_suspicious(preorder), name="check for fraud", config=_STEP
    )
    if is_suspicious:
        context.step(lambda _: shop.cancel(preorder), name="cancel the reservation", config=_STEP)
    return is_suspicious


def _result(preorder: Preorder, ending: Ending) -> dict[str, str]:
    return {"order_id": preorder.order_id, "ending": ending.value}
