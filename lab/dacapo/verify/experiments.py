"""The experiments on one scenario, one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

from dacapo.answering import ScenarioError
from dacapo.recorded import BATCHES
from dacapo.scenario import Scenario
from dacapo.service.door import Interference
from dacapo.simulation import world_of
from dacapo.verify import limits, moved, outside, polls, rewound
from dacapo.verify.comparing import compare, compare_crashed, diverged
from dacapo.verify.findings import AS_SCHEDULED, PROVED, Code, Finding
from dacapo.verify.guarded import Tell
from dacapo.verify.interferences import CrashAt, Everywhere, UpdateLog, crash_points
from dacapo.verify.log import Log
from dacapo.verify.observed import Observed, Scheduled, as_scheduled, observe
from dacapo.verify.points import chosen
from dacapo.verify.report import Experiment
from dacapo.verify.watch import watching

UNINTERRUPTED = "uninterrupted"
INTERRUPTED = "interrupted everywhere"
CRASHED = "crashed everywhere"
REWOUND = rewound.NAME
SHUFFLED = "shuffled"
MOVED = moved.NAME
EXPERIMENTS = (AS_SCHEDULED, UNINTERRUPTED, INTERRUPTED, CRASHED, REWOUND, SHUFFLED, MOVED)
DEFAULT_SHUFFLES = 3
DEFAULT_CRASHES = 12
"""Crash points that are tried, at even distances; a longer execution has many that are alike."""


Compare = Callable[[Scheduled, Observed, str], Iterator[Finding]]


class Experiments:
    """What is done to a scenario, and what it shows; for the parameters see `verifier.verify`."""

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
            AS_SCHEDULED: self._as_scheduled,
            UNINTERRUPTED: self._uninterrupted,
            INTERRUPTED: self._interrupted,
            CRASHED: self._crashed,
            REWOUND: self._rewound,
            SHUFFLED: self._shuffled,
            MOVED: self._moved,
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

    def _as_scheduled(self) -> Iterator[Finding]:
        self.current.runs = 2
        self.scheduled = as_scheduled(self.scenario, self.seed, self.updates)
        self.log = Log.of(self.scheduled.recording)
        self.points = chosen(self.log.versions, self.most_points)
        yield from diverged(self.scheduled, AS_SCHEDULED)
        yield from self.scheduled.effects.misplaced
        yield from self.scheduled.effects.results.found
        yield from limits.findings(self.scenario, self.scheduled.recording, self.scheduled.effects)
        yield from polls.findings(self.scenario, self.seed, self.log, self.scheduled)

    def _uninterrupted(self) -> Iterator[Finding]:
        yield from self._compared(UNINTERRUPTED, is_uninterrupted=True)

    def _interrupted(self) -> Iterator[Finding]:
        yield from self._compared(INTERRUPTED, Everywhere())

    def _crashed(self) -> Iterator[Finding]:
        for key, when in crash_points(self.updates.keys, self.crashes):
            crash = CrashAt(key, when)
            yield from self._compared(CRASHED, crash, by=compare_crashed)

    def _shuffled(self) -> Iterator[Finding]:
        operations = self.scheduled.recording.operations
        if not any(operation.stored.sub_type in BATCHES for operation in operations):
            self.current.not_run = "the handler has no branches"
            return
        for number in range(1, self.shuffles + 1):
            yield from self._compared(SHUFFLED, branches=self.seed + number)

    def _rewound(self) -> Iterator[Finding]:
        scenario = self.scenario
        self.current.runs = len(self.points)
        with world_of(scenario, self.seed), watching() as watch:
            self.environment = dict(os.environ)
            yield from list(
                rewound.findings(scenario.handler, self.log, self.points, beat=self.tell)
            )
        yield from outside.findings(
            scenario, self.seed, self.log, self.points, watch.seen, self.tell
        )

    def _moved(self) -> Iterator[Finding]:
        self.current.runs = len(self.points) + 1
        try:
            yield from moved.findings(
                self.scenario.handler,
                self.scheduled.recording,
                self.points,
                self.environment,
                self.tell,
            )
        except moved.CannotMove as error:
            self.current.runs, self.current.not_run = 0, str(error)

    def _compared(
        self,
        experiment: str,
        interference: Interference | None = None,
        by: Compare = compare,
        **how: Any,
    ) -> Iterator[Finding]:
        """What shows in a run that is made otherwise than as scheduled."""
        self.tell()
        self.current.runs += 1
        try:
            other = observe(self.scenario, self.seed, interference, **how)
        except ScenarioError as error:
            yield Finding(Code.STUCK, PROVED, f"{experiment}: {error}", experiment)
            return
        yield from by(self.scheduled, other, experiment)
