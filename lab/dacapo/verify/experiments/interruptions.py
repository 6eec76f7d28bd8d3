"""The experiments that interrupt a handler more often, less often, or somewhere else.

*Single invocation* runs it in one piece, *suspended everywhere* ends the invocation after every
checkpoint, *interleavings* lets the branches of a batch take turns in other orders, and *crashed
everywhere* lets the invocation die.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from dacapo.verify.compare.baseline import Baseline
from dacapo.verify.compare.runs import Comparison, compare
from dacapo.verify.experiments.crashes import (
    CrashAt,
    compare_crashed,
    compare_crashed_later,
    crash_points,
    reruns_a_body,
)
from dacapo.verify.experiments.reference import (
    Budget,
    Experiment,
    NotRun,
    Plan,
    Reference,
    tried,
)
from dacapo.verify.findings import Code, Evidence, ExperimentName, Observation, Skipped
from dacapo.verify.observe.run import Observed
from dacapo.verify.workers.pool import Beat, Stopped, Work

Compare = Callable[[Baseline, Observed], Comparison]
SUSPENSIONS = Budget(200)
"""How often an execution is suspended: a short one, after each of its checkpoints."""


class SuspendEverywhere(Interference):
    """Ends the invocation after every batch that leaves no step under way.

    Parameters:
        every: of longer executions, only after every n-th.
    """

    def __init__(self, every: int = 1) -> None:
        self.every = every
        self._count = 0

    def should_suspend(self, execution: Execution, updates: Sequence[OperationUpdate]) -> bool:
        """Return whether no step is under way: one that is may be slow, or run at most once."""
        under_way = (OperationStatus.STARTED, OperationStatus.READY)
        if not updates or any(
            operation.operation_type is OperationType.STEP and operation.status in under_way
            for operation in execution.replayable.values()
        ):
            return False
        self._count += 1
        return self._count % self.every == 0


def suspending(reference: Reference, budget: Budget) -> tuple[SuspendEverywhere, str]:
    """Return what suspends an execution, and what it leaves out because there is too much of it."""
    count = len(reference.checkpoints)
    every = -(-count // reference.affordable(budget))
    sampled = f"suspended after {count // every:,} of {count:,} checkpoints" if every > 1 else ""
    return SuspendEverywhere(max(1, every)), sampled


def _single_invocation(reference: Reference) -> Plan:
    name = ExperimentName.SINGLE_INVOCATION
    return _plan(reference, name, [partial(_run, reference, in_one_invocation=True)])


def _suspended(reference: Reference) -> Plan:
    interference, sampled = suspending(reference, SUSPENSIONS)
    work = partial(_run, reference, interference=interference)
    return _plan(reference, ExperimentName.SUSPENDED, [work], sampled=sampled)


def _crashed(reference: Reference) -> Plan:
    if not reference.checkpoints:
        raise NotRun("the handler makes no checkpoint")
    works: list[Work[Any]] = []
    comparisons: list[Compare] = []
    has_effects = any(not done.effect.is_conditional for done in reference.run.seen.effects)
    most = reference.options.crashes
    most = most and reference.affordable(Budget(most))
    points = crash_points(reference.checkpoints, most)
    for point in points:
        # At once, so that nothing differs but the crash; and some time later, as on Lambda.
        works.append(partial(_run, reference, interference=CrashAt(*point)))
        comparisons.append(compare_crashed)
        if has_effects and reruns_a_body(point):
            backoff = quotas.INVOCATION_BACKOFF
            works.append(partial(_run, reference, interference=CrashAt(*point), backoff=backoff))
            comparisons.append(compare_crashed_later)
    count = 2 * len(reference.checkpoints)
    sampled = f"crashed at {len(points)} of {count:,} points" if len(points) < count else ""
    return _plan(reference, ExperimentName.CRASHED, works, comparisons, sampled)


def _interleavings(reference: Reference) -> Plan:
    operations = reference.run.recording.operations
    if not any(operation.stored.sub_type in BATCHES for operation in operations):
        raise NotRun("the handler has no branches")
    works = [
        partial(_run, reference, branches=reference.seed + number)
        for number in range(1, reference.options.interleavings + 1)
    ]
    return _plan(reference, ExperimentName.INTERLEAVINGS, works)


def _plan(
    reference: Reference,
    name: ExperimentName,
    works: Sequence[Work[Any]],
    comparisons: Sequence[Compare] = (),
    sampled: str = "",
) -> Plan:
    """Return a plan that compares each run with the baseline."""
    comparisons = comparisons or [partial(compare, experiment=name)] * len(works)

    def judge(outcomes: Sequence[Any]) -> Iterator[Observation | Skipped]:
        for outcome, compare_with in zip(outcomes, comparisons, strict=True):
            if isinstance(outcome, Observed):
                yield from compare_with(reference.baseline, outcome)
            elif not isinstance(outcome, Stopped):
                yield Observation(Code.STUCK, Evidence.DIFFERENCE, f"{name}: {outcome}", name)

    return Plan(works, judge, sampled=sampled, sharing=reference.sharing)


def _run(reference: Reference, beat: Beat, **how: Any) -> Observed | str:
    """Run a scenario in another way; return what it did, or why that is not possible."""
    try:
        return tried(reference.scenario, reference.seed, beat, **how).observed
    except ScenarioError as error:
        return str(error)


SINGLE_INVOCATION = Experiment(ExperimentName.SINGLE_INVOCATION, _single_invocation)
SUSPENDED = Experiment(ExperimentName.SUSPENDED, _suspended)
CRASHED = Experiment(ExperimentName.CRASHED, _crashed)
INTERLEAVINGS = Experiment(ExperimentName.INTERLEAVINGS, _interleavings)
