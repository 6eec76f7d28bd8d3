"""Crashed everywhere: the invocation dies once, before or after a checkpoint is stored.

A step that may run again runs again: its effects must then be the same requests, or conditional. An
at-most-once step must not run again; its attempt has failed, so the result may differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter

from aws_durable_execution_sdk_python.lambda_service import OperationUpdate

from dacapo.service.client import Crash, Interference
from dacapo.service.execution import Execution
from dacapo.verify.compare import causes
from dacapo.verify.compare.baseline import Baseline
from dacapo.verify.compare.runs import Comparison, compare
from dacapo.verify.endings import invariant_observations
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation, Skipped
from dacapo.verify.observe.course import UpdateKey
from dacapo.verify.observe.effects import Effect
from dacapo.verify.observe.run import Observed

NAME = ExperimentName.CRASHED
CrashPoint = tuple[UpdateKey, str]
"""A checkpoint, and `before` or `after` it is stored."""

_ENDS_OF_ATTEMPTS = ("SUCCEED", "FAIL", "RETRY")
_AT_MOST_ONCE = Skipped("a crash ended an at-most-once step, so the result may differ")
_ANSWERED_OTHERWISE = Skipped("a step that ran again was answered differently by the world")


class CrashAt(Interference):
    """Takes the process away once, before or after a checkpoint is stored."""

    def __init__(self, key: UpdateKey, when: str) -> None:
        self.key = key
        self.when = when
        self.has_happened = False
        self._seen: Counter[tuple[str, str]] = Counter()

    def before_store(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Crash before the batch is stored, if it is the one."""
        _ = execution
        if self.when == "before" and self._is_here(updates):
            self._crash()

    def after_store(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
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


def crash_points(keys: Sequence[UpdateKey], most: int | None) -> list[CrashPoint]:
    """Choose where to crash: before and after each checkpoint is stored.

    Parameters:
        most: how many points; of more, so many are taken at even distances, the first and the last
            among them. None for all.
    """
    points = [(key, when) for key in keys for when in ("before", "after")]
    if most is None or len(points) <= most:
        return points
    return [points[round(n * (len(points) - 1) / (most - 1))] for n in range(most)]


def compare_crashed(baseline: Baseline, crashed: Observed) -> Comparison:
    """Yield what a crash did that it must not do."""
    yield from invariant_observations(crashed.recording, NAME)
    yield from _ran_twice(crashed)
    yield from repeated(baseline.first, crashed)
    yield from _added_again(baseline.first, crashed)
    if crashed.interrupted:
        yield _AT_MOST_ONCE
        return
    if any(_is_answered_otherwise(baseline, crashed, key) for key in _again(baseline, crashed)):
        yield _ANSWERED_OTHERWISE
        return
    for observation in compare(baseline, crashed, NAME):
        # A step that may run again repeats its effects; whether it may is checked above.
        is_effect = isinstance(observation, Observation) and (
            observation.code is Code.DIFFERENT_EFFECTS
        )
        if not is_effect:
            yield observation


def compare_crashed_later(baseline: Baseline, crashed: Observed) -> Comparison:
    """Yield which steps, run again some time after a crash, make other requests than before.

    Lambda invokes again after a while. A request that then differs may hold a key that is made from
    the clock, or only a time for its readers, so this proves nothing.
    """
    for seen in repeated(baseline.first, crashed, attrgetter("key")):
        message = f"{seen.message} some time later: is an idempotency key made from the clock?"
        yield replace(seen, evidence=Evidence.SIGHTING, message=message)


def reruns_a_body(point: CrashPoint) -> bool:
    """Return True if a crash at this point makes a step run again that has run."""
    (_, action, _), when = point
    return when == "before" and action in _ENDS_OF_ATTEMPTS


def _again(baseline: Baseline, crashed: Observed) -> set[str]:
    before = baseline.first.seen.bodies
    return {key for key, count in crashed.seen.bodies.items() if count > before[key]}


def _is_answered_otherwise(baseline: Baseline, crashed: Observed, key: str) -> bool:
    one_failed = (key in baseline.first.steps) != (key in crashed.steps)
    return one_failed or baseline.gives_another_result(crashed, key)


def _ran_twice(crashed: Observed) -> Iterator[Observation]:
    for key in crashed.interrupted:
        if crashed.seen.bodies[key] > 1:
            message = "an at-most-once step runs again after it was interrupted"
            place = crashed.places.get(key)
            yield Observation(Code.RAN_TWICE, Evidence.DIFFERENCE, message, NAME, place)


def repeated(
    reference: Observed,
    crashed: Observed,
    identity: Callable[[Effect], str] = attrgetter("digest"),
    experiment: ExperimentName = NAME,
) -> Iterator[Observation]:
    """Yield which steps, run again, make other requests than before.

    Parameters:
        identity: what makes two requests the same.
    """
    for key, count in crashed.seen.bodies.items():
        if count <= reference.seen.bodies[key]:
            continue
        done = [d for d in crashed.seen.effects if d.effect.operation_id == key]
        for what in dict.fromkeys(d.effect.what for d in done if not d.effect.is_conditional):
            of_kind = [d for d in done if d.effect.what == what]
            bodies = [
                Counter(identity(d.effect) for d in of_kind if d.body == body)
                for body in dict.fromkeys(d.body for d in of_kind)
            ]
            # Threads may come in any order, and a body that was cut off has done a part of it.
            most = max(bodies, key=Counter.total)
            if any(not body <= most for body in bodies):
                message = f"the step runs again, and its {what} is not the same request"
                place = causes.of_repetition(crashed, key, of_kind[0].place)
                yield Observation(
                    Code.EFFECT_REPEATED, Evidence.DIFFERENCE, message, experiment, place
                )


def _added_again(reference: Observed, crashed: Observed) -> Iterator[Observation]:
    """Yield the increments that a step makes again, even if the request is the same."""
    for key, count in crashed.seen.bodies.items():
        if count <= reference.seen.bodies[key]:
            continue
        done = [d for d in crashed.seen.effects if d.effect.operation_id == key]
        for added in dict.fromkeys(d.effect for d in done if d.effect.is_increment):
            again = [d for d in done if d.effect == added]
            if len({d.body for d in again}) > 1:
                message = (
                    f"the step runs again, and its {added.what} adds to what is there once more"
                )
                place = again[0].request or again[0].place
                yield Observation(Code.EFFECT_REPEATED, Evidence.DIFFERENCE, message, NAME, place)
