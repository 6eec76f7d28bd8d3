"""`verify`: every experiment on one scenario, and what they find."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from dacapo.runner import DEFAULT_SEED, ScenarioError
from dacapo.scenario import Scenario
from dacapo.service.door import Interference
from dacapo.simulation import Simulation
from dacapo.verify import limits, moved, outside, polls, rewound
from dacapo.verify.causes import gathered
from dacapo.verify.comparing import compare, compare_crashed
from dacapo.verify.findings import PROVED, Code, Finding
from dacapo.verify.interferences import CrashAt, Everywhere, UpdateLog, crash_points
from dacapo.verify.log import Log
from dacapo.verify.observed import as_scheduled, observe
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
    only: Collection[str] = EXPERIMENTS,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Find out whether a scenario's handler survives being replayed.

    Parameters:
        seed: as for `run`.
        shuffles: how many other orders of branches are tried.
        crashes: how many points to crash at, at least 2; None for all.
        only: which experiments are made; the run as scheduled always is.
        progress: is told the name of each experiment as it begins.

    Raises:
        ScenarioError, NetworkRefused: the run as scheduled can't be made; see `run`.
    """
    return _Verifier(scenario, seed, shuffles, crashes, only, progress).report()


class _Verifier:
    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        shuffles: int,
        crashes: int | None,
        only: Collection[str],
        progress: Callable[[str], None],
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.shuffles = shuffles
        self.crashes = crashes
        self.only = {AS_SCHEDULED, *only}
        self.progress = progress
        self.updates = UpdateLog()
        self.environment = dict(os.environ)
        self.done = Report(scenario.name or scenario.function)
        self.current = Experiment()

    def report(self) -> Report:
        found: list[Finding] = []
        for name, make in {
            AS_SCHEDULED: self.as_scheduled,
            UNINTERRUPTED: self.uninterrupted,
            INTERRUPTED: self.interrupted,
            CRASHED: self.crashed,
            REWOUND: self.rewound,
            SHUFFLED: self.shuffled,
            MOVED: self.moved,
        }.items():
            self.current = self.done.experiments[name] = Experiment()
            if name not in self.only:
                self.current.not_run = "not asked for"
                continue
            self.progress(name)
            began = time.perf_counter()
            found.extend(make())
            self.current.seconds = time.perf_counter() - began
        self.done.findings = gathered(found)
        return self.done

    def as_scheduled(self) -> Iterator[Finding]:
        self.current.runs = 2
        self.scheduled = as_scheduled(self.scenario, self.seed, self.updates)
        self.log = Log.of(self.scheduled.recording)
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
        self.current.runs = len(self.log.versions)
        with Simulation(self.seed, scenario.start).running(), scenario.world(), watching() as watch:
            self.environment = dict(os.environ)
            yield from list(rewound.findings(scenario.handler, self.log))
        yield from outside.findings(scenario, self.seed, self.log, watch.seen)

    def moved(self) -> Iterator[Finding]:
        self.current.runs = len(self.log.versions) + 1
        try:
            yield from moved.findings(
                self.scenario.handler, self.scheduled.recording, self.environment
            )
        except moved.CannotMove as error:
            self.current.runs, self.current.not_run = 0, str(error)

    def compared(
        self, experiment: str, interference: Interference | None = None, **how: Any
    ) -> Iterator[Finding]:
        """What shows in a run that is made otherwise than as scheduled."""
        self.current.runs += 1
        try:
            other = observe(self.scenario, self.seed, interference, **how)
        except ScenarioError as error:
            yield Finding(Code.STUCK, PROVED, f"{experiment}: {error}", experiment)
            return
        compared_with = compare_crashed if experiment == CRASHED else compare
        yield from compared_with(self.scheduled, other, experiment)
