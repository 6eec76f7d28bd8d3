"""Compare a run with the reference run: the same operations, ending and effects.

How often a handler is interrupted must not show. So the reference run is all that the others are
compared with, and no expected value has to be written. Where two runs cannot be compared, that is
reported as `Skipped`.
"""

from __future__ import annotations

from collections.abc import Iterator

from dacapo.history.recording import Recording
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation, Skipped
from dacapo.verify.observe.run import Observed, ObservedTwice

Comparison = Iterator[Observation | Skipped]

_STEP_DIFFERS = Skipped("a step returned another result, and what follows may depend on it")
_BATCH_DIFFERS = Skipped(
    "a batch ended early with other branches, and what follows may depend on it"
)
_CUT_OFF = Skipped("the reference run has invocations that timed out or exited")


def compare(reference: ObservedTwice, other: Observed, experiment: ExperimentName) -> Comparison:
    """Yield what shows that a run differs from the reference run."""
    yield from divergences(other, experiment)
    if reference.cut_off:
        yield _CUT_OFF
        return
    if any(
        other.steps[key] != payload
        for key, payload in reference.steps.items()
        if key in other.steps
    ):
        yield _STEP_DIFFERS
        return
    if reference.ended_early != other.ended_early:
        yield _BATCH_DIFFERS
        return
    yield from _compare_operations(reference, other, experiment)
    yield from _compare_ends(reference.recording, other.recording, experiment)
    yield from _compare_effects(reference, other, experiment)


def divergences(other: Observed, experiment: ExperimentName) -> Iterator[Observation]:
    """Yield what the SDK itself reported as different, whether or not the handler let it out."""
    error = other.recording.error
    is_honest = error is not None and "NonDeterministic" in (error.type or "")
    code = Code.DIFFERENT_OPERATION if is_honest else Code.DIVERGENCE_SWALLOWED
    for divergence in dict.fromkeys(other.divergences):
        yield Observation(
            code, Evidence.DIFFERENCE, divergence.message, experiment, divergence.place
        )


def _compare_operations(
    one: Observed, other: Observed, experiment: ExperimentName
) -> Iterator[Observation]:
    # An id says in which context an operation stands, and at which place: branches may come in any
    # order, all else may not.
    before, after = one.paths, other.paths
    keys = [key for key in {**before, **after} if key not in _left_over(one, other)]
    key = next((key for key in keys if before.get(key) != after.get(key)), None)
    if key is None:
        return
    was, now = before.get(key), after.get(key)
    if was is None:
        message = f"it runs {now!r} as well"
    elif now is None:
        message = f"it does not run {was!r}"
    else:
        message = f"it runs {now!r} where the reference run has {was!r}"
    yield Observation(
        Code.DIFFERENT_OPERATION,
        Evidence.DIFFERENCE,
        f"{experiment}: {message}",
        experiment,
        other.places.get(key) or one.places.get(key),
        recorded=tuple(before.values()),
        replayed=tuple(after.values()),
    )


def _left_over(one: Observed, other: Observed) -> set[str]:
    """Return ids of what is in batches that ended early: which branches begin depends on order."""
    return one.inside(one.ended_early) | other.inside(other.ended_early)


def _compare_ends(
    one: Recording, other: Recording, experiment: ExperimentName
) -> Iterator[Observation]:
    ends = [(r.status, r.result, r.error and (r.error.type, r.error.message)) for r in (one, other)]
    if ends[0] != ends[1]:
        message = f"{experiment}: it ends with {_end(other)}; the reference run, with {_end(one)}"
        yield Observation(Code.DIFFERENT_RESULT, Evidence.DIFFERENCE, message, experiment)


def _end(recording: Recording) -> str:
    if recording.error is not None:
        return f"{recording.status}, {recording.error.type}: {recording.error.message}"
    return f"{recording.status}, {recording.output}"


def _compare_effects(
    reference: ObservedTwice, other: Observed, experiment: ExperimentName
) -> Iterator[Observation]:
    before, after = reference.effects_of(reference), reference.effects_of(other)
    left_over = _left_over(reference, other)
    for effect in {**before, **after}:
        if before[effect] == after[effect] or effect.operation_id in left_over:
            continue
        where = f"in step {effect.step!r}" if effect.operation_id else "outside every step"
        yield Observation(
            Code.DIFFERENT_EFFECTS if effect.operation_id else Code.EFFECT_OUTSIDE_STEP,
            Evidence.DIFFERENCE,
            f"{experiment}: {effect.what} ({where}) happens {_times(after[effect])}; "
            f"in the reference run, {_times(before[effect])}",
            experiment,
            other.effects.place_of(effect) or reference.effects.place_of(effect),
        )


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
