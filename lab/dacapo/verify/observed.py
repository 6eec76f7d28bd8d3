"""One run of a scenario, and what it did: what the experiments that are runs compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from aws_durable_execution_sdk_python.lambda_service import OperationType

from dacapo import runner
from dacapo.recording import Recording
from dacapo.scenario import Scenario
from dacapo.sdk_internals.installed import is_durable
from dacapo.sdk_internals.operations import Divergence, divergences, failures, uninterrupted
from dacapo.service.door import Interference
from dacapo.service.invocations import Conditions
from dacapo.verify.batches import ends_early
from dacapo.verify.effects import Effect, Effects, noting

AT_ONCE = timedelta(0)
"""Between an invocation that dies and the next one, so that times are the same in every run."""


@dataclass(frozen=True)
class Observed:
    """A run, and what it did."""

    recording: Recording
    effects: Effects
    divergences: list[Divergence]

    @property
    def steps(self) -> dict[str, str | None]:
        """What each step returned, as it was stored; a step that failed returned nothing."""
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

    def inside(self, contexts: Collection[str]) -> set[str]:
        """Ids of the operations inside these contexts."""
        within = set(contexts)
        for operation in self.recording.operations:
            if operation.stored.parent_id in within:
                within.add(operation.id)
        return within - set(contexts)

    @cached_property
    def interrupted(self) -> list[str]:
        """Ids of the at-most-once steps that a crash ended."""
        return [
            event["Id"]
            for event in self.recording.events
            if "StepInterrupted" in str(event.get("StepFailedDetails"))
        ]


@dataclass(frozen=True)
class Scheduled(Observed):
    """The run as scheduled, made twice.

    Parameters:
        again: the second time. What differs then is the world's doing (a port, a key), and is not
            compared.
    """

    again: Observed

    def effects_of(self, observed: Observed) -> Counter[Effect]:
        """How often each effect was made, without the contents that the world makes differ."""
        counted: Counter[Effect] = Counter()
        for effect, count in observed.effects.counted().items():
            is_loose = (effect.operation_id, effect.what) in self._loose
            counted[replace(effect, digest="") if is_loose else effect] += count
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
    is_uninterrupted: bool = False,
    needs_answers: bool = False,
) -> Observed:
    """Run a scenario, and note what it does; see `runner.run_under`."""
    going_on = uninterrupted() if is_uninterrupted else nullcontext()
    durable = {name for name, f in scenario.functions.items() if is_durable(f)}
    effects_of = noting({scenario.function, *durable})
    with (
        divergences() as diverged,
        effects_of as effects,
        failures(effects.results.failed),
        going_on,
    ):
        conditions = Conditions(interference or Interference(), effects, AT_ONCE)
        recording = runner.run_under(
            conditions, scenario, seed=seed, branches=branches, needs_answers=needs_answers
        )
    return Observed(recording, effects, diverged)


def as_scheduled(scenario: Scenario, seed: int, log: Interference) -> Scheduled:
    """The run that all others are compared with; `log` notes what it checkpoints."""
    first, second = observe(scenario, seed, log, needs_answers=True), observe(scenario, seed)
    return Scheduled(first.recording, first.effects, first.divergences, again=second)
