"""New code, deployed while an execution is in flight: what becomes of the execution, for real."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import Operation, OperationType

from dacapo import Recording, ScenarioError
from dacapo.probe import Probe
from dacapo.recorded import label_of
from dacapo.runner import run_under
from dacapo.sdk_internals.operations import divergences
from dacapo.service.door import Interference
from dacapo.service.functions import Handler
from dacapo.service.invocations import Conditions
from dacapo.verify.interferences import CrashAt, UpdateKey, UpdateLog
from tests.verify import order
from tests.verify.in_flight import Change


@dataclass(frozen=True)
class Run:
    """An undisturbed run, how often it did what, and what it checkpointed."""

    recording: Recording
    effects: Counter[str]
    updates: list[UpdateKey]

    @classmethod
    def of(cls, handler: Handler) -> Run:
        updates = UpdateLog()
        recording = run_under(Conditions(updates), order.story(handler), seed=0)
        assert recording.status == "SUCCEEDED", recording.error
        return cls(recording, Counter(order.done), updates.keys)


class Deployment(Probe):
    """A handler whose code becomes another one; knows what that one was given, and what it read.

    Parameters:
        is_due: whether the new code is there, by the number of invocations so far.
    """

    def __init__(self, change: Change, is_due: Callable[[int], bool]) -> None:
        self.change = change
        self.is_due = is_due
        self.invocations = 0
        self.is_done = False
        self.given: list[Operation] = []
        self.read: set[str] = set()
        # By this the SDK's own handlers are known.
        self.__wrapped__ = change.new

    def __call__(self, event: Any, context: Any) -> Any:
        if not self.is_done and self.is_due(self.invocations):
            self.is_done = True
            self.given = list(event.initial_execution_state.operations)
        self.invocations += 1
        return (self.change.new if self.is_done else self.change.old)(event, context)

    def reads(self, operation_id: str) -> None:
        if self.is_done:
            self.read.add(operation_id)

    @property
    def unread(self) -> list[Operation]:
        return [
            operation
            for operation in self.given
            if operation.operation_type is not OperationType.EXECUTION
            and operation.operation_id not in self.read
        ]


class Trial:
    """Deploys one change, again and again: wherever an execution rests, or wherever it dies."""

    def __init__(self, change: Change, old: Run) -> None:
        self.change = change
        self.old = old
        self.new = Run.of(change.new)

    def at_rest(self) -> Iterator[list[str]]:
        """What goes wrong, for each invocation that another one follows; the latest first."""
        for rested in range(len(self.old.recording.invocations) - 1, 0, -1):
            deployment = Deployment(self.change, partial(operator.eq, rested))
            yield list(self.wrongs(deployment, Interference()))

    def dying(self) -> Iterator[list[str]]:
        """What goes wrong, for each checkpoint of what is gone, after which an invocation dies."""
        kept = {operation.id for operation in self.new.recording.operations}
        for key in self.old.updates:
            if key[0] not in kept:
                crash = CrashAt(key, "after")
                deployment = Deployment(self.change, partial(_has_happened, crash))
                yield list(self.wrongs(deployment, crash))

    def wrongs(self, deployment: Deployment, interference: Interference) -> Iterator[str]:
        conditions = Conditions(interference, deployment, backoff=timedelta(0))
        with divergences() as diverged:
            try:
                recording = run_under(conditions, order.story(deployment), seed=0)
            except ScenarioError as error:
                yield f"it is stuck: {error}"
                return
        assert deployment.is_done, "the change was never deployed"
        if recording.error is not None:
            yield f"it fails: {recording.error.type}: {recording.error.message}"
            return
        yield from (f"it diverges: {message}" for message in diverged)
        yield from (f"{label_of(o)!r} is recorded, but never read" for o in deployment.unread)
        yield from self.other_effects(Counter(order.done))
        yield from self.misread(recording.result)

    def other_effects(self, effects: Counter[str]) -> Iterator[str]:
        # What one of the two does and the other does not depends on when the change comes.
        for effect in {**self.old.effects, **self.new.effects}:
            counts = {self.old.effects[effect], self.new.effects[effect]}
            if effects[effect] not in counts:
                yield f"{effect!r} is done {effects[effect]} times, not {counts}"

    def misread(self, result: order.Found) -> Iterator[str]:
        # Each value is the old code's, or the new code's: else it was read in a wrong place.
        for key, value in result.items():
            values = [run.recording.result.get(key) for run in (self.old, self.new)]
            if value not in values:
                yield f"{key!r} is {value!r}, which is none of {values}"


def _has_happened(crash: CrashAt, _: int) -> bool:
    return crash.has_happened
