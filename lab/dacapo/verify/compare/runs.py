"""Compare a run with the runs of the baseline: the same operations, ending and effects.

How often a handler is interrupted must not show. So the baseline is all that the others are
compared with, and no expected value has to be written. Where two runs cannot be compared, that is
reported as `Skipped`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from aws_durable_execution_sdk_python.lambda_service import OperationType

from dacapo.history.operations import BATCHES
from dacapo.process.source_lines import Place
from dacapo.verify.compare import causes
from dacapo.verify.compare.baseline import Baseline, by_kind, describe_end, end_of
from dacapo.verify.endings import invariant_observations
from dacapo.verify.findings import (
    Code,
    Evidence,
    ExperimentName,
    Observation,
    Skipped,
    contrast,
)
from dacapo.verify.observe.effects import Effect
from dacapo.verify.observe.run import Observed

Comparison = Iterator[Observation | Skipped]

_STEP_DIFFERS = Skipped(
    "a step in a branch returned another result, and what follows may depend on it"
)
_BATCH_DIFFERS = Skipped(
    "a batch ended early with other branches, and what follows may depend on it"
)
_CUT_OFF = Skipped("the reference run has invocations that timed out or exited")


def compare(baseline: Baseline, other: Observed, experiment: ExperimentName) -> Comparison:
    """Yield what shows that a run differs from the baseline."""
    yield from invariant_observations(other.recording, experiment)
    yield from divergences(other, experiment, baseline.first)
    reason = _why_not(baseline, other)
    if reason is not None:
        yield reason
        return
    failed = _first_apart(baseline.first, other)
    operations = list(_compare_operations(baseline, other, experiment))
    effects = list(_compare_effects(baseline, other, experiment))
    in_steps = (effect.place for effect in effects if effect.code is Code.DIFFERENT_EFFECTS)
    cause = failed or next(filter(None, in_steps), None)
    ends = list(_compare_ends(baseline, other, experiment, cause))
    consequences = [*ends, *operations] if failed else [*operations, *ends]
    consequences += effects
    for observation in _compare_steps(baseline, other, experiment):
        # A result may say where the step ran: that alone harms nobody.
        evidence = Evidence.DIFFERENCE if consequences else Evidence.SIGHTING
        yield replace(observation, evidence=evidence)
    yield from consequences


def divergences(
    other: Observed, experiment: ExperimentName, one: Observed | None = None
) -> Iterator[Observation]:
    """Yield what the SDK itself reported as different, whether or not the handler let it out.

    Parameters:
        one: a run that shows where recorded operations are started; None for the same one.
    """
    error = other.recording.error
    is_honest = error is not None and "NonDeterministic" in (error.type or "")
    code = Code.DIFFERENT_OPERATION if is_honest else Code.DIVERGENCE_SWALLOWED
    for divergence in dict.fromkeys(other.seen.divergences):
        place = causes.of_divergence(one or other, divergence)
        yield Observation(code, Evidence.DIFFERENCE, divergence.message, experiment, place)


def _why_not(baseline: Baseline, other: Observed) -> Skipped | None:
    one = baseline.first
    if one.cut_off:
        return _CUT_OFF
    batches = {o.id for o in one.recording.operations if o.stored.sub_type in BATCHES}
    inside = one.inside(batches)
    if any(baseline.gives_another_result(other, key) for key in one.steps if key in inside):
        return _STEP_DIFFERS  # the world may answer branches in another order otherwise
    return _BATCH_DIFFERS if one.ended_early != other.ended_early else None


def _compare_steps(
    baseline: Baseline, other: Observed, experiment: ExperimentName
) -> Iterator[Observation]:
    one = baseline.first
    for key in one.steps:
        if baseline.gives_another_result(other, key):
            path = one.paths[key]
            was, now = contrast(_result_of(one, key), _result_of(other, key))
            message = f"{experiment}: {path!r} returns {now}; in the reference run, {was}"
            place = causes.of_operation(one, other, key)
            yield Observation(
                Code.DIFFERENT_RESULT,
                Evidence.DIFFERENCE,
                message,
                experiment,
                place,
                recorded=_results(one, key, was),
                replayed=_results(other, key, now),
            )
            return  # what follows may depend on it


def _result_of(run: Observed, key: str) -> str:
    return run.portable(run.seen.values.get(key) or run.steps[key]) or "nothing"


def _results(run: Observed, key: str, shown: str) -> tuple[str, ...]:
    """Return the operations of a run up to one, with what that one returns."""
    paths = list(run.paths.items())
    upto = next(number for number, (one, _) in enumerate(paths) if one == key)
    return (*(path for _, path in paths[:upto]), f"{run.paths[key]} → {shown}")


def _compare_operations(
    baseline: Baseline, other: Observed, experiment: ExperimentName
) -> Iterator[Observation]:
    # An ID says in which context an operation stands, and at which place: branches may come in any
    # order, all else may not.
    if not baseline.has_one_course:
        return
    one = baseline.first
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
        causes.of_parting(one.places.get(key), other.places.get(key)),
        recorded=tuple(before.values()),
        replayed=tuple(after.values()),
    )


def _left_over(one: Observed, other: Observed) -> set[str]:
    """Return IDs of what is in batches that ended early: which branches begin depends on order."""
    return one.inside(one.ended_early) | other.inside(other.ended_early)


def _compare_ends(
    baseline: Baseline, other: Observed, experiment: ExperimentName, cause: Place | None
) -> Iterator[Observation]:
    if baseline.has_one_end and end_of(baseline.first) != end_of(other):
        one = baseline.first
        ends = describe_end(one.recording), describe_end(other.recording)
        was, now = contrast(one.portable(ends[0]), other.portable(ends[1]))
        message = f"{experiment}: it ends with {now}; the reference run, with {was}"
        yield Observation(
            Code.DIFFERENT_RESULT,
            Evidence.DIFFERENCE,
            message,
            experiment,
            cause or causes.of_end(other),
            recorded=(*one.paths.values(), f"the end: {was}"),
            replayed=(*other.paths.values(), f"the end: {now}"),
        )


def _first_apart(one: Observed, other: Observed) -> Place | None:
    """Return the line that makes an operation end in another way, if that is where they part."""
    before = {o.id: o for o in one.recording.operations}
    for operation in other.recording.operations:
        was = before.get(operation.id)
        if was is None or was.path != operation.path:
            return None
        is_context = operation.stored.operation_type is OperationType.CONTEXT
        if not is_context and was.status != operation.status:
            return causes.of_operation(one, other, operation.id)
    return None


def _compare_effects(
    baseline: Baseline, other: Observed, experiment: ExperimentName
) -> Iterator[Observation]:
    one = baseline.first
    before, after = baseline.effects_of(one), baseline.effects_of(other)
    left_over = _left_over(one, other)
    counts = by_kind(before), by_kind(after)
    recorded = tuple(_shown(baseline.comparable(d.effect)) for d in one.seen.effects)
    replayed = tuple(_shown(baseline.comparable(d.effect)) for d in other.seen.effects)
    shown: set[tuple[str, str]] = set()
    for effect in {**before, **after}:
        kind = effect.operation_id, effect.what  # as it is compared
        if before[effect] == after[effect] or effect.operation_id in left_over or kind in shown:
            continue
        shown.add(kind)
        made_at = other.place_of(effect) or one.place_of(effect)
        yield Observation(
            Code.DIFFERENT_EFFECTS if effect.operation_id else Code.EFFECT_OUTSIDE_STEP,
            Evidence.DIFFERENCE,
            f"{experiment}: {_difference(effect, counts[0][kind], counts[1][kind])}",
            experiment,
            causes.of_request(one, other, effect.operation_id, made_at),
            recorded=recorded,
            replayed=replayed,
        )


def _difference(effect: Effect, was: int, now: int) -> str:
    where = f"in step {effect.step!r}" if effect.operation_id else "outside every step"
    if was == now:
        return f"{effect.what} ({where}) is not the request of the reference run"
    happens = f"happens {_times(now)}" if now else "does not happen"
    return f"{effect.what} ({where}) {happens}; in the reference run, {_times(was)}"


def _shown(effect: Effect) -> str:
    where = f"in {effect.step!r}" if effect.operation_id else "outside every step"
    content = f" (content {effect.digest[:8]})" if effect.digest else ""
    return f"{effect.what} {where}{content}"


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
