"""The reference run, its control, and what each experiment receives to compare with it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property, partial
from typing import Any

from dacapo.history.endings import LAMBDA_ERRORS
from dacapo.history.points import DEFAULT_POINTS, choose_points
from dacapo.history.replay_log import Log
from dacapo.process import memory, scratch
from dacapo.process.effect_listeners import listening
from dacapo.process.user_modules import is_users
from dacapo.scenario import Scenario
from dacapo.service.execution import InvocationStatus
from dacapo.verify import limits
from dacapo.verify.compare import baseline
from dacapo.verify.compare.baseline import Baseline
from dacapo.verify.compare.runs import divergences
from dacapo.verify.endings import ending_of, invariant_observations
from dacapo.verify.findings import (
    Code,
    Ending,
    ExperimentName,
    Observation,
    OutageOutcome,
    Skipped,
)
from dacapo.verify.observe.course import Called, CourseLog, Started, UpdateKey
from dacapo.verify.observe.run import Observed, observe
from dacapo.verify.workers.pool import Beat, Stopped, Work

DEFAULT_INTERLEAVINGS = 3
_SHARING = 6
"""Runs that share a process, if none leaves anything there."""
DEFAULT_CRASHES = 12
"""Crash points that are tried, at even distances; a longer execution has many that are alike."""
DEFAULT_OUTAGES = (timedelta(minutes=1), timedelta(minutes=30))
"""How long services are out: longer than the retries of a client, and than those of a step."""
_LEAST, _READS = 6, 60_000
"""Bounds of a `Budget`, where a time costs no more than reading back the operations so far."""


@dataclass(frozen=True)
class Options:
    """Limits on how deep to look.

    Parameters:
        interleavings: how many other orders of branches are tried.
        crashes: how many points to crash at, at least 2; None for all.
        points: how many points to replay from at least, if there are more; None for all.
        outages: how long services are out, one after the other.
    """

    interleavings: int = DEFAULT_INTERLEAVINGS
    crashes: int | None = DEFAULT_CRASHES
    points: int | None = DEFAULT_POINTS
    outages: Sequence[timedelta] = DEFAULT_OUTAGES


@dataclass(frozen=True)
class Budget:
    """The times that an experiment suspends, crashes or replays an execution.

    Each time, its operations are read back: n of them at n points cost n².

    Parameters:
        most: times, for a short execution.
        least: times, for a long one.
        reads: operations that may be read back in between.
    """

    most: int
    least: int = _LEAST
    reads: int = _READS


@dataclass(frozen=True)
class Trial:
    """Everything that a run left behind, besides what it did.

    Parameters:
        observed: the run.
        left: what it wrote outside its own temporary directory.
        loaded: the modules of libraries that it imported.
        services: the AWS services that it called.
        changed: the variables of the user's modules that it changed, if that was watched.
    """

    observed: Observed
    left: list[str]
    loaded: list[str]
    services: list[str]
    changed: Sequence[str] = ()


@dataclass(frozen=True)
class Reference:
    """The reference run of a scenario, and what experiments need to repeat it differently.

    Parameters:
        seed: of the reference run.
        target: names the scenario on the command line; "" elsewhere.
        baseline: the run itself and its control, in two processes.
        again: the run, repeated in the process of the first one.
        changed: the variables of the user's modules that a run changes.
        left: what it writes outside its own temporary directory.
        services: the AWS services that it calls.
    """

    scenario: Scenario
    seed: int
    options: Options
    target: str
    baseline: Baseline
    again: Observed
    changed: list[str]
    left: list[str]
    services: list[str]

    @property
    def run(self) -> Observed:
        """The reference run."""
        return self.baseline.first

    @cached_property
    def ending(self) -> Ending:
        """The end of it, with the line at which Lambda ended the invocations, if it did."""
        ending = ending_of(self.scenario, self.run.recording)
        codes = (Code.INVOCATION_TIMED_OUT, Code.DIED)
        seen = limits.observations(self.scenario, self.run)
        places = (one.place for one in seen if one.code in codes and one.place)
        is_lambdas = ending.error_type in LAMBDA_ERRORS
        return replace(ending, place=next(places, ending.place)) if is_lambdas else ending

    @property
    def checkpoints(self) -> list[UpdateKey]:
        """The checkpoints of it, in order."""
        return self.run.checkpoints

    @property
    def course(self) -> list[Started | Called]:
        """Its operations as they start, and its calls of AWS, in order."""
        return self.run.course

    @cached_property
    def log(self) -> Log:
        """Its history, to replay from."""
        return Log.of(self.run.recording, self.run.seen.frozen)

    @cached_property
    def points(self) -> list[int]:
        """The points to replay from, each as the number of states that make it."""
        most = self.options.points
        return choose_points(self.log.states, most and self.affordable(Budget(most)))

    def affordable(self, budget: Budget) -> int:
        """Return how often the budget allows for an execution of this length."""
        allowed = budget.reads // max(1, len(self.log.states))
        return min(budget.most, max(budget.least, allowed))

    @cached_property
    def control(self) -> list[str]:
        """The differences between two equal runs, and where they may come from."""
        first, other = self.baseline.runs
        differences = [
            f"each in a process of its own, {difference}. The handler or the world is random, or "
            "the world keeps something outside the process"
            for difference in baseline.differences(first, other)
        ]
        return differences or self.leaks

    @cached_property
    def leaks(self) -> list[str]:
        """The differences of a second run in the same process."""
        names = ", ".join(self.changed) or "something that was not found"
        return [
            f"one after the other in one process, {difference}. Kept between runs: {names}: reset "
            "it in the scenario's world"
            for difference in baseline.differences(self.run, self.again, results=False)
        ]

    @property
    def sharing(self) -> int:
        """The number of runs that may share a process: one, if any leaves something there."""
        leaves = self.changed or self.leaks or self.scenario.has_one_world
        return 1 if leaves else _SHARING

    def judged(self, observations: Iterable[Observation]) -> Iterator[Observation]:
        """Yield what replays show; they may exceed the timeout if the reference run does."""
        may_time_out = any(i.status is InvocationStatus.TIMED_OUT for i in self.run.cut_off)
        for observation in observations:
            if not (may_time_out and observation.code is Code.STUCK):
                yield observation


class NotRun(Exception):  # noqa: N818 - what happened
    """The experiment does not apply to this handler, or cannot be made: says why.

    Parameters:
        why: the reason.
        applies: whether it would apply.
    """

    def __init__(self, why: str, *, applies: bool = False) -> None:
        super().__init__(why)
        self.applies = applies


@dataclass(frozen=True)
class Plan:
    """The runs of one experiment, and its conclusion from them.

    Parameters:
        works: the runs and replays.
        judge: yields what their outcomes show; it receives one for each work.
        counts: how many runs or replays each work makes; None for one each.
        sampled: what was left out because there is too much of it; "" for nothing.
        sharing: how many works share a process, one after the other. The first uses of libraries
            take longer than a run; but what a work leaves in its process, the next one finds.
    """

    works: Sequence[Work[Any]]
    judge: Callable[[Sequence[Any]], Iterator[Observation | Skipped | OutageOutcome]]
    counts: int | None = None
    sampled: str = ""
    sharing: int = 1

    @property
    def runs(self) -> int:
        """The number of runs or replays that it makes."""
        return len(self.works) if self.counts is None else self.counts

    @property
    def processes(self) -> list[Sequence[Work[Any]]]:
        """The works that share a process, for each process."""
        starts = range(0, len(self.works), self.sharing)
        return [self.works[start : start + self.sharing] for start in starts]


@dataclass(frozen=True)
class Experiment:
    """One way of running a handler to test its replay.

    Parameters:
        plan: says what to run, and what the outcomes show.
        is_off: whether it is made only when it is asked for.

    Raises:
        NotRun: by `plan`.
    """

    name: ExperimentName
    plan: Callable[[Reference], Plan]
    is_off: bool = False


def tried(scenario: Scenario, seed: int, beat: Beat = lambda: None, **how: Any) -> Trial:
    """Run a scenario in this process, which is the run's own; see `observe`."""
    before = set(sys.modules)
    services: dict[str, None] = {}

    def called(service: str, *_: Any) -> None:
        services[service] = None

    with scratch.watched() as files, listening(called):
        observed = observe(scenario, seed, beat=beat, **how)
    loaded = sorted(name for name in set(sys.modules) - before if not is_users(name))
    return Trial(replace(observed, folder=files.own), files.left, loaded, list(services))


