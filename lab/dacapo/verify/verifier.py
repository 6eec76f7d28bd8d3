"""`verify`: does a scenario's handler survive being replayed?"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from dacapo.runner import DEFAULT_SEED
from dacapo.scenario import Scenario
from dacapo.simulation import world_of
from dacapo.verify import elsewhere, guarded
from dacapo.verify.causes import gathered
from dacapo.verify.experiments import (
    CRASHED,
    DEFAULT_CRASHES,
    DEFAULT_SHUFFLES,
    EXPERIMENTS,
    MOVED,
    Experiments,
)
from dacapo.verify.findings import AS_SCHEDULED, Finding
from dacapo.verify.points import DEFAULT_POINTS
from dacapo.verify.report import Experiment, Report


def verify(
    scenario: Scenario,
    *,
    seed: int = DEFAULT_SEED,
    shuffles: int = DEFAULT_SHUFFLES,
    crashes: int | None = DEFAULT_CRASHES,
    points: int | None = DEFAULT_POINTS,
    only: Collection[str] = EXPERIMENTS,
    progress: Callable[[str], None] = lambda _: None,
    patience: float = guarded.PATIENCE_SECONDS,
    processes: int = 1,
) -> Report:
    """Find out whether a scenario's handler survives being replayed.

    Parameters:
        seed: as for `run`.
        shuffles: how many other orders of branches are tried.
        crashes: how many points to crash at, at least 2; None for all.
        points: how many points to replay from at least, if there are more; None for all.
        only: which experiments are made; the run as scheduled always is.
        progress: is told the name of each experiment as it begins, and as it goes on.
        processes: 2 to crash in a process beside the others.
        patience: seconds after which a handler that does nothing more is stopped.

    Raises:
        ScenarioError, NetworkRefused: the run as scheduled can't be made; see `run`.
    """
    if MOVED in only:
        elsewhere.ready()
    with world_of(scenario, seed):
        pass  # What the world imports, and its clients read, is there then in every forked process.
    groups = [list(only)]
    if processes > 1 and CRASHED in only:
        groups = [[name for name in only if name != CRASHED], [CRASHED]]
    runs = [Experiments(scenario, seed, shuffles, crashes, points, names).run for names in groups]
    current, found = [AS_SCHEDULED] * len(runs), list[Finding]()
    done: dict[str, Experiment] = {}
    for number, told in guarded.told(runs, patience):
        if isinstance(told, str):
            current[number] = told
            progress(told)
        elif isinstance(told, guarded.Stopped):
            found.append(replace(told.finding, experiment=current[number]))
        elif number == 0 or told[0] == CRASHED:
            name, experiment, findings = told
            done[name] = experiment
            found.extend(findings)
    not_run = Experiment(not_run=f"the handler was stopped in {current[0]!r}")
    experiments = {name: done.get(name, not_run) for name in EXPERIMENTS}
    return Report(scenario.name or scenario.function, experiments, gathered(found))
