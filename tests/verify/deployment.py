"""Deploys new code while an execution is in flight, and reports what goes wrong with it."""

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
from dacapo.history.operations import label_of
from dacapo.sdk.operation_hooks import divergences
from dacapo.service.client import Interference, Probe
from dacapo.service.functions import Handler
from dacapo.service.invocations import Conditions
from dacapo.simulation.runner import run_under
from dacapo.verify.experiments.crashes import CrashAt
from dacapo.verify.observe.course import CheckpointLog, UpdateKey
from tests.verify import order
from tests.verify.in_flight import Change


@dataclass(frozen=True)
class Run:
    """A run without interference: its recording, its side effects and its checkpoints."""

    recording: Recording
    effects: Counter[str]
    updates: list[UpdateKey]

    @classmethod
    def of(cls, handler: Handler) -> Run:
        updates = CheckpointLog()
        recording = run_under(Conditions(updates), order.scenario(handler), seed=0)
        assert recording.status == "SUCCEEDED", recording.error
        return cls(recording, Counter(order.effects), updates.keys)


class Deployment(Probe):
    """A handler whose code is replaced once; tracks the operations that the new code reads back.

    Parameters:
        is_due: returns whether to deploy the new code, by the number of invocations so far.
    """

    def __init__(self, change: Change, is_due: Callable[[int], bool]) -> None:
        self.change = change
        self.is_due = is_due
        self.invocations = 0
        self.is_deployed = False
        self.received: list[Operation] = []
        self.read: set[str] = set()
        # This attribute marks the handlers that the SDK decorates.
        self.__wrapped__ = change.new

    def __call__(self, event: Any, context: Any) -> Any:
        if not self.is_deployed and self.is_due(self.invocations):
            self.is_deployed = True
            operations = event["InitialExecutionState"]["Operations"]
            self.received = [Operation.from_json_dict(operation) for operation in operations]
        self.invocations += 1
        return (self.change.new if self.is_deployed else self.change.old)(event, context)

    def on_read(self, operation_id: str) -> None:
        if self.is_deployed:
            self.read.add(operation_id)

    @property
    def unread(self) -> list[Operation]:
        return [
            operation
            for operation in self.received
            if operation.operation_type is not OperationType.EXECUTION
            and operation.operation_id not in self.read
        ]


class Trial:
    """A change, deployed at every point where an execution is suspended, or at which it crashes."""

    def __init__(self, change: Change, old: Run) -> None:
        self.change = change
        self.old = old
        self.new = Run.of(change.new)

    def while_suspended(self) -> Iterator[list[str]]:
        """Yield the problems of deploying at each suspension, the latest first."""
        for invocations in range(len(self.old.recording.invocations) - 1, 0, -1):
            deployment = Deployment(self.change, partial(operator.eq, invocations))
            yield list(self.problems(deployment, Interference()))

    def after_crashes(self) -> Iterator[list[str]]:
        """Yield the problems of deploying after a crash at a checkpoint of a removed operation."""
        remaining = {operation.id for operation in self.new.recording.operations}
        for key in self.old.updates:
            if key[0] not in remaining:
                crash = CrashAt(key, "after")
                deployment = Deployment(self.change, partial(_has_happened, crash))
                yield list(self.problems(deployment, crash))

    def problems(self, deployment: Deployment, interference: Interference) -> Iterator[str]:
        conditions = Conditions(interference, deployment, backoff=timedelta(0))
        with divergences() as diverged:
            try:
                recording = run_under(conditions, order.scenario(deployment), seed=0)
            except ScenarioError as error:
                yield f"the run cannot end: {error}"
                return
        assert deployment.is_deployed, "the change was never deployed"
        if recording.error is not None:
            yield f"the execution fails: {recording.error.type}: {recording.error.message}"
            return
        yield from (f"the replay diverges: {message}" for message in diverged)
        yield from (f"{label_of(o)!r} is recorded but never read" for o in deployment.unread)
        yield from self.unexpected_effects(Counter(order.effects))
        yield from self.misread_results(recording.result)

    def unexpected_effects(self, effects: Counter[str]) -> Iterator[str]:
        # Where the versions differ, either count is right: it depends on the time of deployment.
        for effect in {**self.old.effects, **self.new.effects}:
            counts = {self.old.effects[effect], self.new.effects[effect]}
            if effects[effect] not in counts:
                yield f"side effect {effect!r} occurs {effects[effect]} times, not {counts}"

    def misread_results(self, result: order.Order) -> Iterator[str]:
        # A value that neither version produces was read from the wrong operation.
        for key, value in result.items():
            values = [run.recording.result.get(key) for run in (self.old, self.new)]
            if value not in values:
                yield f"{key!r} is {value!r}, which is not in {values}"


def _has_happened(crash: CrashAt, _: int) -> bool:
    return crash.has_happened
