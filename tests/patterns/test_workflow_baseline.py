"""The baseline of `workflow` does the same job; its weaknesses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

import dacapo
from baselines import workflow as baseline
from baselines import workflow_state
from baselines.workflow_state import Phase, State, VersionConflict
from dacapo import LambdaContext
from patterns.workflow.logic import Ending, InvalidOrder
from scenarios import workflow as scenarios
from scenarios.worlds.stage import Stage, on_stage
from scenarios.worlds.workflow import BASELINE, ORDER, Shop, shop_world
from tests.baselines.workflow_baseline import SWEEP
from tests.baselines.workflow_baseline import pass_hours as let_sweep

CONTEXT: Any = LambdaContext("1", BASELINE)


@contextmanager
def staged(**world: Any) -> Iterator[tuple[Stage, Shop]]:
    functions = {BASELINE: baseline.handler, SWEEP: baseline.sweep}
    with on_stage(partial(shop_world, **world), functions) as (stage, shop):
        stage.send(BASELINE, ORDER)
        stage.play()
        yield stage, shop


def state() -> State:
    loaded = workflow_state.load(ORDER["order_id"])
    assert loaded is not None
    return loaded


# -- the same job ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("durable", "world"),
    [
        (scenarios.out_of_stock, {"stock": 1}),
        (scenarios.declined, {"money": 4899}),
        (scenarios.not_shippable, {"places": 0}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_refused_order_is_compensated_as_in_the_durable_function(
    durable: dacapo.Scenario, world: dict[str, int]
) -> None:
    recording = dacapo.run(durable)
    with staged(**world) as (_, shop):
        assert (state().phase, state().ending) == (Phase.FINISHED, recording.result["ending"])
    assert shop.written == recording.world.written
    assert shop.supplies == recording.world.supplies


def test_an_order_is_shipped_when_its_parcel_is_picked_up() -> None:
    with staged() as (stage, shop):
        assert state().phase is Phase.WAITING
        let_sweep(stage, 1)
        shop.carrier_picks_up()
        let_sweep(stage, 1)
        assert (state().phase, state().ending) == (Phase.FINISHED, Ending.SHIPPED)
        assert list(workflow_state.unfinished()) == []


def test_canceling_the_parcel_compensates_the_other_steps() -> None:
    with staged() as (stage, shop):
        shop.customer_cancels()
        let_sweep(stage, 1)
        assert state().ending is Ending.CANCELED
    assert shop.supplies == shop.initial_supplies


def test_a_parcel_without_a_pickup_is_canceled_after_two_days() -> None:
    with staged() as (stage, shop):
        stage.pass_time(baseline.CARRIER_SECONDS)
        let_sweep(stage, 1)
        assert state().ending is Ending.NOT_PICKED_UP
    assert shop.supplies == shop.initial_supplies


def test_a_finished_order_does_not_change() -> None:
    with staged(stock=1) as (stage, _):
        finished = state()
        stage.send(BASELINE, ORDER)
        stage.play()
        assert state() == finished


def test_another_order_with_the_same_id_is_rejected() -> None:
    with staged(), pytest.raises(baseline.OrderIdInUse):
        baseline.handler({**ORDER, "quantity": 3}, CONTEXT)


@pytest.mark.parametrize("event", [{}, {"workflow_id": "B-1"}, {**ORDER, "cents": 0}], ids=str)
def test_an_invalid_order_starts_nothing(event: dict[str, Any]) -> None:
    with staged(), pytest.raises(InvalidOrder):
        baseline.handler(event, CONTEXT)


# -- the lock -------------------------------------------------------------------------------------


def test_only_one_of_two_readers_of_the_same_version_can_save() -> None:
    with staged():
        read = state()
        workflow_state.save(replace(read, done=2))
        with pytest.raises(VersionConflict):
            workflow_state.save(replace(read, done=1))
        assert (state().version, state().done) == (read.version + 1, 2)


def test_only_one_of_two_concurrent_starts_can_save() -> None:
    with staged(), pytest.raises(VersionConflict):
        workflow_state.save(State(ORDER))


# -- weaknesses -----------------------------------------------------------------------------------


def test_a_failed_compensation_blocks_all_later_ones() -> None:
    with staged(places=0, forbidden=frozenset({scenarios.REFUND})) as (stage, shop):
        assert stage.dead_letters == 1
        let_sweep(stage, 3)
        assert stage.dead_letters == 4, "and so on, forever"
    assert shop.statuses["goods"] == "held"


def test_an_order_whose_next_invocation_is_lost_is_stuck_until_the_sweep() -> None:
    with on_stage(shop_world, {BASELINE: baseline.handler, SWEEP: baseline.sweep}) as (stage, shop):
        with patch.object(stage.simulation.service.calls, "call_later"):
            stage.call(BASELINE, ORDER)
        stage.play()
        assert (shop.written, stage.dead_letters) == ([], 0), "no error reports it"
        let_sweep(stage, 1)
        assert shop.written == ["goods held", "payment held", "parcel held"]
