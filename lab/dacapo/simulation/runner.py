"""Runs a scenario on the simulated service, in virtual time, and records it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import OperationType

from dacapo.errors import DacapoError, ScenarioError
from dacapo.history import endings
from dacapo.history.operations import callback_name, callback_path, recorded_operations
from dacapo.history.recording import BrokenInvariant, Cause, Recording
from dacapo.process import source_lines
from dacapo.scenario import Scenario
from dacapo.scenario.external_events import ExternalEvent, Outage
from dacapo.sdk.continuing import continuing, sleeping_outside_steps
from dacapo.sdk.operation_hooks import Failure, cause_of, failures, place_of
from dacapo.service import quotas
from dacapo.service.callers import Caller
from dacapo.service.execution import Execution
from dacapo.service.functions import Function
from dacapo.service.invocations import Conditions
from dacapo.simulation import outages
from dacapo.simulation.answerer import Answerer
from dacapo.simulation.simulation import Simulation

ENGINE = "sim"
DEFAULT_SEED = 0
MOST_INVOCATIONS = 10_000
"""Invocations after which a run counts as endless; an execution can't have more than 3,000 that
each do something."""


def run(scenario: Scenario, *, seed: int = DEFAULT_SEED, replay: bool = True) -> Recording:
    """Run a scenario from its start until nothing is due any more.

    Parameters:
        scenario: the scenario.
        seed: the same seed gives the same history, IDs and payloads; 0 or more.
        replay: False to continue the handler where it would be suspended, instead of calling it
            again. The recording is the same if the handler's body is safe to replay, and its cost
            grows with the number of operations instead of with its square.

    Returns:
        The recording of the execution, whether it succeeded or not.

    Raises:
        ScenarioError: the scenario contradicts itself: a callback has neither an answer nor a
            timeout, or an answer has no callback; its invariant cannot be asked; or, without
            replay, the handler sleeps outside steps or has operations in a `finally`.
        NetworkRefused: the run tried to reach another machine.
        HandlerStuck: the handler runs without any call.
    """
    current = _Run(scenario, seed, Conditions(replay=replay), strict=True)
    recording = current.record()
    if recording.ended is None and endings.name_of(scenario.expects) != endings.NEVER_ENDS:
        raise ScenarioError(current.why_stuck())
    current.check_answers(recording)
    return recording


def run_under(
    conditions: Conditions,
    scenario: Scenario,
    *,
    seed: int,
    branches: int | None = None,
    needs_answers: bool = False,
    on_sleep: Callable[[source_lines.Place | None], None] = lambda _: None,
) -> Recording:
    """Run a scenario under other conditions: with crashes or suspensions, or observed.

    If the execution does not end, the recording has no end.

    Parameters:
        conditions: the conditions of its invocations.
        scenario: the scenario.
        seed: as for `run`.
        branches: seed of the order of branches; None for `seed`.
        needs_answers: whether every answer of the scenario must have a callback.
        on_sleep: receives the line at which the handler sleeps outside its steps, each time.

    Raises:
        ScenarioError, NetworkRefused: see `run`.
    """
    current = _Run(scenario, seed, conditions, branches)
    scheduler = current.simulation.scheduler
    scheduler.on_sleep = partial(sleeping_outside_steps, scheduler, on_sleep)
    recording = current.record()
    if needs_answers and recording.ended is not None:
        current.check_answers(recording)
    return recording


class _Run:
    """One run of a scenario: its simulation, with its answers and external events."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        conditions: Conditions | None = None,
        branches: int | None = None,
        *,
        strict: bool = False,
    ) -> None:
        self.strict = strict
        self.scenario = scenario
        self.seed = seed
        region, account = scenario.region, scenario.account
        self.simulation = Simulation(seed, scenario.start, branches, region, account)
        self.simulation.invocations.conditions = conditions or Conditions()
        self.service = self.simulation.service
        self.answerer = Answerer(scenario.answers, self.simulation)
        self.outages = outages.Outages(self.simulation.clock)
        self.service.checkpoints.on_started = self.outages.on_started
        self.has_outages = any(isinstance(e, Outage) for e in scenario.external_events)

    def record(self) -> Recording:
        scenario, simulation = self.scenario, self.simulation
        function = simulation.add_function(
            scenario.function,
            scenario.handler,
            execution_timeout=scenario.execution_timeout,
            timeout=scenario.timeout,
        )
        for name, handler in scenario.functions.items():
            simulation.add_function(name, handler)
        is_replayed = simulation.invocations.conditions.replay
        with (
            simulation.running(),
            nullcontext() if is_replayed else continuing(strict=self.strict),
            scenario.build_world() as world,
            failures() as failed,
            self.outages.serving() if self.has_outages else nullcontext(),
        ):
            for external_event in scenario.external_events:
                self.schedule(external_event, world)
            execution = self.start(function)
            self.run_to_end()
            recording = self.recording(execution, world, failed)
            return replace(recording, broken_invariant=self.broken_invariant(recording))

    def schedule(self, external_event: ExternalEvent, world: Any) -> None:
        act: Callable[[], object] = partial(self.fire, external_event, world)
        if isinstance(external_event, Outage):
            if external_event.from_operation:
                self.outages.expect(external_event)
                return
            # At once, before a task goes on that is ready at the same time.
            act = partial(external_event.action, world)
        self.simulation.clock.schedule(external_event.after, act, external_event.name)

    def broken_invariant(self, recording: Recording) -> BrokenInvariant | None:
        """Ask the scenario's invariant, in the world of the run."""
        invariant = self.scenario.invariant
        if invariant is None:
            return None
        try:
            holds = invariant(recording, recording.world)
        except AssertionError as error:
            message = str(error).partition("\n")[0] or "its assertion fails"
            return BrokenInvariant(message, source_lines.raised_at(error))
        except DacapoError:
            raise
        except Exception as error:
            where = source_lines.raised_at(error)
            raise ScenarioError(
                f"the scenario's invariant failed at {where}: {type(error).__name__}: {error}"
            ) from error
        name = getattr(invariant, "__name__", "the invariant")
        return BrokenInvariant(f"{name} returns False") if holds is False else None

    def check_answers(self, recording: Recording) -> None:
        """Check that the run had what answers and outages need, unless it ended before it could."""
        error = recording.error.type if recording.error else None
        if endings.is_expected(self.scenario.expects, recording.status, error):
            self.answerer.check()
            self.outages.check()

    def start(self, function: Function) -> Execution:
        try:
            payload = json.dumps(self.scenario.event)
        except (TypeError, ValueError) as error:
            raise ScenarioError(f"the scenario's event is not JSON: {error}") from error
        if len(payload.encode()) > quotas.ASYNCHRONOUS_BYTES:
            limit = quotas.ASYNCHRONOUS_BYTES
            raise ScenarioError(f"the scenario's event has more than {limit} bytes as JSON")
        return self.service.start(function, payload, self.scenario.execution_name)

    def fire(self, external_event: ExternalEvent, world: Any) -> None:
        def act() -> None:
            try:
                with self.service.callers.acting_as(Caller(external_event.name)):
                    external_event.action(world)
            except Exception as error:
                raise ScenarioError(
                    f"the external event {external_event.name!r} failed: "
                    f"{type(error).__name__}: {error}"
                ) from error

        name = external_event.name
        self.simulation.scheduler.start(name, name, act)

    def run_to_end(self) -> None:
        simulation = self.simulation
        clock, scheduler = simulation.clock, simulation.scheduler
        # A task that waits for what never happens waits until its invocation times out.
        while (not clock.is_idle() or scheduler.is_blocked()) and clock.run_next():
            if simulation.invocations.count > MOST_INVOCATIONS:
                raise ScenarioError(
                    f"the run made more than {MOST_INVOCATIONS} invocations and did not end"
                )

    def why_stuck(self) -> str:
        waiting = [
            callback_name(execution.operations, operation)
            or callback_path(execution.operations, operation)
            for execution in self.service.executions.values()
            for operation in execution.open_operations()
            if operation.operation_type is OperationType.CALLBACK
        ]
        if not waiting:
            if any(execution.pause for execution in self.service.executions.values()):
                return "the execution is paused, and nothing resumes it: add resume(after=…)"
            return "the execution waits for something that never happens"
        names = ", ".join(map(repr, waiting))
        return (
            f"callback {names} has neither an answer nor a timeout, so the execution would wait "
            "forever: give the scenario an answer (--answer NAME=JSON on the command line), or the "
            "callback a timeout"
        )

    def recording(
        self, execution: Execution, world: Any, failed: Sequence[Failure] = ()
    ) -> Recording:
        others = [
            self._record(other)
            for other in self.service.executions.values()
            if other is not execution
        ]
        place = place_of(execution.error, failed) or self._defined_at(execution)
        failure = cause_of(execution.error, failed)
        cause = failure and Cause(failure.name, failure.place)
        return self._record(
            execution,
            others=others,
            world=world,
            failed_calls=self.outages.failed,
            failed_at=place,
            cause=cause,
        )

    def _defined_at(self, execution: Execution) -> source_lines.Place | None:
        """Return the line of the handler, if no line of it raised the error of the execution."""
        place = source_lines.of_function(self.scenario.handler) if execution.error else None
        return place and source_lines.below_decorators(place)

    def _record(self, execution: Execution, **extra: Any) -> Recording:
        return Recording(
            scenario=self.scenario.name,
            engine=ENGINE,
            seed=self.seed,
            arn=execution.arn,
            function=execution.function.name,
            status=execution.execution_status,
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
            calls=self.service.calls.completed,
            dead_letters=self.service.calls.dead_letters,
            charged_operations=execution.charged_operations,
            bytes_written=execution.bytes_written,
            updates=execution.updates,
            **extra,
        )
