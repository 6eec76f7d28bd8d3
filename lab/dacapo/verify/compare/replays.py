"""Compare what a handler attempts at every point of its history with what was recorded next.

What reached the history cannot be compared with itself; so what the handler is *about to do* at
each point is compared with what the history says came next. A point is what an event left behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
)

from dacapo.history.endings import short_type
from dacapo.history.operations import BATCHES, label_of
from dacapo.history.rebuild import operations_after
from dacapo.history.replay_log import Log
from dacapo.process.active_run import ACTIVE
from dacapo.sdk.replayer import Attempt, ReplayTimeout, Trace
from dacapo.service.functions import Handler
from dacapo.verify.compare import operations
from dacapo.verify.compare.causes import of_swallowing
from dacapo.verify.compare.operations import ended_early_in, is_inside, named
from dacapo.verify.findings import (
    Code,
    Evidence,
    ExperimentName,
    Observation,
    contrast,
    shorten,
)

_DRAWS = 12
"""How often a delay is drawn again: of two lengths, all draws fall on one in one of 2,000 cases."""
_NAMES = re.compile(r"id='([0-9a-f]+)'.*name checkpoint=(?:None|'.*?') current=(?P<new>'.*?')$")
"""The SDK's message of a divergence, as far as it is about names."""
_SHOWN = 12
"""Operations of a trace that a finding shows."""


def observations(
    handler: Handler,
    log: Log,
    points: Iterable[int],
    experiment: ExperimentName,
    beat: Callable[[], None] = lambda: None,
) -> Iterator[Observation]:
    """Replay from these points, and yield what differs from the recording.

    The SDK has to be in a simulation.

    Parameters:
        points: each as the number of states that make it.
        beat: is called before each replay.
    """
    bodies: dict[str, Any] = {}
    for count in points:
        beat()
        yield from compared(handler, log, count, log.replay(handler, count), experiment, bodies)


def compared(
    handler: Handler,
    log: Log,
    count: int,
    trace: Trace,
    experiment: ExperimentName,
    bodies: dict[str, Any],
) -> Iterator[Observation]:
    """Yield what a replay from one point shows.

    Parameters:
        count: the number of states that make the point.
        trace: what the handler did from there.
        bodies: where the steps were defined that earlier replays were about to run, by operation
            ID; this adds to it.
    """
    yield from _Point(handler, log, count, trace, experiment).observations(bodies)


