"""Baseline for `workflow`: state in a table, advanced by a function that invokes itself.

`Workflow` is a callable. Each call loads the state, runs one step, and saves the state on condition
that nobody else has saved it since (optimistic locking); the function then invokes itself for the
next step. A rule invokes `sweep` every hour, to check on parcels that wait for the carrier and to
resume orders that are stuck.

Inherent weaknesses:

- The lock protects the state, not the side effect before it was saved. An invocation that crashes
  in between, or loses the race, has still run the step, and the step runs again. Only the
  idempotency key of each step (`ledger`) makes that harmless; a service that accepts no key is paid
  twice.
- There is a gap between saving the state and invoking the next step. An order that falls into it is
  stuck until the next sweep. So is an order whose save looks like a conflict because its reply was
  lost.
- An error ends in Lambda's two retries and then in the sweep's retries, forever. Nothing gives up,
  so nothing continues either: a compensation that fails blocks all those after it.

Much published code has flaws that this baseline avoids: a caller without an ID gets a new one on
every call, so a retry orders again; the state is saved without a condition; the next step is
invoked before the state is saved; and the names of event and activity are mixed up on a path that
only a second call takes, so nothing gets beyond its first step.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from baselines import workflow_state
from baselines.workflow_state import KEY, Phase, State, VersionConflict
from patterns.workflow import logic, shop
from patterns.workflow.ledger_writes import ReservationStatus
from patterns.workflow.logic import Ending, Order

FUNCTION_VARIABLE = "WORKFLOW_BASELINE_FUNCTION"
"""Environment variable, used by `sweep` only, with the function to invoke."""
CARRIER_SECONDS = 48 * 3600

logger = Logger(service="workflow-baseline")
lambda_client = boto3.client("lambda")


class OrderIdInUse(Exception):  # noqa: N818 - says what it is
    """Another order was started under this ID."""


class Workflow:
    """The workflow of one order; each call advances it by one step.

    Parameters:
        workflow_id: the order's ID.
    """

    def __init__(self, workflow_id: str) -> None:
        self.workflow_id = workflow_id

    def __call__(self, order: Order | None) -> State:
        """Run the next step; the first call only saves the order.

        Parameters:
            order: the order, if the caller submits one; None to resume a workflow.

        Returns:
            The new state.

        Raises:
            OrderIdInUse: the ID belongs to another order.
            VersionConflict: another invocation ran this step at the same time.
        """
        state = workflow_state.load(self.workflow_id)
        if state and order and order != state.order:
            raise OrderIdInUse(f"{self.workflow_id} was already started with another order")
        after = _STEPS[state.phase](state) if state else State(logic.parse_order(order))
        if after != state:
            workflow_state.save(after)
        return after


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Advance a workflow by one step and invoke the next.

    Parameters:
        event: an `Order` to start, or `{"workflow_id": …}` to resume.

    Returns:
        `{"phase": …, "ending": …}`.

    Raises:
        InvalidOrder, OrderIdInUse: nothing was started.
    """
    order = None if KEY in event else logic.parse_order(event)
    try:
        state = Workflow(order["order_id"] if order else event[KEY])(order)
    except VersionConflict as conflict:
        logger.info("left to another invocation", reason=str(conflict))
        return {}
    if state.phase in (Phase.RUNNING, Phase.COMPENSATING):
        _invoke_next(context.invoked_function_arn, state.order["order_id"])
    return {"phase": state.phase, "ending": state.ending}


def sweep(_: dict[str, Any], __: LambdaContext) -> None:
    """Resume every workflow that hasn't finished."""
    for workflow_id in workflow_state.unfinished():
        _invoke_next(os.environ[FUNCTION_VARIABLE], workflow_id)


def _invoke_next(function: str, workflow_id: str) -> None:
    event = json.dumps({KEY: workflow_id}).encode()
    lambda_client.invoke(FunctionName=function, InvocationType="Event", Payload=event)


def _run(state: State) -> State:
    step = shop.STEPS[state.done]
    if not step.action(state.order):
        return replace(state, phase=Phase.COMPENSATING, ending=step.refused)
    done = state.done + 1
    if done < len(shop.STEPS):
        return replace(state, done=done)
    return replace(state, done=done, phase=Phase.WAITING, deadline=time.time() + CARRIER_SECONDS)


def _wait(state: State) -> State:
    match shop.parcel_status(state.order):
        case ReservationStatus.PICKED_UP:
            return replace(state, phase=Phase.FINISHED, ending=Ending.SHIPPED)
        case ReservationStatus.RELEASED:
            return replace(state, phase=Phase.COMPENSATING, ending=Ending.CANCELED)
        case ReservationStatus.HELD if time.time() < state.deadline:
            return state
    return replace(state, phase=Phase.COMPENSATING, ending=Ending.NOT_PICKED_UP)


def _compensate(state: State) -> State:
    if not state.done:
        return replace(state, phase=Phase.FINISHED)
    if not shop.STEPS[state.done - 1].compensation(state.order):
        return replace(state, phase=Phase.FINISHED, ending=Ending.SHIPPED)
    return replace(state, done=state.done - 1)


def _stay(state: State) -> State:
    return state


_STEPS = {
    Phase.RUNNING: _run,
    Phase.WAITING: _wait,
    Phase.COMPENSATING: _compensate,
    Phase.FINISHED: _stay,
}
