"""The reference run, and what each experiment receives: everything that is compared with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dacapo.history.points import DEFAULT_POINTS, choose_points
from dacapo.history.replay_log import Log
from dacapo.scenario import Scenario
from dacapo.service.execution import InvocationStatus
from dacapo.verify import limits
from dacapo.verify.compare.runs import divergences
from dacapo.verify.experiments.crashes import CheckpointLog, UpdateKey
from dacapo.verify.findings import Code, ExperimentName, ExperimentResult, Observation, Skipped
from dacapo.verify.observe.run import ObservedTwice, observe_twice

DEFAULT_INTERLEAVINGS = 3
DEFAULT_CRASHES = 12
"""Crash points that are tried, at even distances; a longer execution has many that are alike."""


@dataclass(frozen=True)
class Options:
    """Limits on how deep to look.

    Parameters:
        interleavings: how many other orders of branches are tried.
        crashes: how many points to crash at, at least 2; None for all.
        points: how many points to replay from at least, if there are more; None for all.
    """

    interleavings: int = DEFAULT_INTERLEAVINGS
    crashes: int | None = DEFAULT_CRASHES
    points: int | None = DEFAULT_POINTS


@dataclass(frozen=True)
class Reference:
    """The reference run of a scenario, and what experiments need to repeat it differently.

    Parameters:
        seed: of the reference run.
        environment: the environment variables that the scenario's world sets.
        run: the run itself, made twice.
        checkpoints: what it checkpointed, in order.
        log: its history, to replay from.
        points: where to replay from, each as the number of states that make it.
    """

    scenario: Scenario
    seed: int
    options: Options
    environment: Mapping[str, str]
    run: ObservedTwice
    checkpoints: list[UpdateKey]
    log: Log
    points: list[int]

    def judged(self, observations: Iterable[Observation]) -> Iterator[Observation]:
        """Yield what replays show; they may exceed the timeout if the reference run does."""
        may_time_out = any(i.status is InvocationStatus.TIMED_OUT for i in self.run.cut_off)
        for observation in observations:
            if not (may_time_out and observation.code is Code.STUCK):
                yield observation


@dataclass
class Tally:
    """Keeps count of one experiment while it is under way.

    Parameters:
        beat: says that the experiment goes on.
    """

    beat: Callable[[], None] = lambda: None
    result: ExperimentResult = field(default_factory=ExperimentResult)

    def count(self, runs: int = 1) -> None:
        """Count runs or replays that are about to be made."""
        self.beat()
        self.result.runs += runs


class NotRun(Exception):  # noqa: N818 - what happened
    """The experiment does not apply to this handler, or cannot be made: says why."""


@dataclass(frozen=True)
class Experiment:
    """One way of running a handler to test its replay.

    Parameters:
        conduct: runs or replays the handler, and yields what that shows.

    Raises:
        NotRun: by `conduct`, before its first run.
    """

    name: ExperimentName
    conduct: Callable[[Reference, Tally], Iterator[Observation | Skipped]]


def make_reference(
    scenario: Scenario, seed: int, options: Options, environment: Mapping[str, str]
) -> Reference:
    """Make the reference run.

    Raises:
        ScenarioError, NetworkRefused: it cannot be made; see `dacapo.run`.
    """
    checkpoints = CheckpointLog()
    run = observe_twice(scenario, seed, checkpoints)
    log = Log.of(run.recording)
    return Reference(
        scenario,
        seed,
        options,
        environment,
        run,
        checkpoints.keys,
        log,
        choose_points(log.states, options.points),
    )


def _conduct(reference: Reference, tally: Tally) -> Iterator[Observation]:
    run = reference.run
    tally.result.runs = 2  # it was made twice before this
    yield from divergences(run, ExperimentName.REFERENCE_RUN)
    yield from run.misplaced.observations
    yield from run.results.observations
    yield from limits.observations(reference.scenario, run)
    yield from limits.unbounded_polls(reference.scenario, reference.seed, reference.log, run)


REFERENCE_RUN = Experiment(ExperimentName.REFERENCE_RUN, _conduct)
