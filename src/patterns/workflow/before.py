"""The same order by hand: its state in a table, moved on by a function that invokes itself.

`Workflow` is a callable. Each call loads the state, makes one move, and saves the state on
condition that nobody has done so meanwhile (optimistic locking); the function then invokes itself
for the next move. A rule calls `sweep` every hour: for the parcels that are waited for, and for
whatever was left lying.

Where it is weak:

- The lock guards the state, not what was done before it was saved. Who dies in between, or loses
  the race, has made the move all the same, and it is made again. Only the key that each move
  carries (`ledger`) makes that harmless; a receiver that takes no key is paid twice.
- Between saving and invoking there is a gap. An order that falls into it lies until the next
  sweep; so does one whose save was taken for somebody else's, because its reply was lost.
- An error ends in Lambda's two retries and then in the sweep's, for ever. Nobody gives up, so
  nobody goes on either: what comes after an undoing that can't be done is never undone.

What was wrong in much that was published like this, and is not here: whoever gives no id gets a new
one with every call, so asking again orders again; the state is saved without a condition; the next
move is asked for before the state is saved; the names of event and activity are mixed up on the
path that only a second call takes, so that nothing gets beyond its first move.
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

from patterns.workflow import before_state, logic, shop
from patterns.workflow.before_state import KEY, Overtaken, Phase, State
from patterns.workflow.ledger_writes import Standing
from patterns.workflow.logic import Ending, Order

FUNCTION_VARIABLE = "WORKFLOW_BEFORE_FUNCTION"
"""Names the environment variable, of `sweep` only, that holds the function to call."""
CARRIER_SECONDS = 48 * 3600

logger = Logger(service="workflow-before")
lambda_client = boto3.client("lambda")


class AnotherOrder(Exception):  # noqa: N818 - says what it is
    """Another order was begun under this id."""


class Workflow:
    """The flow of one order; each call moves it on by one move.

    Parameters:
        workflow_id: the order's id.
    """

    def __init__(self, workflow_id: str) -> None:
        self.workflow_id = workflow_id

    def __call__(self, order: Order | None) -> State:
        """Make the next move; the first is to write the order down.

        Parameters:
            order: what is asked for, from whoever asks; None for a workflow that is under way.

        Returns:
            How it stands now.

        Raises:
            AnotherOrder: the id belongs to another order.
            Overtaken: somebody else has made this move at the same time.
        """
        state = before_state.load(self.workflow_id)
        if state and order and order != state.order:
            raise AnotherOrder(f"{self.workflow_id} was begun before, with another order")
        after = _MOVES[state.phase](state) if state else State(logic.order_of(order))
        if after != state:
            before_state.save(after)
        return after


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Move a workflow on, and ask for its next move.

    Parameters:
        event: an `Order` to begin, or `{"workflow_id": …}`.

    Returns:
        `{"phase": …, "ending": …}`.

    Raises:
        InvalidOrder, AnotherOrder: nothing was begun.
    """
    order = None if KEY in event else logic.order_of(event)
    try:
        state = Workflow(order["order_id"] if order else event[KEY])(order)
    except Overtaken as overtaken:
        logger.info("left to somebody else", reason=str(overtaken))
        return {}
    if state.phase in (Phase.GOING, Phase.UNDOING):
        _ask_for_next(context.invoked_function_arn, state.order["order_id"])
    return {"phase": state.phase, "ending": state.ending}


def sweep(_: dict[str, Any], __: LambdaContext) -> None:
    """Move on every workflow that is not over."""
    for workflow_id in before_state.unfinished():
        _ask_for_next(os.environ[FUNCTION_VARIABLE], workflow_id)


def _ask_for_next(function: str, workflow_id: str) -> None:
    event = json.dumps({KEY: workflow_id}).encode()
    lambda_client.invoke(FunctionName=function, InvocationType="Event", Payload=event)


def _go(state: State) -> State:
    move = shop.MOVES[state.done]
    if not move.do(state.order):
        return replace(state, phase=Phase.UNDOING, ending=move.refused)
    done = state.done + 1
    if done < len(shop.MOVES):
        return replace(state, done=done)
    return replace(state, done=done, phase=Phase.WAITING, deadline=time.time() + CARRIER_SECONDS)


def _wait(state: State) -> State:
    standing, ending = shop.look_at_parcel(state.order), Ending.CANCELLED
    if standing is Standing.HELD:
        if time.time() < state.deadline:
            return state
        standing, ending = shop.withdraw_parcel(state.order), Ending.NOT_PICKED_UP
    if standing is Standing.GONE:
        return replace(state, phase=Phase.OVER, ending=Ending.SHIPPED)
    return replace(state, phase=Phase.UNDOING, done=state.done - 1, ending=ending)


def _undo(state: State) -> State:
    if not state.done:
        return replace(state, phase=Phase.OVER)
    shop.MOVES[state.done - 1].undo(state.order)
    return replace(state, done=state.done - 1)


def _is_over(state: State) -> State:
    return state


_MOVES = {
    Phase.GOING: _go,
    Phase.WAITING: _wait,
    Phase.UNDOING: _undo,
    Phase.OVER: _is_over,
}
