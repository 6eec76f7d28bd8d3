"""The experiments that are runs: the same scenario, interrupted otherwise than as scheduled.

How often a handler is interrupted must not show. So the run as scheduled is all that the others
are compared with, and no expected value has to be written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from aws_durable_execution_sdk_python.lambda_service import (
    OperationStatus,
    OperationType,
    OperationUpdate,
)

from dacapo import runner, sdk_internals
from dacapo.recording import Recording
from dacapo.scenario import Scenario
from dacapo.service.door import Crash, Interference
from dacapo.service.execution import Execution
from dacapo.service.invocations import Conditions
from dacapo.verify.effects import Effect, Effects, noting
from dacapo.verify.findings import PROVED, Code, Finding

AT_ONCE = timedelta(0)
"""Between an invocation that dies and the next one, so that times are the same in every run."""

UpdateKey = tuple[str, str, int]
"""A checkpoint: operation, action, and how often it has been made before."""


@dataclass(frozen=True)
class Observed:
    """A run, and what it did."""

    recording: Recording
    effects: Effects
    divergences: list[str]

    @property
    def steps(self) -> dict[str, str | None]:
        """What each step returned, as it was stored."""
        return {
            o.id: o.payload
            for o in self.recording.operations
            if o.stored.operation_type is OperationType.STEP
        }


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


class Log(Interference):
    """Notes what is checkpointed, in order."""

    def __init__(self) -> None:
        self.keys: list[UpdateKey] = []

    def after(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Note a batch."""
        _ = execution
        for update in updates:
            key = update.operation_id, update.action.value
            self.keys.append((*key, sum(1 for known in self.keys if known[:2] == key)))


class Everywhere(Interference):
    """Ends the invocation after every batch that leaves no step under way."""

    def interrupts(self, execution: Execution, updates: Sequence[OperationUpdate]) -> bool:
        """Whether no step is under way: one that is may be slow, or happen at most once."""
        under_way = (OperationStatus.STARTED, OperationStatus.READY)
        return bool(updates) and not any(
            operation.operation_type is OperationType.STEP and operation.status in under_way
            for operation in execution.replayable.values()
        )


