"""`verify`: every experiment on one scenario, and what they find."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from dacapo.runner import DEFAULT_SEED, ScenarioError
from dacapo.scenario import Scenario
from dacapo.service.door import Interference
from dacapo.simulation import Simulation
from dacapo.verify import guarded, limits, moved, outside, polls, rewound
from dacapo.verify.causes import gathered
from dacapo.verify.comparing import compare, compare_crashed, diverged
from dacapo.verify.findings import PROVED, Code, Finding
from dacapo.verify.guarded import Tell
from dacapo.verify.interferences import CrashAt, Everywhere, UpdateLog, crash_points
from dacapo.verify.log import Log
from dacapo.verify.observed import as_scheduled, observe
from dacapo.verify.points import DEFAULT_POINTS, chosen
from dacapo.verify.report import Experiment, Report
from dacapo.verify.watch import watching

AS_SCHEDULED = limits.NAME
UNINTERRUPTED = "uninterrupted"
INTERRUPTED = "interrupted everywhere"
CRASHED = "crashed everywhere"
REWOUND = rewound.NAME
SHUFFLED = "shuffled"
MOVED = moved.NAME
EXPERIMENTS = (AS_SCHEDULED, UNINTERRUPTED, INTERRUPTED, CRASHED, REWOUND, SHUFFLED, MOVED)
DEFAULT_SHUFFLES = 3
DEFAULT_CRASHES = 24
"""Crash points that are tried, at even distances; a longer execution has many that are alike."""


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
) -> Report:
    """Find out whether a scenario's handler survives being replayed.

    Parameters:
        seed: as for `run`.
        shuffles: how many other orders of branches are tried.
        crashes: how many points to crash at, at least 2; None for all.
        points: how many points to replay from at least, if there are more; None for all.
        only: which experiments are made; the run as scheduled always is.
        progress: is told the name of each experiment as it begins, and as it goes on.
        patience: seconds after which a handler that does nothing more is stopped.

    Raises:
        ScenarioError, NetworkRefused: the run as scheduled can't be made; see `run`.
    """
    verifier = _Verifier(scenario, seed, shuffles, crashes, points, only)
    report = Report(scenario.name or scenario.function)
    current = AS_SCHEDULED
    try:
        for said in guarded.told(verifier.run, patience):
            if isinstance(said, str):
                current = said
                progress(said)
            else:
                name, experiment, found = said
                report.experiments[name] = experiment
                report.findings.extend(found)
    except guarded.Stopped as stopped:
        report.findings.append(replace(stopped.finding, experiment=current))
        for name in EXPERIMENTS:
            why = f"the handler was stopped in {current!r}"
            report.experiments.setdefault(name, Experiment(not_run=why))
    report.findings = gathered(report.findings)
    return report


class _Verifier:
    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        shuffles: int,
        crashes: int | None,
        points: int | None,
        only: Collection[str],
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.shuffles = shuffles
        self.crashes = crashes
        self.most_points = points
        self.only = {AS_SCHEDULED, *only}
        self.updates = UpdateLog()
        self.environment = dict(os.environ)
        self.current = Experiment()
        self.tell: Callable[[], None] = lambda: None

    def run(self, tell: Tell) -> None:
        """Make the experiments, and tell of each as it begins, goes on and ends."""
        for name, make in {
            AS_SCHEDULED: self.as_scheduled,
            UNINTERRUPTED: self.uninterrupted,
            INTERRUPTED: self.interrupted,
            CRASHED: self.crashed,
            REWOUND: self.rewound,
            SHUFFLED: self.shuffled,
            MOVED: self.moved,
        }.items():
            self.current, self.tell = Experiment(), partial(tell, name)
            found: list[Finding] = []
            if name in self.only:
                self.tell()
                began = time.perf_counter()
                found.extend(make())
                self.current.seconds = time.perf_counter() - began
            else:
                self.current.not_run = "not asked for"
            tell((name, self.current, found))

    def as_scheduled(self) -> Iterator[Finding]:
        self.current.runs = 2
        self.scheduled = as_scheduled(self.scenario, self.seed, self.updates)
        self.log = Log.of(self.scheduled.recording)
        self.points = chosen(self.log.versions, self.most_points)
        yield from diverged(self.scheduled, AS_SCHEDULED)
        yield from self.scheduled.effects.misplaced
        yield from self.scheduled.effects.results.found
        yield from limits.findings(self.scenario, self.scheduled.recording, self.scheduled.effects)
        yield from polls.findings(self.scenario, self.seed, self.log, self.scheduled)

    def uninterrupted(self) -> Iterator[Finding]:
        yield from self.compared(UNINTERRUPTED, is_uninterrupted=True)

    def interrupted(self) -> Iterator[Finding]:
        yield from self.compared(INTERRUPTED, Everywhere())

    def crashed(self) -> Iterator[Finding]:
        for key, when in crash_points(self.updates.keys, self.crashes):
            yield from self.compared(CRASHED, CrashAt(key, when))

    def shuffled(self) -> Iterator[Finding]:
        if not any(o.kind in ("Map", "Parallel") for o in self.scheduled.recording.operations):
            self.current.not_run = "the handler has no branches"
            return
        for number in range(1, self.shuffles + 1):
            yield from self.compared(SHUFFLED, branches=self.seed + number)

    def rewound(self) -> Iterator[Finding]:
        scenario = self.scenario
        self.current.runs = len(self.points)
        with Simulation(self.seed, scenario.start).running(), scenario.world(), watching() as watch:
            self.environment = dict(os.environ)
            yield from list(
                rewound.findings(scenario.handler, self.log, self.points, beat=self.tell)
            )
        yield from outside.findings(scenario, self.seed, self.log, self.points, watch.seen)

    def moved(self) -> Iterator[Finding]:
        self.current.runs = len(self.points) + 1
        try:
            yield from moved.findings(
                self.scenario.handler, self.scheduled.recording, self.points, self.environment
            )
        except moved.CannotMove as error:
            self.current.runs, self.current.not_run = 0, str(error)

    def compared(
        self, experiment: str, interference: Interference | None = None, **how: Any
    ) -> Iterator[Finding]:
        """What shows in a run that is made otherwise than as scheduled."""
        self.tell()
        self.current.runs += 1
        try:
            other = observe(self.scenario, self.seed, interference, **how)
        except ScenarioError as error:
            yield Finding(Code.STUCK, PROVED, f"{experiment}: {error}", experiment)
            return
        compared_with = compare_crashed if experiment == CRASHED else compare
        yield from compared_with(self.scheduled, other, experiment)
