"""`verify`: does a scenario's handler survive replay?"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import partial

from dacapo.errors import HandlerStuck
from dacapo.history.points import DEFAULT_POINTS
from dacapo.scenario import Scenario
from dacapo.simulation.runner import DEFAULT_SEED
from dacapo.simulation.simulation import world_of
from dacapo.verify.experiments.all import EXPERIMENTS, Outcome, conduct_all
from dacapo.verify.experiments.reference import (
    DEFAULT_CRASHES,
    DEFAULT_INTERLEAVINGS,
    Options,
)
from dacapo.verify.findings import (
    Code,
    Evidence,
    ExperimentName,
    ExperimentResult,
    Observation,
    Report,
)
from dacapo.verify.triage import triage
from dacapo.verify.workers import fresh
from dacapo.verify.workers.supervised import (
    PATIENCE_SECONDS,
    Progress,
    Result,
    Stopped,
    supervise,
)

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
) -> Report:
    """Prove that a scenario's handler survives replay, or show where it does not.

    Parameters:
        seed: as for `run`.
        interleavings: how many other orders of branches are tried.
        crashes: how many points to crash at, at least 2; None for all.
        points: how many points to replay from at least, if there are more; None for all.
        only: names of the experiments to make; the reference run is always made.
        progress: receives the name of each experiment as it begins, and as it goes on.
        patience: seconds of silence after which a handler is stopped.
        processes: 2 to crash in a process beside the others.

    Raises:
        ScenarioError, NetworkRefused, HandlerStuck: the reference run cannot be made; see `run`.
    """
    if ExperimentName.FRESH_PROCESS in only:
        fresh.start()
    with world_of(scenario, seed):
        # What the world imports, and its clients read, is then there in every forked process.
        environment = dict(os.environ)
    groups = _groups(only, processes)
    options = Options(interleavings, crashes, points)
    works = [partial(conduct_all, scenario, seed, options, environment, names) for names in groups]
    current = [ExperimentName.REFERENCE_RUN] * len(works)
    outcomes: dict[str, Outcome] = {}
    observations: list[Observation] = []
    for number, message in supervise(works, patience):
        match message:
            case Progress(name=name):
                current[number] = ExperimentName(name)
                progress(name)
            case Stopped(code=Code.STUCK) if current[number] is ExperimentName.REFERENCE_RUN:
                where = f", at {message.place}" if message.place else ""
                raise HandlerStuck(f"{message.message}{where}: end the loop, or sleep in it")
            case Stopped():
                observations.append(_stopped(message, current[number]))
            case Result(content=outcome):
                if number == 0 or outcome.name is ExperimentName.CRASHED:
                    outcomes[outcome.name] = outcome
                    observations.extend(outcome.observations)
    not_run = ExperimentResult(not_run=f"the handler was stopped in {current[0].value!r}")
    results = {
        name.value: outcomes[name].result if name in outcomes else not_run
        for name in (experiment.name for experiment in EXPERIMENTS)
    }
    return Report(scenario.name or scenario.function, results, triage(observations))


def _groups(only: Collection[str], processes: int) -> list[list[str]]:
    crashed = ExperimentName.CRASHED
    if processes > 1 and crashed in only:
        return [[name for name in only if name != crashed], [crashed]]
    return [list(only)]


def _stopped(message: Stopped, experiment: ExperimentName) -> Observation:
    # A process that is silent may only be slow.
    evidence = Evidence.SIGHTING if message.code is Code.STUCK else Evidence.DIFFERENCE
    return Observation(message.code, evidence, message.message, experiment, message.place)
