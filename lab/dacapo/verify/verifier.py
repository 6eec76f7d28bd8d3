"""`verify`: every experiment on one scenario, and what they find."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from dacapo.runner import DEFAULT_SEED
from dacapo.scenario import Scenario
from dacapo.service.door import Interference
from dacapo.simulation import Simulation
from dacapo.verify import limits, moved, rewound
from dacapo.verify.comparing import compare, compare_crashed
from dacapo.verify.findings import PROVED, SUSPECTED, Code, Finding
from dacapo.verify.interferences import CrashAt, Everywhere, UpdateLog, crash_points
from dacapo.verify.log import Log
from dacapo.verify.observed import Observed, as_scheduled, observe
from dacapo.verify.sources import Kind
from dacapo.verify.watch import Watch, watching

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

_CODES: dict[Kind, Code] = {
    "clock": Code.CLOCK_OUTSIDE_STEP,
    "chance": Code.CHANCE_OUTSIDE_STEP,
    "environment": Code.ENVIRONMENT_OUTSIDE_STEP,
    "effect": Code.EFFECT_OUTSIDE_STEP,
    "look": Code.EFFECT_OUTSIDE_STEP,
}


@dataclass
class Experiment:
    """What was done for one experiment.

    Parameters:
        runs: how often the handler was run, or replayed.
        seconds: real time.
        not_run: why it was not run; "" if it was.
    """

    runs: int = 0
    seconds: float = 0.0
    not_run: str = ""


@dataclass
class Report:
    """What the experiments on a scenario found.

    Parameters:
        findings: without repetitions: one for each code and place.
    """

    scenario: str
    experiments: dict[str, Experiment] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def proved(self) -> list[Finding]:
        """The findings that a run showed."""
        return [finding for finding in self.findings if finding.certainty == PROVED]


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
        self.found: list[Finding] = []
        self.done = Report(scenario.name or scenario.function)
        self.current = Experiment()

    def report(self) -> Report:
        experiments = {
            AS_SCHEDULED: self.as_scheduled,
            UNINTERRUPTED: self.uninterrupted,
            INTERRUPTED: self.interrupted,
            CRASHED: self.crashed,
            REWOUND: self.rewound,
            SHUFFLED: self.shuffled,
            MOVED: self.moved,
        }
        for name, make in experiments.items():
            self.current = self.done.experiments[name] = Experiment()
            if name not in self.only:
                self.current.not_run = "not asked for"
                continue
            self.progress(name)
            began = time.perf_counter()
            self.found.extend(make())
            self.current.seconds = time.perf_counter() - began
        self.done.findings = list(_distinct(self.found))
        return self.done

    def observe(self, interference: Interference | None = None, **how: object) -> Observed:
        self.current.runs += 1
        return observe(self.scenario, self.seed, interference, **how)  # type: ignore[arg-type]

    def as_scheduled(self) -> Iterator[Finding]:
        self.current.runs = 2
        self.scheduled = as_scheduled(self.scenario, self.seed, self.updates)
        self.log = Log.of(self.scheduled.recording)
        yield from limits.findings(self.scenario, self.scheduled.recording, self.scheduled.effects)

    def uninterrupted(self) -> Iterator[Finding]:
        other = self.observe(is_uninterrupted=True)
        yield from compare(self.scheduled, other, UNINTERRUPTED)

    def interrupted(self) -> Iterator[Finding]:
        yield from compare(self.scheduled, self.observe(Everywhere()), INTERRUPTED)

    def crashed(self) -> Iterator[Finding]:
        for key, when in crash_points(self.updates.keys, self.crashes):
            other = self.observe(CrashAt(key, when))
            yield from compare_crashed(self.scheduled, other, CRASHED)

    def rewound(self) -> Iterator[Finding]:
        scenario = self.scenario
        self.current.runs = len(self.log.versions)
        with Simulation(self.seed, scenario.start).running(), scenario.world(), watching() as watch:
            self.environment = dict(os.environ)
            yield from list(rewound.findings(scenario.handler, self.log))
        yield from _sightings(watch)

    def shuffled(self) -> Iterator[Finding]:
        if not any(o.kind in ("Map", "Parallel") for o in self.scheduled.recording.operations):
            self.current.not_run = "the handler has no branches"
            return
        for number in range(1, self.shuffles + 1):
            other = self.observe(branches=self.seed + number)
            yield from compare(self.scheduled, other, SHUFFLED)

    def moved(self) -> Iterator[Finding]:
        self.current.runs = len(self.log.versions) + 1
        environment = getattr(self, "environment", dict(os.environ))
        try:
            yield from moved.findings(self.scenario.handler, self.scheduled.recording, environment)
        except moved.CannotMove as error:
            self.current.runs, self.current.not_run = 0, str(error)


def _sightings(watch: Watch) -> Iterator[Finding]:
    for sighting, count in Counter(watch.seen).items():
        is_effect = sighting.kind == "effect"
        certainty = PROVED if is_effect and count > 1 else SUSPECTED
        message = f"{sighting.what} outside every step, at {count} of the points replayed"
        yield Finding(_CODES[sighting.kind], certainty, message, REWOUND, sighting.place)


def _distinct(found: list[Finding]) -> Iterator[Finding]:
    # Of one kind, the findings that name a line, each line once; if none does, the first one.
    for code in dict.fromkeys(finding.code for finding in found):
        alike = [finding for finding in found if finding.code is code]
        alike.sort(key=lambda finding: finding.certainty != PROVED)
        placed = {finding.place: finding for finding in reversed(alike) if finding.place}
        yield from reversed(placed.values()) if placed else alike[:1]
