"""Run a scenario once and keep what it did: what experiments compare.

What is kept is plain data, because a run and its comparison are in different processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import OperationType, OperationUpdate

from dacapo.history.operations import ends_early
from dacapo.history.recording import Recording
from dacapo.process.source_lines import Place
from dacapo.scenario import Scenario
from dacapo.sdk.operation_hooks import (
    Divergence,
    concurrency_limits,
    divergences,
    operation_errors,
)
from dacapo.sdk.serializers import serializers
from dacapo.service import sandboxes
from dacapo.service.client import Interference, Probe
from dacapo.service.execution import Invocation
from dacapo.service.invocations import Conditions
from dacapo.simulation import runner
from dacapo.verify.findings import Observation
from dacapo.verify.observe.course import Called, Started, UpdateKey
from dacapo.verify.observe.effects import Effect, Effects, Occurrence
from dacapo.verify.observe.inputs import Inputs, Values
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


class Heart(Probe):
    """Says that a run makes progress.

    Parameters:
        beat: says so.
    """

    def __init__(self, beat: Callable[[], None]) -> None:
        self.beat = beat

    def on_read(self, operation_id: str) -> None:
        """Count a read as progress."""
        _ = operation_id
        self.beat()

    def intercept_checkpoint(self, update: OperationUpdate, *, is_sync: bool) -> bool:
        """Count a checkpoint as progress, and let it pass."""
        _ = update, is_sync
        self.beat()
        return False


@dataclass
class Seen:
    """Everything that is seen of a run, or of a part of it.

    Parameters:
        places: the line that starts each operation, by its ID.
        observations: operations where they must not be, results and errors that are changed.
        effects: what is done to the world, in order.
        bodies: how often the body of each step ran.
        values: what each operation gave to the handler, as text, by its ID.
        raised: the line that raised an error in the function of a step, by its ID.
        inputs: the variables around the function of a step, each time that it ran, by its ID.
        defined: the line that defines the function of a step, by its ID.
        frozen: what serializers of the handler's own gave; see `sdk.serializers`.
        divergences: what the SDK itself reported as different.
        limits: `max_concurrency` of each batch, by execution ARN and ID.
        sleeps: the lines at which the handler sleeps outside its steps.
    """

    places: dict[str, Place | None] = field(default_factory=dict)
    observations: list[Observation] = field(default_factory=list)
    effects: list[Occurrence] = field(default_factory=list)
    bodies: Counter[str] = field(default_factory=Counter)
    values: dict[str, str] = field(default_factory=dict)
    raised: dict[str, Place] = field(default_factory=dict)
    inputs: dict[str, list[Inputs]] = field(default_factory=dict)
    defined: dict[str, Place] = field(default_factory=dict)
    frozen: dict[str, bytes] = field(default_factory=dict)
    divergences: list[Divergence] = field(default_factory=list)
    limits: dict[tuple[str, str], int] = field(default_factory=dict)
    sleeps: list[Place | None] = field(default_factory=list)

    def add(self, other: Seen) -> None:
        """Add what is seen of a later part; it counts bodies from the beginning of the run."""
        self.places = other.places | self.places
        known = set(self.observations)
        self.observations += [one for one in other.observations if one not in known]
        self.effects += other.effects
        self.bodies |= other.bodies
        self.values |= other.values
        self.raised |= other.raised
        self.defined |= other.defined
        self.frozen |= other.frozen
        for key, each in other.inputs.items():
            self.inputs.setdefault(key, []).extend(each)
        self.divergences += other.divergences
        self.limits |= other.limits


class Observers:
    """Everything that observes a run from the side of its handlers.

    Parameters:
        beat: says that the run makes progress.
        first: ARN of the execution that is verified; "" for the first one that does something.
        bodies: how often the body of each step ran before this.
    """

    def __init__(
        self, beat: Callable[[], None], first: str = "", bodies: Mapping[str, int] | None = None
    ) -> None:
        self._position = Position()
        self._misplaced = Misplaced(self._position)
        self._results = Results(self._position)
        self._effects = Effects(self._position, first)
        self._effects.bodies.update(bodies or {})
        self._values = Values()
        self._divergences: list[Divergence] = []
        self._limits: dict[tuple[str, str], int] = {}
        self._drained = 0, 0
        self.probe = Probes(
            self._values,  # first, to see the function of the user's itself
            self._position,
            self._misplaced,
            self._results,
            self._effects,
            Heart(beat),
        )

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Context manager in which they see what happens in this process."""
        with (
            divergences() as self._divergences,
            concurrency_limits() as self._limits,
            self._effects.collecting(),
            serializers(self._results.serialized),
            operation_errors(self._results.failed),
        ):
            yield

    def drain(self) -> Seen:
        """Return what they have seen since this was called last."""
        seen = self.seen()
        done, diverged = len(seen.effects), len(seen.divergences)
        seen.effects = seen.effects[self._drained[0] :]
        seen.divergences = seen.divergences[self._drained[1] :]
        self._drained = done, diverged
        self._values.inputs = {}
        return seen

    def seen(self) -> Seen:
        """Return what they have seen."""
        return Seen(
            dict(self._position.places),
            [
                *self._misplaced.observations,
                *self._results.observations,
                *self._effects.may_repeat(),
            ],
            list(self._effects.done),
            Counter(self._effects.bodies),
            dict(self._values.results),
            dict(self._values.raised),
            {key: list(each) for key, each in self._values.inputs.items()},
            dict(self._values.defined),
            dict(self._results.frozen_results),
            list(self._divergences),
            dict(self._limits),
        )


