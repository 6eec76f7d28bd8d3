"""What shows that a run was another one than as scheduled.

How often a handler is interrupted must not show. So the run as scheduled is all that the others
are compared with, and no expected value has to be written.
"""

from __future__ import annotations

from collections.abc import Iterator

from dacapo.recording import Recording
from dacapo.verify.findings import PROVED, Code, Finding
from dacapo.verify.observed import Observed, Scheduled


def compare(scheduled: Scheduled, other: Observed, experiment: str) -> Iterator[Finding]:
    """What shows that a run was another one than as scheduled."""
    yield from diverged(other, experiment)
    if any(
        other.steps[key] != payload
        for key, payload in scheduled.steps.items()
        if key in other.steps
    ):
        # What a step returned may differ (an id that AWS gave), and then all that follows may.
        return
    if scheduled.ended_early != other.ended_early:
        return  # Other branches came first, and all that follows may differ.
    yield from _compare_operations(scheduled, other, experiment)
    yield from _compare_ends(scheduled.recording, other.recording, experiment)
    yield from _compare_effects(scheduled, other, experiment)


def compare_crashed(scheduled: Scheduled, crashed: Observed, experiment: str) -> Iterator[Finding]:
    """What a crash did that it must not do."""
    yield from _ran_twice(crashed, experiment)
    yield from _repeated(scheduled, crashed, experiment)
    if crashed.interrupted:
        return  # At most once: the crash ended the attempt, so the result may be another one.
    again = {key for key, n in crashed.effects.bodies.items() if n > scheduled.effects.bodies[key]}
    if again & (scheduled.steps.keys() ^ crashed.steps.keys()):
        return  # A step that ran again was answered otherwise: that is the world's doing.
    for finding in compare(scheduled, crashed, experiment):
        # A step that may run again does what it does again; whether it may is seen above.
        if finding.code is not Code.OTHER_EFFECTS:
            yield finding


def diverged(other: Observed, experiment: str) -> Iterator[Finding]:
    """What the SDK found to be other than recorded, whether or not the handler let it out."""
    error = other.recording.error
    is_honest = error is not None and "NonDeterministic" in (error.type or "")
    code = Code.OTHER_OPERATION if is_honest else Code.DIVERGENCE_SWALLOWED
    for divergence in dict.fromkeys(other.divergences):
        yield Finding(code, PROVED, divergence.message, experiment, divergence.place)


def _compare_operations(one: Observed, other: Observed, experiment: str) -> Iterator[Finding]:
    # An id says in which context an operation stands, and at which place: branches may come in any
    # order, all else may not.
    before, after = one.paths, other.paths
    keys = [key for key in {**before, **after} if key not in _left_over(one, other)]
    key = next((key for key in keys if before.get(key) != after.get(key)), None)
    if key is None:
        return
    was, now = before.get(key), after.get(key)
    if was is None:
        message = f"it does {now!r} as well"
    elif now is None:
        message = f"it does not do {was!r}"
    else:
        message = f"it does {now!r} where it does {was!r} as scheduled"
    yield Finding(
        Code.OTHER_OPERATION,
        PROVED,
        f"{experiment}, {message}",
        experiment,
        other.effects.places.get(key) or one.effects.places.get(key),
        recorded=tuple(before.values()),
        replayed=tuple(after.values()),
    )


def _left_over(one: Observed, other: Observed) -> set[str]:
    """Ids of what is in batches that ended early: which branches begin is a matter of order."""
    return one.inside(one.ended_early) | other.inside(other.ended_early)


def _compare_ends(one: Recording, other: Recording, experiment: str) -> Iterator[Finding]:
    ends = [(r.status, r.result, r.error and (r.error.type, r.error.message)) for r in (one, other)]
    if ends[0] != ends[1]:
        message = f"{experiment}, it ends with {_end(other)}; as scheduled, with {_end(one)}"
        yield Finding(Code.OTHER_RESULT, PROVED, message, experiment)


def _end(recording: Recording) -> str:
    if recording.error is not None:
        return f"{recording.status}, {recording.error.type}: {recording.error.message}"
    return f"{recording.status}, {recording.output}"


def _compare_effects(one: Scheduled, other: Observed, experiment: str) -> Iterator[Finding]:
    before, after = one.effects_of(one), one.effects_of(other)
    left_over = _left_over(one, other)
    for effect in {**before, **after}:
        if before[effect] == after[effect] or effect.operation_id in left_over:
            continue
        place = other.effects.place_of(effect) or one.effects.place_of(effect)
        where = f"in step {effect.step!r}" if effect.operation_id else "outside every step"
        yield Finding(
            Code.OTHER_EFFECTS if effect.operation_id else Code.EFFECT_OUTSIDE_STEP,
            PROVED,
            f"{experiment}, {effect.what} ({where}) is done {_times(after[effect])}; "
            f"as scheduled, {_times(before[effect])}",
            experiment,
            place,
        )


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _ran_twice(crashed: Observed, experiment: str) -> Iterator[Finding]:
    for key in crashed.interrupted:
        if crashed.effects.bodies[key] > 1:
            message = "an at-most-once step runs again after it was interrupted"
            place = crashed.effects.places.get(key)
            yield Finding(Code.RAN_TWICE, PROVED, message, experiment, place)


def _repeated(scheduled: Observed, crashed: Observed, experiment: str) -> Iterator[Finding]:
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
                yield Finding(Code.EFFECT_REPEATED, PROVED, message, experiment, place)
