"""Run a scenario once and keep what it did: what experiments compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import OperationType, OperationUpdate

from dacapo.history.operations import ends_early
from dacapo.history.recording import Recording
from dacapo.process.effect_listeners import listening
from dacapo.process.source_lines import Place
from dacapo.scenario import Scenario
from dacapo.sdk.operation_hooks import (
    Divergence,
    concurrency_limits,
    divergences,
    operation_errors,
)
from dacapo.service import sandboxes
from dacapo.service.client import Interference, Probe
from dacapo.service.execution import Invocation
from dacapo.service.invocations import Conditions
from dacapo.simulation import runner
from dacapo.verify.observe.effects import Effect, Effects
from dacapo.verify.observe.misplaced import Misplaced, Position
from dacapo.verify.observe.results import Results

AT_ONCE = timedelta(0)
"""Between an invocation that dies and the next one, so that times are the same in every run."""


class Probes(Probe):
    """Several probes as one; functions are wrapped by the first of them innermost."""

    def __init__(self, *probes: Probe) -> None:
        self.probes: Sequence[Probe] = probes

    def on_read(self, operation_id: str) -> None:
        """Pass a read on."""
        for probe in self.probes:
            probe.on_read(operation_id)

    def intercept_checkpoint(self, update: OperationUpdate, *, is_sync: bool) -> bool:
        """Pass a checkpoint on; return whether one of the probes keeps it to itself."""
        answers = [probe.intercept_checkpoint(update, is_sync=is_sync) for probe in self.probes]
        return any(answers)

    def wrap_function(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Wrap a function by all of them."""
        for probe in self.probes:
            function = probe.wrap_function(operation, attempt, function)
        return function

    def on_result(self, operation: OperationIdentifier, value: object) -> None:
        """Pass a result on."""
        for probe in self.probes:
            probe.on_result(operation, value)


@dataclass(frozen=True)
class Observed:
    """A run, and what it did.

    Parameters:
        position: the lines that start its operations.
        misplaced: operations that it starts where they must not be.
        results: what becomes of the results and errors of its steps.
        effects: what it does to the world.
        divergences: what the SDK itself reported as different.
        limits: `max_concurrency` of each batch, by execution ARN and ID.
    """

    recording: Recording
    position: Position
    misplaced: Misplaced
    results: Results
    effects: Effects
    divergences: list[Divergence]
    limits: dict[tuple[str, str], int]

    @property
    def places(self) -> dict[str, Place | None]:
        """The line that starts each operation, by its id."""
        return self.position.places

    @property
    def steps(self) -> dict[str, str | None]:
        """The stored result of each step; a step that failed has none."""
        return {
            o.id: o.payload
            for o in self.recording.operations
            if o.stored.operation_type is OperationType.STEP and o.status == "SUCCEEDED"
        }

    @property
    def paths(self) -> dict[str, str]:
        """The path of each operation, by its id."""
        return {operation.id: operation.path for operation in self.recording.operations}

    @cached_property
    def ended_early(self) -> dict[str, str | None]:
        """The results of the batches that ended before all of their branches had."""
        return {o.id: o.payload for o in self.recording.operations if ends_early(o.payload)}

    @property
    def cut_off(self) -> list[Invocation]:
        """The invocations that timed out, or in which the handler ended its process."""
        errors = (sandboxes.TIMED_OUT, sandboxes.EXITED)
        return [i for i in self.recording.invocations if i.error and i.error.type in errors]

    def inside(self, contexts: Collection[str]) -> set[str]:
        """Return the ids of the operations inside these contexts."""
        within = set(contexts)
        for operation in self.recording.operations:
            if operation.stored.parent_id in within:
                within.add(operation.id)
        return within - set(contexts)

    @cached_property
    def interrupted(self) -> list[str]:
        """Ids of the at-most-once steps that a crash ended."""
        return [
            event.operation_id
            for event in self.recording.events
            if event.operation_id
            and event.type == "StepFailed"
            and "StepInterrupted" in str(event.details)
        ]


@dataclass(frozen=True)
class ObservedTwice(Observed):
    """The reference run, made twice in the same way.

    Parameters:
        again: the second run. What differs then comes from the world (a port, a key), and is not
            compared.
    """

    again: Observed

    def effects_of(self, observed: Observed) -> Counter[Effect]:
        """Return how often each effect was made, without contents that differ between worlds."""
        counted: Counter[Effect] = Counter()
        for effect, count in observed.effects.counted().items():
            is_loose = (effect.operation_id, effect.what) in self._loose
            counted[replace(effect, digest="", key="") if is_loose else effect] += count
        return counted

    @cached_property
    def _loose(self) -> set[tuple[str, str]]:
        one, other = self.effects.counted(), self.again.effects.counted()
        return {(e.operation_id, e.what) for e in {**one, **other} if one[e] != other[e]}


def observe(
    scenario: Scenario,
    seed: int,
    interference: Interference | None = None,
    *,
    branches: int | None = None,
    in_one_invocation: bool = False,
    needs_answers: bool = False,
    backoff: timedelta = AT_ONCE,
) -> Observed:
    """Run a scenario, and keep what it does.

    Parameters:
        interference: what comes between invocations and the service.
        branches: seed of the order of tasks; None for `seed`.
        in_one_invocation: whether the handler runs in one piece where that is possible.
        needs_answers: whether every answer of the scenario has to be asked for.
        backoff: virtual time between an invocation that dies and the next one.

    Raises:
        ScenarioError, NetworkRefused: see `dacapo.run`.
    """
    position = Position()
    misplaced, results = Misplaced(position), Results(position)
    effects = Effects(position)
    with (
        divergences() as diverged,
        concurrency_limits() as limits,
        listening(effects.observe, effects.forget),
        operation_errors(results.failed),
    ):
        probe = Probes(position, misplaced, results, effects)
        conditions = Conditions(
            interference or Interference(), probe, backoff, replay=not in_one_invocation
        )
        recording = runner.run_under(
            conditions, scenario, seed=seed, branches=branches, needs_answers=needs_answers
        )
    return Observed(recording, position, misplaced, results, effects, diverged, limits)


def observe_twice(scenario: Scenario, seed: int, checkpoints: Interference) -> ObservedTwice:
    """Make the run that all others are compared with, twice.

    Parameters:
        checkpoints: records what the first run checkpoints.
    """
    first = observe(scenario, seed, checkpoints, needs_answers=True)
    return ObservedTwice(**vars(first), again=observe(scenario, seed))