def first_works(scenario: Scenario, seed: int) -> list[Work[Any]]:
    """Return the works that make the reference run, and its control."""
    return [partial(_twice, scenario, seed), partial(tried, scenario, seed)]


def make_reference(
    scenario: Scenario, seed: int, options: Options, target: str, outcomes: Sequence[Any]
) -> Reference:
    """Return the reference that the outcomes of `first_works` make."""
    (first, again), other = outcomes
    return Reference(
        scenario,
        seed,
        options,
        target,
        Baseline((first.observed, other.observed)),
        again.observed,
        list(first.changed),
        sorted({*first.left, *other.left}),
        sorted({*first.services, *other.services}),
    )


def _twice(scenario: Scenario, seed: int, beat: Beat) -> tuple[Trial, Trial]:
    modules = memory.reached_from([*scenario.handlers.values(), scenario.world, scenario.invariant])
    before = memory.variables(modules)
    log = CourseLog()
    with listening(log.called):
        first = tried(scenario, seed, beat, interference=log, needs_answers=True)
    observed = replace(first.observed, checkpoints=log.keys, course=log.course)
    first = replace(first, observed=observed, changed=memory.changed_since(before, modules))
    if scenario.has_one_world:  # a second run would find what the first one left in it
        return first, first
    return first, tried(scenario, seed, beat)


def _plan(reference: Reference) -> Plan:
    def judge(outcomes: Sequence[Any]) -> Iterator[Observation | Skipped]:
        run = reference.run
        yield from divergences(run, ExperimentName.REFERENCE_RUN)
        yield from invariant_observations(run.recording, ExperimentName.REFERENCE_RUN)
        yield from run.seen.observations
        yield from limits.observations(reference.scenario, run)
        for outcome in outcomes:
            if not isinstance(outcome, Stopped):
                yield from outcome

    def polls(beat: Beat) -> list[Observation]:
        scenario, seed, log = reference.scenario, reference.seed, reference.log
        return list(limits.unbounded_polls(scenario, seed, log, reference.run, beat))

    has_polls = any(limits.is_pending_poll(state) for state in reference.log.states)
    return Plan([polls] if has_polls else [], judge, counts=3)


REFERENCE_RUN = Experiment(ExperimentName.REFERENCE_RUN, _plan)