class _Point:
    """One point, and what the handler did from there."""

    def __init__(
        self, handler: Handler, log: Log, count: int, trace: Trace, experiment: ExperimentName
    ) -> None:
        self.handler = handler
        self.log = log
        self.count = count
        self.trace = trace
        self.experiment = experiment
        self.early = ended_early_in(log, trace)

    def observations(self, bodies: dict[str, Any]) -> Iterator[Observation]:
        trace = self.trace
        if trace.error is not None:
            yield self.stopped(trace.error)
            return
        if trace.divergences:
            yield from self.diverged()
            return
        for attempt in trace.late:
            message = f"it goes on to {named(attempt.update)!r} while it is being suspended"
            yield self.observed(Code.SUSPENSION_SWALLOWED, message, of_swallowing(attempt.place))
        for attempt in trace.attempts:
            yield from self.compare(attempt)
        for operation_id, place in trace.bodies.items():
            first = bodies.setdefault(operation_id, place)
            if first != place:
                name = self.name_of(operation_id)
                message = f"{name!r} runs the code at {place}; before, it ran that at {first}"
                yield self.observed(Code.DIFFERENT_BODY, message, place)
        if trace.has_ended:
            yield from self.compare_end()
        if not trace.has_failed:
            yield from self.compare_reads()

    def stopped(self, error: BaseException) -> Observation:
        if isinstance(error, ReplayTimeout):
            return self.observed(Code.STUCK, str(error))
        return self.observed(Code.DIED, f"the replay died: {error!r}")

    def diverged(self) -> Iterator[Observation]:
        (divergence, *_) = self.trace.divergences
        output = self.trace.output or {}
        error = str((output.get("Error") or {}).get("ErrorType", ""))
        is_honest = output.get("Status") == "FAILED" and "NonDeterministic" in error
        code = Code.DIFFERENT_OPERATION if is_honest else Code.DIVERGENCE_SWALLOWED
        message, old_name = self.read_for(divergence.message)
        yield replace(self.observed(code, message, divergence.place), old_name=old_name)

    def read_for(self, message: str) -> tuple[str, str]:
        """Return what the SDK says of a divergence, and the old name of what has another one."""
        match = _NAMES.search(message)
        recorded = next(
            (o for k, o in self.log.final.items() if match and k.startswith(match[1])), None
        )
        if match is None or recorded is None:
            return message, ""
        name, old = match["new"].strip("'"), label_of(recorded)
        text = f"it starts {name!r} where the history has {old!r}"
        is_same_kind = "type checkpoint" not in message
        return text, (recorded.name or "") if is_same_kind else ""

    def compare(self, attempt: Attempt) -> Iterator[Observation]:
        update = attempt.update
        is_new = update.operation_id not in self.log.final
        if is_new and is_inside(update.parent_id, self.early, self.log, self.trace):
            return
        if update.operation_id in self.early and update.action is not OperationAction.START:
            return  # Which branches had ended by then is a matter of their order.
        for code, message in operations.differences(self.log, update, self.trace):
            if not (code is Code.DIFFERENT_WAIT and attempt.is_retry_backoff):
                seen = self.observed(code, message, attempt.place)
                yield replace(seen, old_name=operations.old_name(self.log, update))
        if attempt.update.action is OperationAction.RETRY:
            yield from self.compare_delay(attempt)

    def compare_delay(self, attempt: Attempt) -> Iterator[Observation]:
        update, delay = attempt.update, operations.delay(attempt.update)
        so_far = {v.operation_id: v for v in self.log.states[: self.count]}
        current = so_far.get(update.operation_id)
        details = current.step_details if current else None
        number = (details.attempt if details else 0) + 1
        recorded = self.log.delays.get((update.operation_id, number))
        if recorded is None or delay == recorded or self.delays_with_other_randomness() != {delay}:
            return
        message = f"{named(update)!r} waits {delay} s for its next attempt, not {recorded} s"
        yield self.observed(Code.DIFFERENT_WAIT, message, attempt.place)

    def delays_with_other_randomness(self) -> set[int | None]:
        """Return the delays that other random values give: jitter is meant to differ."""
        delays: set[int | None] = set()
        for number in range(_DRAWS):
            with ACTIVE.serving(seed=f"{self.count} {number}"):
                trace = self.log.replay(self.handler, self.count)
            retries = [a.update for a in trace.attempts if a.update.action is OperationAction.RETRY]
            delays.update(operations.delay(retry) for retry in retries[:1])
        return delays

    def compare_end(self) -> Iterator[Observation]:
        output = self.trace.output or {}
        known = {version.operation_id for version in self.log.states[: self.count]}
        later = [
            version
            for version in self.log.states[self.count :]
            if version.operation_id not in known
            # A branch that begins when its batch has enough is recorded after the batch's end.
            and not is_inside(version.parent_id, self.early, self.log, self.trace)
        ]
        if self.trace.has_failed:
            yield from self.compare_failure(output.get("Error") or {}, later)
        elif later and self.log.is_complete:
            message = f"it ends before {label_of(later[0])!r}, which the history has"
            seen = self.observed(Code.ENDED_EARLY, message)
            yield replace(seen, only_in_replays=self.is_suspended_at_a_step())
        elif self.log.is_complete and not operations.same(output.get("Result"), self.log.output):
            now, then = contrast(output.get("Result"), self.log.output)
            message = f"it returns {now}, not {then}"
            yield self.observed(Code.DIFFERENT_RESULT, message)

    def is_suspended_at_a_step(self) -> bool:
        """Return whether the last attempt is at a step that the execution went through at once."""
        last = self.trace.attempts[-1].update if self.trace.attempts else None
        if last is None or last.operation_type is not OperationType.STEP:
            return False
        recorded = self.log.final.get(last.operation_id)
        is_retried = any(identifier == last.operation_id for identifier, _ in self.log.delays)
        return recorded is not None and not has_failed(recorded) and not is_retried

    def compare_failure(
        self, error: Mapping[str, Any], later: Sequence[Operation]
    ) -> Iterator[Observation]:
        """Yield that the handler raises an exception: what it did not reach follows from that."""
        unread = next(passed_by(self.log, self.count, self.trace), None)
        kind, text = short_type(error.get("ErrorType")), shorten(error.get("ErrorMessage"))
        message, place = f"it fails with {kind}: {text}", self.trace.failed_at
        if unread is not None:
            message += f", before it reads back {label_of(unread)!r}, which is recorded"
            yield self.observed(Code.ENDED_EARLY, message, place)
        elif later or self.log.output is not None:
            yield self.observed(Code.ENDED_EARLY, f"{message}; the history goes on", place)
        elif not self.log.has_ended and not any(map(has_failed, self.log.final.values())):
            # Nobody knows what comes next; but nothing that is recorded is a reason to fail.
            seen = self.observed(Code.ENDED_EARLY, message, place)
            yield replace(seen, evidence=Evidence.SIGHTING)

    def compare_reads(self) -> Iterator[Observation]:
        passed = next(passed_by(self.log, self.count, self.trace), None)
        if passed is not None:
            message = f"replay never reached recorded operation {label_of(passed)!r}"
            yield self.observed(Code.NEVER_REACHED, message)

    def name_of(self, operation_id: str) -> str:
        recorded = self.log.final.get(operation_id)
        return label_of(recorded) if recorded else "an operation"

    def observed(self, code: Code, message: str, place: Any = None) -> Observation:
        return Observation(
            code,
            Evidence.DIFFERENCE,
            f"replayed {after_version(self.log, self.count)}: {message}",
            self.experiment,
            place or next((a.place for a in reversed(self.trace.attempts) if a.place), None),
            recorded=tuple(_lines(self.log.states[self.count :])),
            replayed=tuple(named(a.update) for a in self.trace.attempts),
        )


