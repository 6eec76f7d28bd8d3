"""A durable order, under faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from typing import Any

import dacapo
from dacapo.observing import observed_by
from dacapo.runner import run_under
from dacapo.service.functions import LambdaContext
from dacapo.service.invocations import Conditions
from dacapo.verify.interferences import CrashAt, UpdateLog, crash_points
from patterns import start
from patterns.workflow import begin, ledger_writes
from patterns.workflow.handler import handler
from scenarios import workflow as stories
from scenarios.worlds.stage import on_stage
from scenarios.worlds.workflow import BEGIN, FUNCTION, ORDER, Shop, shop_world
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

CLIENTS = [ledger_writes.dynamodb]
ASKING = [start.lambda_client, begin.lambda_client]


def _moments_of(story: dacapo.Scenario) -> list[Moment]:
    with watching(CLIENTS) as calls:
        dacapo.run(story)
    return moments(len(calls.made))


def _run_dying(story: dacapo.Scenario, after: int = 0) -> list[Shop]:
    """The worlds after a death at any moment but those of the first calls."""
    worlds = []
    for moment in _moments_of(story)[2 * after :]:
        with dying_at(CLIENTS, moment) as deaths:
            worlds.append(dacapo.run(story).world)
        assert deaths
    return worlds


@cache
def _after_deaths() -> list[Shop]:
    with without_keys():
        return _run_dying(stories.shipped)


def died(what: Callable[[Shop], int]) -> str:
    worlds = _after_deaths()
    assert all(world.standings["parcel"] == "gone" for world in worlds)
    return times([what(world) for world in worlds], AT_MOMENTS)


@cache
def _races() -> list[Shop]:
    """Two ask for the order at once, in every order of their calls."""
    functions: dict[str, Any] = {FUNCTION: handler}
    context: Any = LambdaContext("1", BEGIN)
    ask = partial(begin.handler, {**ORDER}, context)
    worlds = []
    with without_keys():
        for order in orders(2, 2):  # Invoke, GetDurableExecution
            with on_stage(shop_world, functions) as (stage, world):
                told = TurnTaking(order).run(ASKING, A=ask, B=ask)
                assert all(answer["status"] == "RUNNING" for answer in told.values())
                stage.simulation.clock.schedule(
                    timedelta(hours=1), world.be_picked_up, "it is picked up"
                )
                stage.play()
            worlds.append(world)
    return worlds


def raced(what: Callable[[Shop], int]) -> str:
    return times([what(world) for world in _races()], IN_ORDERS)


def calls_of_its_own() -> str:
    made: list[str] = []

    def note(service: str, operation: str, _: Any) -> None:
        made.append(f"{service} {operation}")

    with observed_by(note):
        recording = dacapo.run(stories.shipped)
    assert recording.world.standings["parcel"] == "gone"
    return f"calls of itself that can be lost: {made.count('lambda Invoke')}"


def checkpoints_lost() -> str:
    log = UpdateLog()
    run_under(Conditions(log), stories.shipped, seed=0)
    counts = []
    for key, when in crash_points(log.keys, None):
        if when == "after":
            crash = CrashAt(key, when)
            recording = run_under(Conditions(crash), stories.shipped, seed=0)
            assert crash.has_happened
            assert recording.result["ending"] == "shipped"
            counts.append(paid(recording.world))
    return f"goes on; paid {times(counts, 'at {} checkpoints')}"


def undone() -> str:
    worlds = _run_dying(stories.not_shippable, after=3)
    assert all(paid(world) == 0 for world in worlds)
    return times([done(stories.REFUND, world) for world in worlds], AT_MOMENTS)


def forbidden() -> str:
    recording = dacapo.run(stories.refund_forbidden)
    assert recording.error is not None
    named = (recording.error.message or "").partition("by hand: ")[2].partition(" (")[0]
    attempts = recording.operation("give the money back").attempts
    goods = recording.world.standings["goods"]
    return f"goods: {goods}; after {attempts} attempts the error names “{named}”"


def throttled() -> str:
    story = replace(stories.table_throttles_for_long, execution_name=None)
    recording = dacapo.run(story)
    assert recording.error is not None
    held = [what for what, how in recording.world.standings.items() if how == "held"]
    return f"fails with {(recording.error.type or '').rpartition('.')[2]}; held: {len(held)}"


def asked_again() -> str:
    functions: dict[str, Any] = {FUNCTION: handler, BEGIN: begin.handler}
    with on_stage(shop_world, functions) as (stage, world):
        told = [stage.call(BEGIN, order) for order in (ORDER, ORDER, {**ORDER, "quantity": 3})]
        stage.simulation.clock.schedule(timedelta(hours=1), world.be_picked_up, "it is picked up")
        stage.play()
    return asked(told, world)
