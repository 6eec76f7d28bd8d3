"""`verify`: does a scenario's handler survive replay?"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from dacapo.errors import ConfigurationError, HandlerStuck, ScenarioError
from dacapo.history.points import DEFAULT_POINTS
from dacapo.process import children
from dacapo.scenario import Scenario
from dacapo.scenario.checks import check_positive
from dacapo.simulation import boto
from dacapo.simulation.runner import DEFAULT_SEED
from dacapo.simulation.simulation import world_of
from dacapo.verify.configuration import Configuration, check_waivers, load
from dacapo.verify.experiments import cold, interruptions, nondeterminism
from dacapo.verify.experiments.outages import OUTAGES
from dacapo.verify.experiments.reference import (
    DEFAULT_CRASHES,
    DEFAULT_INTERLEAVINGS,
    DEFAULT_OUTAGES,
    REFERENCE_RUN,
    Experiment,
    NotRun,
    Options,
    Plan,
    Reference,
    first_works,
    make_reference,
)
from dacapo.verify.findings import (
    ExperimentName,
    ExperimentResult,
    ExperimentState,
    Observation,
    OutageOutcome,
    Report,
    Skipped,
)
from dacapo.verify.verdict import report_of
from dacapo.verify.workers.pool import PATIENCE_SECONDS, Beat, Stopped, Work, run_each

EXPERIMENTS: tuple[Experiment, ...] = (
    REFERENCE_RUN,
    interruptions.SINGLE_INVOCATION,
    interruptions.SUSPENDED,
    interruptions.CRASHED,
    nondeterminism.REPLAYED,
    interruptions.INTERLEAVINGS,
    cold.COLD,
    OUTAGES,
)
"""All experiments, in the order in which they are reported."""
ALL = tuple(experiment.name for experiment in EXPERIMENTS if not experiment.is_off)
"""Those that are made unless others are asked for."""
_Outcome = tuple[float, list[Any]] | Stopped
"""Of the works that share a process: real seconds, and what each of them returned."""


def verify(
    scenario: Scenario,
    *,
    seed: int = DEFAULT_SEED,
    interleavings: int = DEFAULT_INTERLEAVINGS,
    crashes: int | None = DEFAULT_CRASHES,
    points: int | None = DEFAULT_POINTS,
    only: Collection[str] = ALL,
    outages: bool | Sequence[timedelta] = False,
    progress: Callable[[str], None] = lambda _: None,
    patience: float = PATIENCE_SECONDS,
    processes: int = 1,
    target: str = "",
) -> Report:
    """Prove that a scenario's handler survives replay, or show where it does not.

    Parameters:
        seed: as for `run`.
        interleavings: how many other orders of branches are tried.
        crashes: how many points to crash at, at least 2; None for all.
        points: how many points to replay from at least, if there are more; None for all.
        only: names of the experiments to make; the reference run is always made.
        outages: whether to make *outages* as well: True to let services be out for 1 and for 30
            minutes, or how long they are out, each more than 0.
        progress: receives the name of each experiment as it begins, and as it goes on.
        patience: seconds without progress after which a handler is stopped.
        processes: how many runs are made at the same time; the report does not depend on it.
        target: names the scenario on the command line, so that another process can load it.

    Raises:
        ConfigurationError: pyproject.toml has settings that are not valid.
        ScenarioError: the scenario waives what is not an experiment, or a length of an outage is
            out of range.
        ScenarioError, NetworkRefused, HandlerStuck: the reference run cannot be made; see `run`.
    """
    configuration = load(Path.cwd())
    check_waivers(configuration.waivers, ConfigurationError)
    check_waivers(scenario.waives, ScenarioError)
    lengths = _lengths(outages)
    only = [*only, ExperimentName.OUTAGES] if outages else only
    boto.share_models()
    if ExperimentName.COLD in only:
        cold.start(scenario)
    with world_of(scenario, seed):
        pass  # What the world imports, and its clients read, is then there in every process.
    options = Options(interleavings, crashes, points, lengths)
    verification = _Verification(scenario, seed, options, patience, processes, progress)
    return verification.report(only, target, configuration)


def _lengths(outages: bool | Sequence[timedelta]) -> Sequence[timedelta]:
    """Return how long services are out.

    Raises:
        ScenarioError: a length is not a positive timedelta.
    """
    lengths = DEFAULT_OUTAGES if isinstance(outages, bool) else tuple(outages)
    for length in lengths:
        check_positive(length, "each of outages")
    return lengths or DEFAULT_OUTAGES


@dataclass
class _Verification:
    scenario: Scenario
    seed: int
    options: Options
    patience: float
    processes: int
    progress: Callable[[str], None]
    results: dict[str, ExperimentResult] = field(default_factory=dict)
    observations: list[Observation] = field(default_factory=list)
    seconds: float = 0.0

    def report(self, only: Collection[str], target: str, configuration: Configuration) -> Report:
        reference = self.reference(target)
        plans = dict(self.plans(reference, only))
        outcomes = self.outcomes(plans, reference)
        for experiment, plan in plans.items():
            self.judge(experiment, plan, next(outcomes))
        results = {one.name.value: self.results[one.name] for one in EXPERIMENTS}
        results[REFERENCE_RUN.name.value].seconds += self.seconds
        return report_of(
            self.scenario,
            reference.ending,
            results,
            self.observations,
            configuration,
            reference.control,
        )

    def reference(self, target: str) -> Reference:
        works = first_works(self.scenario, self.seed)
        names = [ExperimentName.REFERENCE_RUN] * len(works)
        outcomes = self.first_outcomes(works, names)
        (first, _), other = outcomes
        if self.processes > 1 and (first.left or other.left):
            # They shared what they wrote.
            outcomes = self.first_outcomes(works, names, at_once=1)
            (first, _), other = outcomes
        children.import_all([*first.loaded, *other.loaded])
        boto.read_models([*first.services, *other.services])
        return make_reference(self.scenario, self.seed, self.options, target, outcomes)

    def first_outcomes(
        self,
        works: Sequence[Work[Any]],
        names: Sequence[ExperimentName],
        at_once: int | None = None,
    ) -> list[Any]:
        contents = []
        for outcome in self.run([[work] for work in works], names, at_once):
            if isinstance(outcome, Stopped):
                raise HandlerStuck(outcome.message, outcome.place)
            seconds, results = outcome
            self.seconds += seconds
            contents += results
        return contents

    def plans(
        self, reference: Reference, only: Collection[str]
    ) -> Iterator[tuple[Experiment, Plan]]:
        for experiment in EXPERIMENTS:
            if experiment is not REFERENCE_RUN and experiment.name not in only:
                state = ExperimentState.OFF if experiment.is_off else ExperimentState.LEFT_OUT
                result = ExperimentResult(state=state, reason="not asked for")
                self.results[experiment.name] = result
                continue
            try:
                yield experiment, experiment.plan(reference)
            except NotRun as why:
                self.results[experiment.name] = _not_run(why)

    def outcomes(
        self, plans: dict[Experiment, Plan], reference: Reference
    ) -> Iterator[list[_Outcome]]:
        """Yield the outcomes of the processes of each plan, all of them from one pool."""
        processes = [works for plan in plans.values() for works in plan.processes]
        names = [experiment.name for experiment, plan in plans.items() for _ in plan.processes]
        # What is written outside the runs' own folders is shared: then one after the other.
        outcomes = self.run(processes, names, 1 if reference.left else None)
        for plan in plans.values():
            yield [next(outcomes) for _ in plan.processes]

    def run(
        self,
        processes: Sequence[Sequence[Work[Any]]],
        names: Sequence[ExperimentName],
        at_once: int | None = None,
    ) -> Iterator[_Outcome]:
        yield from run_each(
            [partial(_one_by_one, works) for works in processes],
            at_once=at_once or self.processes,
            patience=self.patience,
            on_progress=lambda number: self.progress(names[number]),
        )

    def judge(self, experiment: Experiment, plan: Plan, outcomes: Sequence[_Outcome]) -> None:
        result = ExperimentResult(runs=plan.runs, sampled=plan.sampled)
        self.results[experiment.name] = result
        contents: list[Any] = []
        for works, outcome in zip(plan.processes, outcomes, strict=True):
            if isinstance(outcome, Stopped):
                self.observations.append(outcome.observation(experiment.name))
                result.state, result.reason = ExperimentState.LEFT_OUT, outcome.message
                contents += [outcome for _ in works]
            else:
                seconds, results = outcome
                result.seconds += seconds
                contents += results
        try:
            for seen in plan.judge(contents):
                match seen:
                    case Skipped(reason=reason):
                        result.skipped[reason] += 1
                    case OutageOutcome():
                        result.outages.append(seen)
                    case Observation():
                        self.observations.append(seen)
        except NotRun as why:
            self.results[experiment.name] = replace(_not_run(why), outages=result.outages)


def _not_run(why: NotRun) -> ExperimentResult:
    state = ExperimentState.LEFT_OUT if why.applies else ExperimentState.NOT_APPLICABLE
    return ExperimentResult(state=state, reason=str(why))


def _one_by_one(works: Sequence[Work[Any]], beat: Beat) -> tuple[float, list[Any]]:
    began = time.perf_counter()
    results = [work(beat) for work in works]
    return time.perf_counter() - began, results
