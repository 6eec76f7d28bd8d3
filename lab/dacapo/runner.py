"""Runs a scenario on the simulated service, in virtual time, and tells what happened."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    OperationType,
)

from dacapo.answering import Answering, ScenarioError
from dacapo.recorded import callback_name, recorded_operations
from dacapo.recording import Recording
from dacapo.scenario import Happening, Scenario
from dacapo.service.execution import Execution
from dacapo.service.functions import Function
from dacapo.service.invocations import Conditions
from dacapo.service.public_api import status_of
from dacapo.simulation import Simulation

ENGINE = "sim"
DEFAULT_SEED = 0
MOST_INVOCATIONS = 10_000
"""Invocations after which a run is taken for one that never ends; an execution can't have more
than 3,000 that each do something."""


def run(scenario: Scenario, *, seed: int = DEFAULT_SEED) -> Recording:
    """Run a scenario from its start until nothing is left to happen.

    Parameters:
        seed: the same seed gives the same history, ids and payloads; 0 or more.

    Returns:
        The recording of the execution, whether it succeeded or not.

    Raises:
        ScenarioError: the scenario contradicts itself: a callback that nobody answers and no
            timeout bounds, an answer to a callback that never came.
        NetworkRefused: something in the run tried to leave this machine.
    """
    one = _Run(scenario, seed)
    recording = one.record()
    if recording.ended is None:
        raise ScenarioError(one.why_stuck())
    one.answering.check()
    return recording


def run_under(
    conditions: Conditions,
    scenario: Scenario,
    *,
    seed: int,
    branches: int | None = None,
    needs_answers: bool = False,
) -> Recording:
    """Run a scenario with invocations that are made otherwise than as scheduled.

    It may come to no end: then the recording has none.

    Parameters:
        branches: what the order of branches is made from; None for the seed.
        needs_answers: whether every answer of the scenario has to be asked for.

    Raises:
        ScenarioError, NetworkRefused: see `run`.
    """
    one = _Run(scenario, seed, conditions, branches)
    recording = one.record()
    if needs_answers and recording.ended is not None:
        one.answering.check()
    return recording


class _Run:
    """One run of a scenario: its simulation, with the answers and happenings played in."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        conditions: Conditions | None = None,
        branches: int | None = None,
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.simulation = Simulation(seed, scenario.start, branches)
        self.simulation.invocations.conditions = conditions or Conditions()
        self.service = self.simulation.service
        self.answering = Answering(scenario.answers, self.simulation)

    def record(self) -> Recording:
        scenario, simulation = self.scenario, self.simulation
        function = simulation.add_function(
            scenario.function, scenario.handler, execution_timeout=scenario.execution_timeout
        )
        for name, handler in scenario.functions.items():
            simulation.add_function(name, handler)
        with simulation.running(), scenario.world() as world:
            for happening in scenario.happenings:
                act = partial(self.happen, happening, world)
                simulation.clock.schedule(happening.after, act, happening.name)
            execution = self.start(function)
            self.play()
            return self.recording(execution, world)

    def start(self, function: Function) -> Execution:
        if not function.is_durable:
            raise ScenarioError(
                f"{function.name} is no durable function: decorate its handler with "
                "@durable_execution, or make it one of the scenario's functions"
            )
        try:
            payload = json.dumps(self.scenario.event)
        except (TypeError, ValueError) as error:
            raise ScenarioError(f"the scenario's event is not JSON: {error}") from error
        return self.service.start(function, payload, self.scenario.execution_name)

    def happen(self, happening: Happening, world: Any) -> None:
        try:
            with self.service.actors.acting(happening.name):
                happening.action(world)
        except Exception as error:
            raise ScenarioError(
                f"the happening {happening.name!r} failed: {type(error).__name__}: {error}"
            ) from error

    def play(self) -> None:
        simulation = self.simulation
        while not simulation.clock.is_idle():
            simulation.clock.run_next()
            if simulation.invocations.made > MOST_INVOCATIONS:
                raise ScenarioError(
                    f"the run made more than {MOST_INVOCATIONS} invocations and did not end"
                )

    def why_stuck(self) -> str:
        waiting = [
            callback_name(execution.operations, operation)
            for execution in self.service.executions.values()
            for operation in execution.open_operations()
            if operation.operation_type is OperationType.CALLBACK
        ]
        if not waiting:
            return "the execution waits for something that never comes"
        names = ", ".join(map(repr, waiting))
        return (
            f"nobody answers callback {names} and no timeout bounds it, so the execution would "
            "wait for ever: give the scenario an answer (--answer NAME=JSON on the command line), "
            "or the callback a timeout"
        )

    def recording(self, execution: Execution, world: Any) -> Recording:
        others = [
            self._record(other)
            for other in self.service.executions.values()
            if other is not execution
        ]
        return self._record(execution, others=others, world=world)

    def _record(self, execution: Execution, **extra: Any) -> Recording:
        return Recording(
            scenario=self.scenario.name,
            engine=ENGINE,
            seed=self.seed,
            arn=execution.arn,
            function=execution.function.name,
            status=status_of(execution),
            payload=execution.payload,
            output=execution.result,
            error=execution.error,
            started=execution.started,
            ended=execution.ended,
            events=execution.log.events,
            operations=recorded_operations(execution.operations),
            invocations=execution.invocations,
            deliveries=[
                delivery
                for delivery in self.service.callbacks.deliveries
                if delivery.execution_arn in (execution.arn, "")
            ],
            calls=self.service.calls.made,
            dead_letters=self.service.calls.dead_letters,
            charged_operations=execution.charged_operations,
            bytes_written=execution.bytes_written,
            updates=execution.updates,
            **extra,
        )