class CrashAt(Interference):
    """Takes the process away once, before or after a checkpoint is stored."""

    def __init__(self, key: UpdateKey, when: str) -> None:
        self.key = key
        self.when = when
        self.has_happened = False
        self._seen: Counter[tuple[str, str]] = Counter()

    def before(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Crash before the batch is stored, if it is the one."""
        _ = execution
        if self.when == "before" and self._is_here(updates):
            self._crash()

    def after(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Crash after the batch was stored, if it was the one."""
        _ = execution
        is_here = self._is_here(updates)
        self._seen.update((update.operation_id, update.action.value) for update in updates)
        if self.when == "after" and is_here:
            self._crash()

    def _is_here(self, updates: Sequence[OperationUpdate]) -> bool:
        operation_id, action, number = self.key
        return (
            not self.has_happened
            and self._seen[operation_id, action] == number
            and any((u.operation_id, u.action.value) == (operation_id, action) for u in updates)
        )

    def _crash(self) -> None:
        self.has_happened = True
        raise Crash(f"died {self.when} {self.key[1]} was stored")


def observe(
    scenario: Scenario,
    seed: int,
    interference: Interference | None = None,
    *,
    branches: int | None = None,
    is_uninterrupted: bool = False,
) -> Observed:
    """Run a scenario, and note what it does."""
    going_on = sdk_internals.uninterrupted() if is_uninterrupted else nullcontext()
    durable = {name for name, f in scenario.functions.items() if sdk_internals.is_durable(f)}
    effects_of = noting({scenario.function, *durable})
    with sdk_internals.divergences() as divergences, effects_of as effects, going_on:
        conditions = Conditions(interference or Interference(), effects, AT_ONCE)
        recording = runner.run_under(conditions, scenario, seed=seed, branches=branches)
    return Observed(recording, effects, divergences)


def as_scheduled(scenario: Scenario, seed: int, log: Log) -> Scheduled:
    """The run that all others are compared with; `log` notes what it checkpoints."""
    first, second = observe(scenario, seed, log), observe(scenario, seed)
    return Scheduled(first.recording, first.effects, first.divergences, again=second)


def compare(scheduled: Scheduled, other: Observed, experiment: str) -> Iterator[Finding]:
    """What shows that a run was another one than as scheduled."""
    yield from _swallowed(other, experiment)
    if any(
        other.steps[key] != payload
        for key, payload in scheduled.steps.items()
        if key in other.steps
    ):
        # What a step returned may differ (an id that AWS gave), and then all that follows may.
        return
    yield from _compare_operations(scheduled, other, experiment)
    yield from _compare_ends(scheduled.recording, other.recording, experiment)
    yield from _compare_effects(scheduled, other, experiment)


def _swallowed(other: Observed, experiment: str) -> Iterator[Finding]:
    error = other.recording.error
    is_honest = error is not None and "NonDeterministic" in (error.type or "")
    for message in dict.fromkeys(other.divergences):
        code = Code.OTHER_OPERATION if is_honest else Code.DIVERGENCE_SWALLOWED
        yield Finding(code, PROVED, message, experiment)


def _compare_operations(one: Observed, other: Observed, experiment: str) -> Iterator[Finding]:
    paths = [[o.path for o in observed.recording.operations] for observed in (one, other)]
    if sorted(paths[0]) == sorted(paths[1]):
        yield from _compare_order(one, other, experiment)
        return
    missing, extra = _difference(paths[0], paths[1]), _difference(paths[1], paths[0])
    parts = [f"it does not do {missing[0]!r}"] if missing else []
    parts += [f"it does {extra[0]!r} as well"] if extra else []
    yield Finding(
        Code.OTHER_OPERATION,
        PROVED,
        f"{experiment}, {' and '.join(parts)}",
        experiment,
        recorded=tuple(paths[0]),
        replayed=tuple(paths[1]),
    )


def _compare_order(one: Observed, other: Observed, experiment: str) -> Iterator[Finding]:
    if any(o.kind in ("Map", "Parallel") for o in one.recording.operations):
        return
    paths = [[o.path for o in observed.recording.operations] for observed in (one, other)]
    if paths[0] != paths[1]:
        before, after = next(pair for pair in zip(*paths, strict=True) if pair[0] != pair[1])
        message = f"{experiment}, it does {after!r} where it does {before!r} as scheduled"
        yield Finding(
            Code.OTHER_OPERATION,
            PROVED,
            message,
            experiment,
            recorded=tuple(paths[0]),
            replayed=tuple(paths[1]),
        )


def _difference(one: Iterable[str], other: Iterable[str]) -> list[str]:
    return list((Counter(one) - Counter(other)).elements())


def _compare_ends(one: Recording, other: Recording, experiment: str) -> Iterator[Finding]:
    ends = [(r.status, r.result, r.error and (r.error.type, r.error.message)) for r in (one, other)]
    if ends[0] != ends[1]:
        yield Finding(
            Code.OTHER_RESULT,
            PROVED,
            f"{experiment}, it ends with {_end(other)}; as scheduled, with {_end(one)}",
            experiment,
        )


def _end(recording: Recording) -> str:
    if recording.error is not None:
        return f"{recording.status}, {recording.error.type}: {recording.error.message}"
    return f"{recording.status}, {recording.output}"


def _compare_effects(one: Scheduled, other: Observed, experiment: str) -> Iterator[Finding]:
    before, after = one.effects_of(one), one.effects_of(other)
    for effect in {**before, **after}:
        if before[effect] != after[effect]:
            alike = effect.operation_id, effect.what
            done = [*other.effects.done, *one.effects.done]
            place = next(d.place for d in done if (d.effect.operation_id, d.effect.what) == alike)
            where = f"in step {effect.step!r}" if effect.operation_id else "outside every step"
            yield Finding(
                Code.OTHER_EFFECTS if effect.operation_id else Code.EFFECT_OUTSIDE_STEP,
                PROVED,
                f"{experiment}, {effect.what} ({where}) is done {after[effect]} times; "
                f"as scheduled, {before[effect]} times",
                experiment,
                place,
            )


def crash_points(keys: Sequence[UpdateKey], most: int | None) -> list[tuple[UpdateKey, str]]:
    """Where to crash: before and after each checkpoint is stored.

    Parameters:
        most: how many points; of more, so many are taken at even distances, the first and the last
            among them. None for all.
    """
    points = [(key, when) for key in keys for when in ("before", "after")]
    if most is None or len(points) <= most:
        return points
    return [points[round(n * (len(points) - 1) / (most - 1))] for n in range(most)]


def compare_crashed(scheduled: Scheduled, crashed: Observed, name: str) -> Iterator[Finding]:
    """What a crash did that it must not do."""
    yield from _ran_twice(crashed, name)
    yield from _repeated(scheduled, crashed, name)
    if not _is_interrupted(crashed):
        yield from (
            finding
            for finding in compare(scheduled, crashed, name)
            if finding.code not in (Code.OTHER_EFFECTS,)
        )


def _ran_twice(crashed: Observed, name: str) -> Iterator[Finding]:
    interrupted = {
        event["Id"]
        for event in crashed.recording.events
        if "StepInterrupted" in str(event.get("StepFailedDetails"))
    }
    for key in interrupted:
        if crashed.effects.bodies[key] > 1:
            message = "an at-most-once step runs again after it was interrupted"
            yield Finding(Code.RAN_TWICE, PROVED, message, name, crashed.effects.places.get(key))


def _is_interrupted(observed: Observed) -> bool:
    # At-most-once: the crash ended the attempt, so the result may be another one.
    return any(
        "StepInterrupted" in str(event.get("StepFailedDetails"))
        for event in observed.recording.events
    )


def _repeated(scheduled: Observed, crashed: Observed, name: str) -> Iterator[Finding]:
    for key, count in crashed.effects.bodies.items():
        if count <= scheduled.effects.bodies[key]:
            continue
        done = [d for d in crashed.effects.done if d.effect.operation_id == key]
        for what in dict.fromkeys(d.effect.what for d in done if not d.effect.is_conditional):
            runs = {
                tuple(d.effect.digest for d in done if d.body == body and d.effect.what == what)
                for body in dict.fromkeys(d.body for d in done)
            }
            runs.discard(())
            if len(runs) > 1:
                place = next(d.place for d in done if d.effect.what == what)
                message = f"the step runs again, and its {what} is not the same request"
                yield Finding(Code.EFFECT_REPEATED, PROVED, message, name, place)
