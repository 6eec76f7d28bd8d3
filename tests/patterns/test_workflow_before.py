"""The order by hand does the same job; and where it is weak."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

import dacapo
from dacapo.service.functions import LambdaContext
from patterns.workflow import before, before_state
from patterns.workflow.before_state import Overtaken, Phase, State
from patterns.workflow.logic import Ending, InvalidOrder
from scenarios import workflow as stories
from scenarios.worlds.stage import Stage, on_stage
from scenarios.worlds.workflow import BY_HAND, ORDER, Shop, shop_world
from tests.by_hand.workflow_by_hand import SWEEP
from tests.by_hand.workflow_by_hand import pass_hours as let_sweep

CONTEXT: Any = LambdaContext("1", BY_HAND)


@contextmanager
def staged(**world: Any) -> Iterator[tuple[Stage, Shop]]:
    functions = {BY_HAND: before.handler, SWEEP: before.sweep}
    with on_stage(partial(shop_world, **world), functions) as (stage, shop):
        stage.send(BY_HAND, ORDER)
        stage.play()
        yield stage, shop


def state() -> State:
    found = before_state.load(ORDER["order_id"])
    assert found is not None
    return found


# -- the same job ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("durable", "world"),
    [
        (stories.out_of_stock, {"stock": 1}),
        (stories.declined, {"money": 4899}),
        (stories.not_shippable, {"places": 0}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_is_refused_is_undone_as_by_the_durable_one(
    durable: dacapo.Scenario, world: dict[str, int]
) -> None:
    recording = dacapo.run(durable)
    with staged(**world) as (_, shop):
        assert (state().phase, state().ending) == (Phase.OVER, recording.result["ending"])
    assert shop.written == recording.world.written
    assert shop.supplies == recording.world.supplies


def test_a_parcel_that_is_picked_up_ends_it_well() -> None:
    with staged() as (stage, shop):
        assert state().phase is Phase.WAITING
        let_sweep(stage, 1)
        shop.be_picked_up()
        let_sweep(stage, 1)
        assert (state().phase, state().ending) == (Phase.OVER, Ending.SHIPPED)
        assert list(before_state.unfinished()) == []


def test_a_parcel_that_is_cancelled_has_the_rest_undone() -> None:
    with staged() as (stage, shop):
        shop.be_cancelled()
        let_sweep(stage, 1)
        assert state().ending is Ending.CANCELLED
    assert shop.supplies == shop.at_first


def test_a_parcel_that_nobody_picks_up_is_withdrawn_after_two_days() -> None:
    with staged() as (stage, shop):
        stage.pass_time(before.CARRIER_SECONDS)
        let_sweep(stage, 1)
        assert state().ending is Ending.NOT_PICKED_UP
    assert shop.supplies == shop.at_first


def test_what_is_over_stays_as_it_is() -> None:
    with staged(stock=1) as (stage, _):
        over = state()
        stage.send(BY_HAND, ORDER)
        stage.play()
        assert state() == over


def test_another_order_under_the_same_id_is_refused() -> None:
    with staged(), pytest.raises(before.AnotherOrder):
        before.handler({**ORDER, "quantity": 3}, CONTEXT)


@pytest.mark.parametrize("event", [{}, {"workflow_id": "B-1"}, {**ORDER, "cents": 0}], ids=str)
def test_what_is_no_order_begins_nothing(event: dict[str, Any]) -> None:
    with staged(), pytest.raises(InvalidOrder):
        before.handler(event, CONTEXT)


# -- the lock -------------------------------------------------------------------------------------


def test_of_two_that_read_the_same_version_only_one_saves() -> None:
    with staged():
        read = state()
        before_state.save(replace(read, done=2))
        with pytest.raises(Overtaken):
            before_state.save(replace(read, done=1))
        assert (state().version, state().done) == (read.version + 1, 2)


def test_of_two_that_begin_only_one_saves() -> None:
    with staged(), pytest.raises(Overtaken):
        before_state.save(State(ORDER))


# -- where it is weak -----------------------------------------------------------------------------


def test_an_undoing_that_can_not_be_done_keeps_those_after_it_from_being_tried() -> None:
    with staged(places=0, forbidden=frozenset({stories.REFUND})) as (stage, shop):
        assert stage.dead_letters == 1
        let_sweep(stage, 3)
        assert stage.dead_letters == 4, "and so on, for ever"
    assert shop.standings["goods"] == "held"


def test_an_order_whose_next_move_nobody_asks_for_lies_until_the_sweep() -> None:
    with on_stage(shop_world, {BY_HAND: before.handler, SWEEP: before.sweep}) as (stage, shop):
        with patch.object(stage.simulation.service.calls, "call_later"):
            stage.call(BY_HAND, ORDER)
        stage.play()
        assert (shop.written, stage.dead_letters) == ([], 0), "no error tells of it"
        let_sweep(stage, 1)
        assert shop.written == ["goods held", "payment held", "parcel held"]