@dataclass(frozen=True)
class Observed:
    """A run, and what it did.

    Parameters:
        seen: what was seen of it.
        checkpoints, course: what it checkpointed, started and called, if that was recorded; see
            `CourseLog`.
        folder: its temporary directory.
    """

    recording: Recording
    seen: Seen
    checkpoints: list[UpdateKey] = field(default_factory=list)
    course: list[Started | Called] = field(default_factory=list)
    folder: str = ""

    @property
    def places(self) -> dict[str, Place | None]:
        """The line that starts each operation, by its ID."""
        return self.seen.places

    @property
    def limits(self) -> dict[tuple[str, str], int]:
        """`max_concurrency` of each batch, by execution ARN and ID."""
        return self.seen.limits

    @property
    def sleeps(self) -> list[Place | None]:
        """The lines at which the handler sleeps outside its steps."""
        return self.seen.sleeps

    @cached_property
    def steps(self) -> dict[str, str | None]:
        """The stored result of each step; a step that failed has none."""
        return {
            o.id: self.portable(o.payload)
            for o in self.recording.operations
            if o.stored.operation_type is OperationType.STEP and o.status == "SUCCEEDED"
        }

    @cached_property
    def paths(self) -> dict[str, str]:
        """The path of each operation, by its ID."""
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

    @cached_property
    def effects(self) -> Counter[Effect]:
        """The number of times that each effect was made."""
        return Counter(occurrence.effect for occurrence in self.seen.effects)

    @cached_property
    def interrupted(self) -> list[str]:
        """IDs of the at-most-once steps that a crash ended."""
        return [
            event.operation_id
            for event in self.recording.events
            if event.operation_id
            and event.type == "StepFailed"
            and "StepInterrupted" in str(event.details)
        ]

    def inside(self, contexts: Collection[str]) -> set[str]:
        """Return the IDs of the operations inside these contexts."""
        within = set(contexts)
        for operation in self.recording.operations:
            if operation.stored.parent_id in within:
                within.add(operation.id)
        return within - set(contexts)

    def portable(self, text: str | None) -> str | None:
        """Return a text in which the run's own temporary directory is none of its own."""
        return text.replace(self.folder, "TMPDIR") if text and self.folder else text

    def place_of(self, effect: Effect) -> Place | None:
        """Return the line that made an effect, or one of the same kind in the same step."""
        same = (d for d in self.seen.effects if _where(d.effect) == _where(effect))
        return next((occurrence.place for occurrence in same), None)


def _where(effect: Effect) -> tuple[str, str]:
    return effect.operation_id.rpartition(" ")[2], effect.what  # before it is the execution


def observe(
    scenario: Scenario,
    seed: int,
    interference: Interference | None = None,
    *,
    branches: int | None = None,
    in_one_invocation: bool = False,
    needs_answers: bool = False,
    backoff: timedelta = AT_ONCE,
    beat: Callable[[], None] = lambda: None,
    observers: Observers | None = None,
) -> Observed:
    """Run a scenario, and keep what it does.

    Parameters:
        interference: what comes between invocations and the service.
        branches: seed of the order of tasks; None for `seed`.
        in_one_invocation: whether the handler runs in one piece where that is possible.
        needs_answers: whether every answer of the scenario has to be asked for.
        backoff: virtual time between an invocation that dies and the next one.
        beat: says that the run makes progress.
        observers: what observes it; None for new ones.

    Raises:
        ScenarioError, NetworkRefused: see `dacapo.run`.
    """
    observers = observers or Observers(beat)
    sleeps: list[Place | None] = []
    with observers.observing():
        conditions = Conditions(
            interference or Interference(),
            observers.probe,
            backoff,
            replay=not in_one_invocation,
        )
        recording = runner.run_under(
            conditions,
            scenario,
            seed=seed,
            branches=branches,
            needs_answers=needs_answers,
            on_sleep=sleeps.append,
        )
    seen = observers.seen()
    seen.sleeps = sleeps
    return Observed(replace(recording, world=None, others=[]), seen)
