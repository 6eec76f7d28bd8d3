"""The experiments that interrupt a handler more often, less often, or somewhere else.

*Single invocation* runs it in one piece, *suspended everywhere* ends the invocation after every
checkpoint, *interleavings* lets the branches of a batch take turns in other orders, and *crashed
everywhere* lets the invocation die.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    OperationStatus,
    OperationType,
    OperationUpdate,
)

from dacapo.errors import ScenarioError
from dacapo.history.operations import BATCHES
from dacapo.service import quotas
from dacapo.service.client import Interference
from dacapo.service.execution import Execution
from dacapo.verify.compare.runs import Comparison, compare
from dacapo.verify.experiments.crashes import (
    CrashAt,
    compare_crashed,
    compare_crashed_later,
    crash_points,
    reruns_a_body,
)
from dacapo.verify.experiments.reference import Experiment, NotRun, Reference, Tally
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation
from dacapo.verify.observe.run import Observed, ObservedTwice, observe

Compare = Callable[[ObservedTwice, Observed], Comparison]


class SuspendEverywhere(Interference):
    """Ends the invocation after every batch that leaves no step under way."""

    def should_suspend(self, execution: Execution, updates: Sequence[OperationUpdate]) -> bool:
        """Return whether no step is under way: one that is may be slow, or run at most once."""
        under_way = (OperationStatus.STARTED, OperationStatus.READY)
        return bool(updates) and not any(
            operation.operation_type is OperationType.STEP and operation.status in under_way
            for operation in execution.replayable.values()
        )


def _single_invocation(reference: Reference, tally: Tally) -> Comparison:
    yield from _compared(ExperimentName.SINGLE_INVOCATION, reference, tally, in_one_invocation=True)


def _suspended(reference: Reference, tally: Tally) -> Comparison:
    yield from _compared(
        ExperimentName.SUSPENDED, reference, tally, interference=SuspendEverywhere()
    )


def _crashed(reference: Reference, tally: Tally) -> Comparison:
    crash = partial(_compared, ExperimentName.CRASHED, reference, tally)
    has_effects = any(not done.effect.is_conditional for done in reference.run.effects.done)
    for point in crash_points(reference.checkpoints, reference.options.crashes):
        # At once, so that nothing differs but the crash; and some time later, as on Lambda.
        yield from crash(compare_with=compare_crashed, interference=CrashAt(*point))
        if has_effects and reruns_a_body(point):
            yield from crash(
                compare_with=compare_crashed_later,
                interference=CrashAt(*point),
                backoff=quotas.INVOCATION_BACKOFF,
            )


def _interleavings(reference: Reference, tally: Tally) -> Comparison:
    operations = reference.run.recording.operations
    if not any(operation.stored.sub_type in BATCHES for operation in operations):
        raise NotRun("the handler has no branches")
    for number in range(1, reference.options.interleavings + 1):
        yield from _compared(
            ExperimentName.INTERLEAVINGS, reference, tally, branches=reference.seed + number
        )


def _compared(
    name: ExperimentName,
    reference: Reference,
    tally: Tally,
    *,
    compare_with: Compare | None = None,
    **how: Any,
) -> Comparison:
    """Run a scenario in another way, and yield what differs from the reference run."""
    tally.count()
    try:
        other = observe(reference.scenario, reference.seed, **how)
    except ScenarioError as error:
        message = f"{name}: {error}"
        yield Observation(Code.STUCK, Evidence.DIFFERENCE, message, name)
        return
    comparison = compare_with or partial(compare, experiment=name)
    yield from comparison(reference.run, other)


SINGLE_INVOCATION = Experiment(ExperimentName.SINGLE_INVOCATION, _single_invocation)
SUSPENDED = Experiment(ExperimentName.SUSPENDED, _suspended)
CRASHED = Experiment(ExperimentName.CRASHED, _crashed)
INTERLEAVINGS = Experiment(ExperimentName.INTERLEAVINGS, _interleavings)
