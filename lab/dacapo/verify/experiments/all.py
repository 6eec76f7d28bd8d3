"""All experiments, in the order in which they are made, and the loop that makes them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

from dacapo.errors import HandlerStuck
from dacapo.scenario import Scenario
from dacapo.verify.experiments import fresh_process, interruptions, nondeterminism
from dacapo.verify.experiments.reference import (
    REFERENCE_RUN,
    Experiment,
    NotRun,
    Options,
    Reference,
    Tally,
    make_reference,
)
from dacapo.verify.findings import ExperimentName, ExperimentResult, Observation, Skipped
from dacapo.verify.workers.supervised import Progress, Result, Send

EXPERIMENTS: tuple[Experiment, ...] = (
    REFERENCE_RUN,
    interruptions.SINGLE_INVOCATION,
    interruptions.SUSPENDED,
    interruptions.CRASHED,
    nondeterminism.REPLAYED,
    interruptions.INTERLEAVINGS,
    fresh_process.FRESH_PROCESS,
)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one experiment.

    Parameters:
        result: what was done for it.
        observations: what it showed.
    """

    name: ExperimentName
    result: ExperimentResult
    observations: list[Observation]


def conduct_all(
    scenario: Scenario,
    seed: int,
    options: Options,
    environment: Mapping[str, str],
    only: Collection[str],
    send: Send[Outcome],
) -> None:
    """Make the reference run and the experiments that are asked for, one after the other.

    Parameters:
        environment: the environment variables that the scenario's world sets.
        only: names of experiments; the reference run is always made.
        send: receives progress, and the outcome of each experiment, also of those left out.

    Raises:
        ScenarioError, NetworkRefused: the reference run cannot be made; see `dacapo.run`.
    """
    send(Progress(REFERENCE_RUN.name))
    began = time.perf_counter()
    reference = make_reference(scenario, seed, options, environment)
    for experiment in EXPERIMENTS:
        if experiment is not REFERENCE_RUN:
            began = time.perf_counter()
        if experiment is REFERENCE_RUN or experiment.name in only:
            outcome = _conduct(experiment, reference, send)
            outcome.result.seconds = time.perf_counter() - began
        else:
            outcome = Outcome(experiment.name, ExperimentResult(not_run="not asked for"), [])
        send(Result(outcome))


def _conduct(experiment: Experiment, reference: Reference, send: Send[Outcome]) -> Outcome:
    tally = Tally(partial(send, Progress(experiment.name)))
    outcome = Outcome(experiment.name, tally.result, [])
    tally.beat()
    try:
        for seen in experiment.conduct(reference, tally):
            match seen:
                case Skipped(reason=reason):
                    tally.result.skipped[reason] += 1
                case Observation():
                    outcome.observations.append(seen)
    except (NotRun, HandlerStuck) as why:
        tally.result.runs, tally.result.not_run = 0, str(why)
    return outcome