def has_failed(operation: Operation) -> bool:
    """Return whether an operation ended otherwise than well, or its last attempt did."""
    details = operation.step_details
    is_well = operation.status in (OperationStatus.STARTED, OperationStatus.SUCCEEDED)
    return not is_well or bool(details and details.error)


def after_version(log: Log, count: int) -> str:
    """Describe the point that the first `count` states make."""
    last = log.states[count - 1]
    return "from the start" if count == 1 else f"after {label_of(last)!r} ({last.status.value})"


def _lines(following: Sequence[Operation]) -> list[str]:
    names = dict.fromkeys(label_of(version) for version in following)
    return list(names)[:_SHOWN]


def passed_by(log: Log, count: int, trace: Trace) -> Iterator[Operation]:
    """Yield the operations of a point that the handler will never read, in order of their starts.

    Branches do not wait for each other: what another one does says nothing of an operation.
    """
    went_on, ended = _went_on(log, trace), _ended(trace)
    early = ended_early_in(log, trace)
    for operation in operations_after(log.states[:count]):
        if operation.operation_type is OperationType.EXECUTION:
            continue
        if operation.operation_id in trace.reads:
            continue
        if is_inside(operation.parent_id, early, log, trace):
            continue
        is_past = trace.has_ended or _is_past(log, operation, went_on, ended)
        if is_past or _is_unknown_branch(log, operation, trace):
            yield operation


def _is_unknown_branch(log: Log, operation: Operation, trace: Trace) -> bool:
    """Return whether a branch is in flight, and its batch, which is read back, does not begin it.

    Only of an execution in flight, whose batch begins all of its branches at once.
    """
    batch = log.final.get(operation.parent_id or "")
    if log.has_ended or batch is None or batch.sub_type not in BATCHES:
        return False
    is_limited = (log.arn, batch.operation_id) in trace.limits
    return batch.operation_id in trace.reads and not is_limited


def _ended(trace: Trace) -> set[str]:
    """Return the contexts that the handler is about to end."""
    updates = (attempt.update for attempt in trace.attempts)
    return {u.operation_id for u in updates if u.action is not OperationAction.START}


def _went_on(log: Log, trace: Trace) -> set[str | None]:
    """Return the contexts in which something new is about to be done."""
    bodies = (log.final[key] for key in trace.bodies if key in log.final)
    return {attempt.update.parent_id for attempt in trace.attempts} | {b.parent_id for b in bodies}


def _is_past(log: Log, operation: Operation, went_on: set[str | None], ended: set[str]) -> bool:
    parent_id = operation.parent_id
    while parent := log.final.get(parent_id or ""):
        if parent_id in ended or (parent.sub_type not in BATCHES and parent_id in went_on):
            return True
        parent_id = parent.parent_id
    return parent_id in went_on
