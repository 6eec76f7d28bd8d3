"""The runs that others are compared with: made in the same way, they show what may differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dacapo.history.endings import short_type
from dacapo.history.recording import Recording
from dacapo.verify.findings import contrast
from dacapo.verify.observe.effects import Effect
from dacapo.verify.observe.run import Observed

_EXECUTION = re.compile(r"/durable-execution/\S+")
"""In an ARN: the execution of a function."""
End = tuple[str, str | None, tuple[str | None, str | None] | None]
"""Status, result, and the type and message of an error."""


@dataclass(frozen=True)
class Baseline:
    """Runs that were made in the same way, each in a process of its own.

    What differs among them comes from the world (a port, a key), from the test, or from a handler
    that is random, and is compared no further.

    Parameters:
        runs: at least one; the first one is shown.
    """

    runs: Sequence[Observed]

    @property
    def first(self) -> Observed:
        """The run that is shown."""
        return self.runs[0]

    def effects_of(self, observed: Observed) -> Counter[Effect]:
        """Return how often each effect was made, without contents that differ in these runs."""
        counted: Counter[Effect] = Counter()
        for effect, count in observed.effects.items():
            if _kind(effect) not in self._uncounted:
                counted[self.comparable(effect)] += count
        return counted

    def comparable(self, effect: Effect) -> Effect:
        """Return an effect without its content if that differs in these runs.

        An execution that this one starts gets its ARN by the order of starts, so only its function
        counts.
        """
        operation_id, _ = _kind(effect)
        if _kind(effect) in self._loose_effects:
            return replace(effect, operation_id=operation_id, digest="", key="")
        return replace(effect, operation_id=operation_id)

    def gives_another_result(self, other: Observed, key: str) -> bool:
        """Return whether a step gives another result than in these runs, which agree."""
        if key in self._loose_steps or key not in other.steps:
            return False
        return _differs(self.first, other, key)

    @cached_property
    def has_one_end(self) -> bool:
        """True if all runs end in the same way."""
        return len({end_of(run) for run in self.runs}) == 1

    @cached_property
    def has_one_course(self) -> bool:
        """True if all runs have the same operations, with the same outcomes."""
        return all(course_of(run) == course_of(self.first) for run in self.runs)

    @cached_property
    def _loose_effects(self) -> set[tuple[str, str]]:
        first = _contents(self.first)
        return {
            kind
            for run in self.runs[1:]
            for kind in {**first, **_contents(run)}
            if first.get(kind) != _contents(run).get(kind)
        }

    @cached_property
    def _uncounted(self) -> set[tuple[str, str]]:
        first = by_kind(self.first.effects)
        return {
            kind
            for run in self.runs[1:]
            for kind in {**first, **by_kind(run.effects)}
            if first[kind] != by_kind(run.effects)[kind]
        }

    @cached_property
    def _loose_steps(self) -> set[str]:
        return {
            key
            for run in self.runs[1:]
            for key in self.first.steps
            if key not in run.steps or _differs(self.first, run, key)
        }


def by_kind(effects: Counter[Effect]) -> Counter[tuple[str, str]]:
    """Return how often each kind of effect was made, by step and kind."""
    counts: Counter[tuple[str, str]] = Counter()
    for effect, count in effects.items():
        counts[_kind(effect)] += count
    return counts


def _kind(effect: Effect) -> tuple[str, str]:
    return _EXECUTION.sub("", effect.operation_id), effect.what


def _contents(run: Observed) -> dict[tuple[str, str], Counter[str]]:
    contents: dict[tuple[str, str], Counter[str]] = {}
    for effect, count in run.effects.items():
        contents.setdefault(_kind(effect), Counter())[effect.digest] += count
    return contents


def course_of(run: Observed) -> list[tuple[str, str, str, int]]:
    """Return the operations of a run, with their outcomes, in an order of their own."""
    operations = run.recording.operations
    return sorted((o.id, o.path, str(o.status), o.attempts or 0) for o in operations)


def end_of(run: Observed) -> End:
    """Return how a run ended."""
    error, output = run.recording.error, run.portable(run.recording.output)
    cause = (error.type, run.portable(error.message)) if error is not None else None
    return run.recording.status, output, cause


def describe_end(recording: Recording) -> str:
    """Return how an execution ended, for people."""
    if recording.error is not None:
        error = recording.error
        return f"{recording.status}, {short_type(error.type)}: {error.message}"
    return f"{recording.status}, {recording.output}"


def differences(one: Observed, other: Observed, *, results: bool = True) -> Iterator[str]:
    """Yield what differs in the outcome of two runs that were made in the same way.

    Parameters:
        results: whether another result of the execution is such a difference.
    """
    ends = [end_of(run) for run in (one, other)]
    if not results:
        ends = [(status, None, error) for status, _, error in ends]
    if ends[0] != ends[1]:
        was, now = contrast(describe_end(one.recording), describe_end(other.recording))
        yield f"one ends with {was}; the other, with {now}"
    before, after = course_of(one), course_of(other)
    apart = sorted({*before} ^ {*after})
    if apart:
        _, path, status, attempts = apart[0]
        yield f"{path!r} ({status}, {attempts} attempts) is in one of them only"


def _differs(one: Observed, other: Observed, key: str) -> bool:
    if one.steps[key] == other.steps[key]:
        return False
    # Serializers may store equal values in other words: with a nonce, a time, or encrypted.
    before, after = one.seen.values.get(key), other.seen.values.get(key)
    return before is None or after is None or one.portable(before) != other.portable(after)
