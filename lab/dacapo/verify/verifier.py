"""`verify`: does a scenario's handler survive replay?"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from dacapo.errors import ConfigurationError, HandlerStuck, ScenarioError
from dacapo.history.points import DEFAULT_POINTS
from dacapo.scenario import Scenario
from dacapo.simulation import boto
from dacapo.simulation.runner import DEFAULT_SEED
from dacapo.simulation.simulation import world_of
from dacapo.verify.configuration import Configuration, check_waivers, load
from dacapo.verify.experiments import cold
from dacapo.verify.experiments.all import EXPERIMENTS
from dacapo.verify.experiments.reference import (
    DEFAULT_CRASHES,
    DEFAULT_INTERLEAVINGS,
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
    Code,
    Evidence,
    ExperimentName,
    ExperimentResult,
    ExperimentState,
    Observation,
    Report,
    Skipped,
)
from dacapo.verify.verdict import report_of
from dacapo.verify.workers.pool import PATIENCE_SECONDS, Beat, Stopped, Work, run_each

ALL = tuple(ExperimentName)


def verify(
    scenario: Scenario,
    *,
    seed: int = DEFAULT_SEED,
    interleavings: int = DEFAULT_INTERLEAVINGS,
    crashes: int | None = DEFAULT_CRASHES,
    points: int | None = DEFAULT_POINTS,
    only: Collection[str] = ALL,
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
        progress: receives the name of each experiment as it begins, and as it goes on.
        patience: seconds without progress after which a handler is stopped.
        processes: how many runs are made at the same time; the report does not depend on it.
        target: names the scenario on the command line, so that another process can load it.

    Raises:
        ConfigurationError: pyproject.toml has settings that are not valid.
        ScenarioError: the scenario waives what is not an experiment.
        ScenarioError, NetworkRefused, HandlerStuck: the reference run cannot be made; see `run`.
    """
    configuration = load(Path.cwd())
    check_waivers(configuration.waivers, ConfigurationError)
    check_waivers(scenario.waives, ScenarioError)
    boto.share_models()
    if ExperimentName.COLD in only:
        cold.start(scenario)
    with world_of(scenario, seed):
        pass  # What the world imports, and its clients read, is then there in every process.
    verification = _Verification(
        scenario, seed, Options(interleavings, crashes, points), patience, processes, progress
    )
    return verification.report(only, target, configuration)


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
        _import_again([*first.loaded, *other.loaded])
        boto.read_models([*first.services, *other.services])
        return make_reference(self.scenario, self.seed, self.options, target, outcomes)

    def first_outcomes(
        self,
        works: Sequence[Work[Any]],
        names: Sequence[ExperimentName],
        at_once: int | None = None,
    ) -> list[Any]:
        timed = list(self.run([partial(_timed, work) for work in works], names, at_once))
        for outcome in timed:
            if isinstance(outcome, Stopped):
                where = f", at {outcome.place}" if outcome.place else ""
                raise HandlerStuck(f"{outcome.message}{where}: end the loop, or sleep in it")
        self.seconds += sum(seconds for seconds, _ in timed)
        for _, content in timed:
            if isinstance(content, HandlerStuck):
                raise content
        return [content for _, content in timed]

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
    ) -> Iterator[list[tuple[float, Any]]]:
        """Yield the outcomes of each plan, all of them from one pool."""
        works = [work for plan in plans.values() for work in plan.works]
        names = [experiment.name for experiment, plan in plans.items() for _ in plan.works]
        # What is written outside the runs' own folders is shared: then one after the other.
        results = self.run(
            [partial(_timed, work) for work in works], names, 1 if reference.left else None
        )
        for plan in plans.values():
            yield [next(results) for _ in plan.works]

    def run(
        self,
        works: Sequence[Work[Any]],
        names: Sequence[ExperimentName],
        at_once: int | None = None,
    ) -> Iterator[Any]:
        yield from run_each(
            works,
            at_once=at_once or self.processes,
            patience=self.patience,
            on_progress=lambda number: self.progress(names[number]),
        )

    def judge(self, experiment: Experiment, plan: Plan, outcomes: Sequence[Any]) -> None:
        result = ExperimentResult(runs=plan.runs, sampled=plan.sampled)
        self.results[experiment.name] = result
        contents = []
        for outcome in outcomes:
            if isinstance(outcome, Stopped):
                self.observations.append(_stopped(outcome, experiment.name))
                result.state, result.reason = ExperimentState.LEFT_OUT, outcome.message
                contents.append(outcome)
            else:
                seconds, content = outcome
                result.seconds += seconds
                if isinstance(content, HandlerStuck):
                    result.state, result.reason = ExperimentState.LEFT_OUT, str(content)
                    content = Stopped(Code.STUCK, str(content))
                contents.append(content)
        try:
            for seen in plan.judge(contents):
                match seen:
                    case Skipped(reason=reason):
                        result.skipped[reason] += 1
                    case Observation():
                        self.observations.append(seen)
        except NotRun as why:
            self.results[experiment.name] = _not_run(why)


def _not_run(why: NotRun) -> ExperimentResult:
    state = ExperimentState.LEFT_OUT if why.applies else ExperimentState.NOT_APPLICABLE
    return ExperimentResult(state=state, reason=str(why))


def _timed(work: Work[Any], beat: Beat) -> tuple[float, Any]:
    began = time.perf_counter()
    try:
        content = work(beat)
    except HandlerStuck as stuck:
        content = stuck
    return time.perf_counter() - began, content


def _import_again(names: Sequence[str]) -> None:
    """Import what a run imported, for all others to find it there."""
    for name in dict.fromkeys(names):
        try:
            import_module(name)
        except Exception:  # noqa: BLE001, S112 - each run can import it itself
            continue


def _stopped(message: Stopped, experiment: ExperimentName) -> Observation:
    # A process that is silent may only be slow.
    evidence = Evidence.SIGHTING if message.code is Code.STUCK else Evidence.DIFFERENCE
    return Observation(message.code, evidence, message.message, experiment, message.place)
