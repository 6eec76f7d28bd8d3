"""Rewound: the handler is called again from every point of a recording, and attempts the same.

What reached the log cannot be compared with itself; so what the handler is *about to do* at each
point is compared with what the log says came next. A point is what an event left behind.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    Operation,
    OperationAction,
    OperationType,
    OperationUpdate,
)

from dacapo import replay
from dacapo.recorded import label_of
from dacapo.replay import Attempt, Trace
from dacapo.service import transitions
from dacapo.service.functions import Handler
from dacapo.verify.findings import PROVED, Code, Finding
from dacapo.verify.log import Log
from dacapo.versions import details_of, state_after

NAME = "rewound"
_SHOWN = 12
"""Operations of a trace that a finding shows."""


def findings(handler: Handler, log: Log, experiment: str = NAME) -> Iterator[Finding]:
    """Replay from every point, and tell what is other than recorded.

    The SDK has to be in a simulation.
    """
    bodies: dict[str, Any] = {}
    for count in range(1, len(log.versions) + 1):
        trace = replay.replay(handler, log.arn, state_after(log.versions[:count]), log.polls)
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

    def findings(self, bodies: dict[str, Any]) -> Iterator[Finding]:
        trace = self.trace
        if trace.died is not None:
            yield self.found(Code.DIED, f"the replay died: {trace.died!r}")
            return
        if trace.divergences:
            yield from self.diverged()
            return
        for attempt in trace.late:
            message = f"it goes on to {_label(attempt.update)!r} while it is being suspended"
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
        if trace.has_ended or trace.attempts or trace.bodies:
            yield from self.compare_reads()

    def diverged(self) -> Iterator[Finding]:
        (message, *_) = self.trace.divergences
        output = self.trace.output or {}
        error = str((output.get("Error") or {}).get("ErrorType", ""))
        is_honest = output.get("Status") == "FAILED" and "NonDeterministic" in error
        code = Code.OTHER_OPERATION if is_honest else Code.DIVERGENCE_SWALLOWED
        yield self.found(code, message)

    def compare(self, attempt: Attempt) -> Iterator[Finding]:
        update, place = attempt.update, attempt.place
        recorded = self.log.final.get(update.operation_id)
        if recorded is None:
            if self.log.is_complete:
                message = f"it starts {_label(update)!r}, which the log does not have"
                yield self.found(Code.OTHER_OPERATION, message, place)
            return
        if _identity(update) != _identity(recorded):
            message = f"it starts {_label(update)!r} where the log has {label_of(recorded)!r}"
            yield self.found(Code.OTHER_OPERATION, message, place)
            return
        if update.action is OperationAction.START:
            yield from self.compare_options(update, attempt)
        elif update.operation_type is OperationType.CONTEXT:
            yield from self.compare_context(update, recorded, attempt)
        elif update.action is OperationAction.RETRY:
            yield from self.compare_delay(update, attempt)

    def compare_options(self, update: OperationUpdate, attempt: Attempt) -> Iterator[Finding]:
        details = details_of(self.log.starts[update.operation_id])
        name, place = _label(update), attempt.place
        if update.wait_options and update.wait_options.wait_seconds != details.get("Duration"):
            message = (
                f"{name!r} waits {update.wait_options.wait_seconds} s; "
                f"the log says {details.get('Duration')} s"
            )
            yield self.found(Code.OTHER_WAIT, message, place)
        if update.callback_options:
            options = update.callback_options
            now = options.timeout_seconds, options.heartbeat_timeout_seconds
            then = details.get("Timeout") or 0, details.get("HeartbeatTimeout") or 0
            if now != then:
                message = (
                    f"{name!r} has (timeout, heartbeat timeout) {now} s; the log says {then} s"
                )
                yield self.found(Code.OTHER_CALLBACK, message, place)
        if update.chained_invoke_options:
            target = update.chained_invoke_options.function_name, update.payload
            logged = details.get("FunctionName"), (details.get("Input") or {}).get("Payload")
            if target != logged:
                message = f"{name!r} invokes {target}; the log says {logged}"
                yield self.found(Code.OTHER_INVOKE, message, place)

    def compare_context(
        self, update: OperationUpdate, recorded: Operation, attempt: Attempt
    ) -> Iterator[Finding]:
        details = recorded.context_details
        if details is None or not transitions.is_terminal(recorded):
            return
        if (update.payload or None) != (details.result or None):
            name = _label(update)
            message = f"{name!r} returns {_short(update.payload)}, not {_short(details.result)}"
            yield self.found(Code.OTHER_RESULT, message, attempt.place)

    def compare_delay(self, update: OperationUpdate, attempt: Attempt) -> Iterator[Finding]:
        delay = _delay(update)
        so_far = {v.operation_id: v for v in self.log.versions[: self.count]}
        current = so_far.get(update.operation_id)
        details = current.step_details if current else None
        number = (details.attempt if details else 0) + 1
        recorded = self.log.delays.get((update.operation_id, number))
        if recorded is None or delay == recorded or delay != self.delay_by_other_chance():
            return
        message = f"{_label(update)!r} waits {delay} s for its next attempt, not {recorded} s"
        yield self.found(Code.OTHER_WAIT, message, attempt.place)

    def delay_by_other_chance(self) -> int | None:
        """The delay once more, drawn otherwise: jitter is meant to differ."""
        random.seed(f"{self.count} again")
        log = self.log
        state = state_after(log.versions[: self.count])
        trace = replay.replay(self.handler, log.arn, state, log.polls)
        retries = [a.update for a in trace.attempts if a.update.action is OperationAction.RETRY]
        return _delay(retries[0]) if retries else None

    def compare_end(self) -> Iterator[Finding]:
        output = self.trace.output or {}
        known = {version.operation_id for version in self.log.versions[: self.count]}
        later = [
            version
            for version in self.log.versions[self.count :]
            if version.operation_id not in known
        ]
        if later:
            message = f"it ends before {label_of(later[0])!r}, which the log has"
            yield self.found(Code.ENDED_EARLY, message)
        elif self.log.is_complete and not _same(output.get("Result"), self.log.output):
            message = f"it returns {_short(output.get('Result'))}, not {_short(self.log.output)}"
            yield self.found(Code.OTHER_RESULT, message)

    def compare_reads(self) -> Iterator[Finding]:
        for operation in state_after(self.log.versions[: self.count]):
            is_execution = operation.operation_type is OperationType.EXECUTION
            if not is_execution and operation.operation_id not in self.trace.reads:
                message = f"it goes past {label_of(operation)!r}, which is recorded, unseen"
                yield self.found(Code.NEVER_REACHED, message)
                return

    def name_of(self, operation_id: str) -> str:
        recorded = self.log.final.get(operation_id)
        return label_of(recorded) if recorded else "an operation"

    def found(self, code: Code, message: str, place: Any = None) -> Finding:
        last = self.log.versions[self.count - 1]
        when = "from the start" if self.count == 1 else f"after {label_of(last)!r}"
        if self.count > 1:
            when += f" ({last.status.value})"
        return Finding(
            code,
            PROVED,
            f"replayed {when}: {message}",
            self.experiment,
            place or next((a.place for a in reversed(self.trace.attempts) if a.place), None),
            recorded=tuple(_lines(self.log.versions[self.count :])),
            replayed=tuple(_label(a.update) for a in self.trace.attempts),
        )


def _lines(following: Sequence[Operation]) -> list[str]:
    names = dict.fromkeys(label_of(version) for version in following)
    return list(names)[:_SHOWN]


def _identity(operation: Operation | OperationUpdate) -> tuple[object, ...]:
    return (
        operation.operation_type,
        operation.sub_type or None,
        operation.name or None,
        operation.parent_id or None,
    )


def _label(update: OperationUpdate) -> str:
    return update.name or update.sub_type or update.operation_type.value


def _delay(update: OperationUpdate) -> int | None:
    return update.step_options.next_attempt_delay_seconds if update.step_options else None


def _same(one: str | None, other: str | None) -> bool:
    return (one and json.loads(one)) == (other and json.loads(other))


def _short(text: str | None, most: int = 60) -> str:
    text = text or "nothing"
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"
