"""An order with its state in a table, under faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache, partial
from typing import Any
from unittest.mock import patch

from baselines import workflow as baseline
from baselines import workflow_state
from baselines.workflow_state import Phase, State
from dacapo import LambdaContext
from patterns.workflow import ledger_writes, shop
from patterns.workflow.logic import Ending
from scenarios import workflow as scenarios
from scenarios.worlds import faulty_dynamodb
from scenarios.worlds.stage import Stage, on_stage
from scenarios.worlds.workflow import BASELINE, ORDER, Shop, shop_world
from tests.baselines.workflow_counts import (
    AT_MOMENTS,
    IN_ORDERS,
    done,
    paid,
    repeat_results,
    times,
    without_keys,
)
from tests.interference import Interleaving, Moment, crash_at, interleavings, moments, watching

SWEEP = "workflow-sweep"
CLIENTS = [ledger_writes.dynamodb, workflow_state.dynamodb, baseline.lambda_client]
HOUR = 3600
REJECTED = {"places": 0}
"""A world in which the parcel is rejected, so that goods and payment must be compensated."""
CALLS = 3
"""In a step, without the call that triggers the next one: GetItem, TransactWriteItems, PutItem."""
GO_ON = {workflow_state.KEY: ORDER["order_id"]}


@contextmanager
def _stage(**world: Any) -> Iterator[tuple[Stage, Shop]]:
    functions = {BASELINE: baseline.handler, SWEEP: baseline.sweep}
    with on_stage(partial(shop_world, **world), functions) as staged:
        yield staged


def pass_hours(stage: Stage, hours: int) -> None:
    """Let time pass, with a sweep every hour."""
    for _ in range(hours):
        stage.pass_time(HOUR)
        stage.send(SWEEP, {})
        stage.play()


def _carry_out(stage: Stage, world: Shop) -> None:
    """Run until the parcel is gone and a sweep has seen that."""
    stage.play()
    pass_hours(stage, 1)
    world.carrier_picks_up()
    pass_hours(stage, 1)


def _nothing() -> None:
    """Leave the world as it is: nothing has happened yet."""


def _rejected_parcel() -> None:
    """Reserve the goods, charge the payment, and save that the parcel was rejected."""
    shop.reserve(ORDER)
    shop.charge(ORDER)
    workflow_state.save(State(ORDER, done=2, phase=Phase.COMPENSATING, ending=Ending.NOT_SHIPPABLE))


def _worlds_after_crashes(prepare: Callable[[], None]) -> list[Shop]:
    """Return the worlds after a crash at each moment of the remaining work; no sweep is needed."""
    with _stage() as (stage, _):
        prepare()
        with watching(CLIENTS) as calls:
            stage.send(BASELINE, ORDER)
            stage.play()
    return [_crashing(moment, prepare) for moment in moments(len(calls.names))]


def _crashing(moment: Moment, prepare: Callable[[], None]) -> Shop:
    with _stage() as (stage, world):
        prepare()
        with crash_at(CLIENTS, moment) as deaths:
            stage.send(BASELINE, ORDER)
            stage.play()
    assert deaths
    return world


@cache
def _after_crashes() -> list[Shop]:
    with without_keys():
        return _worlds_after_crashes(_nothing)


def crashed(count: Callable[[Shop], int]) -> str:
    """Crash at every moment, and return how often something was done, in words."""
    worlds = _after_crashes()
    assert all(world.statuses["parcel"] == "held" for world in worlds)
    return times([count(world) for world in worlds], AT_MOMENTS)


def raced(steps_before: int, count: Callable[[Shop], int]) -> str:
    """Run a step twice at once in every interleaving, and return how often it took effect."""
    context: Any = LambdaContext("1", BASELINE)
    both = partial(baseline.handler, GO_ON, context)
    counts = []
    with without_keys():
        for order in interleavings(CALLS, CALLS):
            with _stage() as (stage, world):
                workflow_state.save(State(ORDER, done=steps_before))
                Interleaving(order).run(CLIENTS[:2], A=both, B=both)
                stage.play()
            assert world.statuses["parcel"] == "held"
            counts.append(count(world))
    return times(counts, IN_ORDERS)


def _stuck(stage: Stage, world: Shop) -> str:
    stage.play()
    last = world.written[-1]
    assert last != "parcel held", "nothing was lost"
    letters = stage.dead_letters
    _carry_out(stage, world)
    assert world.written[-1] == "parcel held"
    return f"stuck at “{last}” until the sweep; dead letters: {letters}"


def lost_call() -> str:
    """Lose the call that triggers the next step."""
    with _stage() as (stage, world):
        stage.send(BASELINE, ORDER)
        stage.simulation.clock.run_next()  # save the order
        with patch.object(stage.simulation.service.calls, "call_later") as lost:
            stage.simulation.clock.run_next()  # reserve the goods
        assert lost.called
        return _stuck(stage, world)


def lost_response() -> str:
    """Lose the response of the call that saves the state."""
    with _stage() as (stage, world):
        stage.send(BASELINE, ORDER)
        stage.simulation.clock.run_next()
        with faulty_dynamodb.reply_lost("put_item"):
            stage.simulation.clock.run_next()
        return _stuck(stage, world)


def compensated() -> str:
    """Crash at every moment of the compensation, and return how often the refund was made."""
    worlds = _worlds_after_crashes(_rejected_parcel)
    assert all(paid(world) == 0 for world in worlds)
    return times([done(scenarios.REFUND, world) for world in worlds], AT_MOMENTS)


def forbidden(hours: int = 6) -> str:
    """Deny the refund permanently, and return the state some hours later."""
    with _stage(forbidden=frozenset({scenarios.REFUND}), **REJECTED) as (stage, world):
        stage.send(BASELINE, ORDER)
        stage.play()
        pass_hours(stage, hours)
    letters = stage.dead_letters
    return f"goods: {world.statuses['goods']}; {letters} dead letters after {hours} hours"


def throttled(lasts: timedelta) -> str:
    """Throttle the table for a while."""
    with _stage() as (stage, world):
        world.throttle()
        stage.simulation.clock.schedule(lasts, world.recover, "it recovers")
        stage.send(BASELINE, ORDER)
        stage.play()
        is_stuck = not world.written
        pass_hours(stage, int(lasts.total_seconds()) // HOUR)
        _carry_out(stage, world)
    is_shipped = world.statuses["parcel"] == "picked up"
    return f"{'stuck until the sweep, then ' * is_stuck}{'' if is_shipped else 'not '}shipped"


def repeated() -> str:
    """Repeat the request, then repeat it with another order."""
    with _stage() as (stage, world):
        responses = [
            stage.call(BASELINE, order) for order in (ORDER, ORDER, {**ORDER, "quantity": 3})
        ]
        _carry_out(stage, world)
    return repeat_results(responses, world)
