"""Rewound: the handler is called again from every point of a recording, and attempts the same.

What reached the log cannot be compared with itself; so what the handler is *about to do* at each
point is compared with what the log says came next. A point is what an event left behind.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    Operation,
    OperationAction,
)

from dacapo.recorded import label_of
from dacapo.replay import Attempt, Trace
from dacapo.service.functions import Handler
from dacapo.verify import attempts
from dacapo.verify.attempts import named
from dacapo.verify.batches import ended_early_in, is_inside
from dacapo.verify.findings import PROVED, Code, Finding
from dacapo.verify.log import Log
from dacapo.verify.reached import passed_by

NAME = "rewound"
_DRAWS = 12
"""How often a delay is drawn again: of two lengths, all draws fall on one in one of 2,000 cases."""
_SHOWN = 12
"""Operations of a trace that a finding shows."""


def findings(
    handler: Handler,
    log: Log,
    points: Iterable[int],
    experiment: str = NAME,
    beat: Callable[[], None] = lambda: None,
) -> Iterator[Finding]:
    """Replay from these points, and tell what is other than recorded.

    The SDK has to be in a simulation.

    Parameters:
        points: each as the number of versions that make it.
        beat: is called before each replay.
    """
    bodies: dict[str, Any] = {}
    for count in points:
        beat()
        trace = log.replay(handler, count)
        yield from _Point(handler, log, count, trace, experiment).findings(bodies)


def at_point(
    handler: Handler, log: Log, count: int, trace: Trace, experiment: str
) -> Iterator[Finding]:
    """What one replay shows, from the point that the first `count` versions make."""
    return _Point(handler, log, count, trace, experiment).findings({})


class _Point:
    """One point, and what the handler did from there."""

    def __init__(
        self, handler: Handler, log: Log, count: int, trace: Trace, experiment: str
    ) -> None:
        self.handler = handler
        self.log = log
        self.count = count
        self.trace = trace
        self.experiment = experiment
        self.early = ended_early_in(log, trace)

    def findings(self, bodies: dict[str, Any]) -> Iterator[Finding]:
        trace = self.trace
        if trace.died is not None:
            yield self.found(Code.DIED, f"the replay died: {trace.died!r}")
            return
        if trace.divergences:
            yield from self.diverged()
            return
        for attempt in trace.late:
            message = f"it goes on to {named(attempt.update)!r} while it is being suspended"
            yield self.found(Code.SUSPENSION_SWALLOWED, message, attempt.place)
        for attempt in trace.attempts:
            yield from self.compare(attempt)
        for operation_id, place in trace.bodies.items():
            first = bodies.setdefault(operation_id, place)
            if first != place:
                name = self.name_of(operation_id)
                message = f"{name!r} runs the code at {place}; before, it ran that at {first}"
                yield self.found(Code.OTHER_BODY, message, place)
        if trace.has_ended:
            yield from self.compare_end()
        yield from self.compare_reads()

    def diverged(self) -> Iterator[Finding]:
        (divergence, *_) = self.trace.divergences
        output = self.trace.output or {}
        error = str((output.get("Error") or {}).get("ErrorType", ""))
        is_honest = output.get("Status") == "FAILED" and "NonDeterministic" in error
        code = Code.OTHER_OPERATION if is_honest else Code.DIVERGENCE_SWALLOWED
        yield self.found(code, divergence.message, divergence.place)

    def compare(self, attempt: Attempt) -> Iterator[Finding]:
        update = attempt.update
        is_new = update.operation_id not in self.log.final
        if is_new and is_inside(update.parent_id, self.early, self.log, self.trace):
            return
        if update.operation_id in self.early and update.action is not OperationAction.START:
            return  # Which branches had ended by then is a matter of their order.
        for code, message in attempts.differences(self.log, update):
            if not (code is Code.OTHER_WAIT and attempt.is_pause_of_retry):
                yield self.found(code, message, attempt.place)
        if attempt.update.action is OperationAction.RETRY:
            yield from self.compare_delay(attempt)

    def compare_delay(self, attempt: Attempt) -> Iterator[Finding]:
        update, delay = attempt.update, attempts.delay(attempt.update)
        so_far = {v.operation_id: v for v in self.log.versions[: self.count]}
        current = so_far.get(update.operation_id)
        details = current.step_details if current else None
        number = (details.attempt if details else 0) + 1
        recorded = self.log.delays.get((update.operation_id, number))
        if recorded is None or delay == recorded or self.delays_by_other_chance() != {delay}:
            return
        message = f"{named(update)!r} waits {delay} s for its next attempt, not {recorded} s"
        yield self.found(Code.OTHER_WAIT, message, attempt.place)

    def delays_by_other_chance(self) -> set[int | None]:
        """The delay some more times, drawn otherwise: jitter is meant to differ."""
        delays: set[int | None] = set()
        for number in range(_DRAWS):
            random.seed(f"{self.count} {number}")
            trace = self.log.replay(self.handler, self.count)
            retries = [a.update for a in trace.attempts if a.update.action is OperationAction.RETRY]
            delays.update(attempts.delay(retry) for retry in retries[:1])
        return delays

    def compare_end(self) -> Iterator[Finding]:
        output = self.trace.output or {}
        known = {version.operation_id for version in self.log.versions[: self.count]}
        later = [
            version
            for version in self.log.versions[self.count :]
            if version.operation_id not in known
        ]
        if output.get("Status") == "FAILED" and (later or self.log.output is not None):
            error = output.get("Error") or {}
            kind, text = error.get("ErrorType"), attempts.short(error.get("ErrorMessage"))
            yield self.found(Code.ENDED_EARLY, f"it fails with {kind}: {text}; the log goes on")
        elif later and self.log.is_complete:
            message = f"it ends before {label_of(later[0])!r}, which the log has"
            yield self.found(Code.ENDED_EARLY, message)
        elif self.log.is_complete and not attempts.same(output.get("Result"), self.log.output):
            now, then = attempts.short(output.get("Result")), attempts.short(self.log.output)
            message = f"it returns {now}, not {then}"
            yield self.found(Code.OTHER_RESULT, message)

    def compare_reads(self) -> Iterator[Finding]:
        passed = next(passed_by(self.log, self.count, self.trace), None)
        if passed is not None:
            message = f"it goes past {label_of(passed)!r}, which is recorded, unseen"
            yield self.found(Code.NEVER_REACHED, message)

    def name_of(self, operation_id: str) -> str:
        recorded = self.log.final.get(operation_id)
        return label_of(recorded) if recorded else "an operation"

    def found(self, code: Code, message: str, place: Any = None) -> Finding:
        return Finding(
            code,
            PROVED,
            f"replayed {after_version(self.log, self.count)}: {message}",
            self.experiment,
            place or next((a.place for a in reversed(self.trace.attempts) if a.place), None),
            recorded=tuple(_lines(self.log.versions[self.count :])),
            replayed=tuple(named(a.update) for a in self.trace.attempts),
        )


def after_version(log: Log, count: int) -> str:
    """The point that the first `count` versions make, in words."""
    last = log.versions[count - 1]
    return "from the start" if count == 1 else f"after {label_of(last)!r} ({last.status.value})"


def _lines(following: Sequence[Operation]) -> list[str]:
    names = dict.fromkeys(label_of(version) for version in following)
    return list(names)[:_SHOWN]
