"""A durable order, under faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from typing import Any

import dacapo
from dacapo import LambdaContext
from dacapo.process.effect_listeners import listening
from dacapo.service.invocations import Conditions
from dacapo.simulation.runner import run_under
from dacapo.verify.experiments.crashes import CrashAt, crash_points
from dacapo.verify.observe.course import CheckpointLog
from patterns import starting
from patterns.workflow import ledger_writes
from patterns.workflow import start as start_workflow
from patterns.workflow.handler import handler
from scenarios import workflow as scenarios
from scenarios.worlds.stage import on_stage
from scenarios.worlds.workflow import BEGIN, FUNCTION, ORDER, Shop, shop_world
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

CLIENTS = [ledger_writes.dynamodb]
STARTING = [starting.lambda_client, start_workflow.lambda_client]


def _moments_of(scenario: dacapo.Scenario) -> list[Moment]:
    with watching(CLIENTS) as calls:
        dacapo.run(scenario)
    return moments(len(calls.names))


def _run_crashing(scenario: dacapo.Scenario, after: int = 0) -> list[Shop]:
    """Return the worlds after a crash at each moment.

    Parameters:
        after: number of calls to skip at the beginning.
    """
    worlds = []
    for moment in _moments_of(scenario)[2 * after :]:
        with crash_at(CLIENTS, moment) as deaths:
            worlds.append(dacapo.run(scenario).world)
        assert deaths
    return worlds


@cache
def _after_crashes() -> list[Shop]:
    # A service without keys charges twice, which is what the invariant rules out.
    with without_keys():
        return _run_crashing(replace(scenarios.shipped, invariant=None))


def crashed(count: Callable[[Shop], int]) -> str:
    """Crash at every moment, and return how often something was done, in words."""
    worlds = _after_crashes()
    assert all(world.statuses["parcel"] == "picked up" for world in worlds)
    return times([count(world) for world in worlds], AT_MOMENTS)


@cache
def _races() -> list[Shop]:
    """Have two clients request the order at once, in every interleaving of their calls."""
    functions: dict[str, Any] = {FUNCTION: handler}
    context: Any = LambdaContext("1", BEGIN)
    request = partial(start_workflow.handler, {**ORDER}, context)
    worlds = []
    with without_keys():
        for order in interleavings(2, 2):  # Invoke, GetDurableExecution
            with on_stage(shop_world, functions) as (stage, world):
                responses = Interleaving(order).run(STARTING, A=request, B=request)
                assert all(response["status"] == "RUNNING" for response in responses.values())
                stage.simulation.clock.schedule(
                    timedelta(hours=1), world.carrier_picks_up, "the parcel is picked up"
                )
                stage.play()
            worlds.append(world)
    return worlds


def raced(count: Callable[[Shop], int]) -> str:
    """Request the order twice at once, and return how often something was done, in words."""
    return times([count(world) for world in _races()], IN_ORDERS)


def self_invocations() -> str:
    """Count the calls by which the function invokes itself, any of which could be lost."""
    calls: list[str] = []

    def record(service: str, operation: str, _: Any) -> None:
        calls.append(f"{service} {operation}")

    with listening(record):
        recording = dacapo.run(scenarios.shipped)
    assert recording.world.statuses["parcel"] == "picked up"
    return f"no such call: {calls.count('lambda Invoke')} self-invocations"


def checkpoints_lost() -> str:
    """Crash after each checkpoint."""
    log = CheckpointLog()
    run_under(Conditions(log), scenarios.shipped, seed=0)
    counts = []
    for key, when in crash_points(log.keys, None):
        if when == "after":
            crash = CrashAt(key, when)
            recording = run_under(Conditions(crash), scenarios.shipped, seed=0)
            assert crash.has_happened
            assert recording.result["ending"] == "shipped"
            counts.append(paid(recording.world))
    return f"continues; paid {times(counts, 'at {} checkpoints')}"


def compensated() -> str:
    """Crash at every moment of the compensation, and return how often the refund was made."""
    worlds = _run_crashing(scenarios.not_shippable, after=3)
    assert all(paid(world) == 0 for world in worlds)
    return times([done(scenarios.REFUND, world) for world in worlds], AT_MOMENTS)


def forbidden() -> str:
    """Deny the refund permanently."""
    recording = dacapo.run(scenarios.refund_forbidden)
    assert recording.error is not None
    uncompensated = (recording.error.message or "").partition("needed: ")[2].partition(" (")[0]
    attempts = recording.operation("refund the payment").attempts
    goods = recording.world.statuses["goods"]
    return f"goods: {goods}; after {attempts} attempts, the error names “{uncompensated}”"


def throttled(lasts: timedelta) -> str:
    """Throttle the table for a while."""
    recover = replace(scenarios.RECOVER, after=lasts)
    events = (scenarios.THROTTLE, recover, scenarios.PICK_UP)
    recording = dacapo.run(replace(scenarios.shipped, external_events=events))
    assert recording.operation("reserve the goods").attempts > 1
    assert recording.status == "SUCCEEDED"
    return str(recording.result["ending"])


def repeated() -> str:
    """Repeat the request, then repeat it with another order."""
    functions: dict[str, Any] = {FUNCTION: handler, BEGIN: start_workflow.handler}
    with on_stage(shop_world, functions) as (stage, world):
        responses = [stage.call(BEGIN, order) for order in (ORDER, ORDER, {**ORDER, "quantity": 3})]
        stage.simulation.clock.schedule(
            timedelta(hours=1), world.carrier_picks_up, "the parcel is picked up"
        )
        stage.play()
    return repeat_results(responses, world)
