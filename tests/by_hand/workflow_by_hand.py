"""An order whose state is kept by hand, under faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache, partial
from typing import Any
from unittest.mock import patch

from dacapo.service.functions import LambdaContext
from patterns.workflow import before, before_state, ledger_writes, shop
from patterns.workflow.before_state import Phase, State
from patterns.workflow.logic import Ending
from scenarios import workflow as stories
from scenarios.worlds import faulty_dynamodb
from scenarios.worlds.stage import Stage, on_stage
from scenarios.worlds.workflow import BY_HAND, ORDER, Shop, shop_world
from tests.by_hand.workflow_counts import (
    AT_MOMENTS,
    IN_ORDERS,
    asked,
    done,
    paid,
    times,
    without_keys,
)
from tests.interference import Moment, TurnTaking, dying_at, moments, orders, watching

SWEEP = "workflow-sweep"
CLIENTS = [ledger_writes.dynamodb, before_state.dynamodb, before.lambda_client]
HOUR = 3600
REFUSED = {"places": 0}
"""A world in which the parcel is refused, so that goods and payment have to be undone."""
CALLS = 3
"""Of a move, without asking for the next: GetItem, TransactWriteItems, PutItem."""
GO_ON = {before_state.KEY: ORDER["order_id"]}


@contextmanager
def _stage(**world: Any) -> Iterator[tuple[Stage, Shop]]:
    functions = {BY_HAND: before.handler, SWEEP: before.sweep}
    with on_stage(partial(shop_world, **world), functions) as staged:
        yield staged


def pass_hours(stage: Stage, hours: int) -> None:
    """Let time pass, and the rule sweep every hour."""
    for _ in range(hours):
        stage.pass_time(HOUR)
        stage.send(SWEEP, {})
        stage.play()


def _carry_out(stage: Stage, world: Shop) -> None:
    """Play until the parcel is gone, and the sweep has seen it."""
    stage.play()
    pass_hours(stage, 1)
    world.be_picked_up()
    pass_hours(stage, 1)


def _nothing() -> None:
    """Nothing has happened yet."""


def _refused_parcel() -> None:
    """The goods are reserved, the payment is taken, and the parcel was refused."""
    shop.reserve(ORDER)
    shop.pay(ORDER)
    before_state.save(State(ORDER, done=2, phase=Phase.UNDOING, ending=Ending.NOT_SHIPPABLE))


def _deaths(so_far: Callable[[], None]) -> list[Shop]:
    """The worlds after a death at any moment of what is left to do; no sweep is needed."""
    with _stage() as (stage, _):
        so_far()
        with watching(CLIENTS) as calls:
            stage.send(BY_HAND, ORDER)
            stage.play()
    return [_dying(moment, so_far) for moment in moments(len(calls.made))]


def _dying(moment: Moment, so_far: Callable[[], None]) -> Shop:
    with _stage() as (stage, world):
        so_far()
        with dying_at(CLIENTS, moment) as deaths:
            stage.send(BY_HAND, ORDER)
            stage.play()
    assert deaths
    return world


@cache
def _after_deaths() -> list[Shop]:
    with without_keys():
        return _deaths(_nothing)


def died(what: Callable[[Shop], int]) -> str:
    worlds = _after_deaths()
    assert all(world.standings["parcel"] == "held" for world in worlds)
    return times([what(world) for world in worlds], AT_MOMENTS)


def raced(moves_before: int, what: Callable[[Shop], int]) -> str:
    """Two calls at once make the same move, in every order of their calls."""
    context: Any = LambdaContext("1", BY_HAND)
    both = partial(before.handler, GO_ON, context)
    counts = []
    with without_keys():
        for order in orders(CALLS, CALLS):
            with _stage() as (stage, world):
                before_state.save(State(ORDER, done=moves_before))
                TurnTaking(order).run(CLIENTS[:2], A=both, B=both)
                stage.play()
            assert world.standings["parcel"] == "held"
            counts.append(what(world))
    return times(counts, IN_ORDERS)


def _lies(stage: Stage, world: Shop) -> str:
    stage.play()
    last = world.written[-1]
    assert last != "parcel held", "nothing was lost"
    letters = stage.dead_letters
    _carry_out(stage, world)
    assert world.written[-1] == "parcel held"
    return f"lies at “{last}” until the sweep; dead letters: {letters}"


def lost_call() -> str:
    with _stage() as (stage, world):
        stage.send(BY_HAND, ORDER)
        stage.simulation.clock.run_next()  # the order is written down
        with patch.object(stage.simulation.service.calls, "call_later") as lost:
            stage.simulation.clock.run_next()  # the goods are reserved
        assert lost.called
        return _lies(stage, world)


def lost_reply() -> str:
    with _stage() as (stage, world):
        stage.send(BY_HAND, ORDER)
        stage.simulation.clock.run_next()
        with faulty_dynamodb.reply_lost("put_item"):
            stage.simulation.clock.run_next()
        return _lies(stage, world)


def undone() -> str:
    worlds = _deaths(_refused_parcel)
    assert all(paid(world) == 0 for world in worlds)
    return times([done(stories.REFUND, world) for world in worlds], AT_MOMENTS)


def forbidden(hours: int = 6) -> str:
    with _stage(forbidden=frozenset({stories.REFUND}), **REFUSED) as (stage, world):
        stage.send(BY_HAND, ORDER)
        stage.play()
        pass_hours(stage, hours)
    letters = stage.dead_letters
    return f"goods: {world.standings['goods']}; after {hours} hours {letters} dead letters"


def throttled() -> str:
    with _stage() as (stage, world):
        world.throttle()
        stage.simulation.clock.schedule(timedelta(minutes=5), world.recover, "it recovers")
        stage.send(BY_HAND, ORDER)
        stage.play()
        lies = not world.written
        _carry_out(stage, world)
    is_shipped = world.standings["parcel"] == "gone"
    return f"{'lies until the sweep, and ' * lies}is{'' if is_shipped else ' not'} shipped"


def asked_again() -> str:
    with _stage() as (stage, world):
        told = [stage.call(BY_HAND, order) for order in (ORDER, ORDER, {**ORDER, "quantity": 3})]
        _carry_out(stage, world)
    return asked(told, world)
