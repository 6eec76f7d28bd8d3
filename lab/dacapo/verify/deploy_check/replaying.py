"""Replay one history: from every point, or from where the execution is.

What only changes what is still to come (another length of a wait, another result) harms no
execution, and is no more than suspected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from dacapo.errors import NetworkRefused
from dacapo.history.points import DEFAULT_POINTS, choose_points, share_of_points
from dacapo.history.replay_log import Log
from dacapo.process.active_run import ACTIVE
from dacapo.process.source_lines import Place
from dacapo.scenario import START, Scenario
from dacapo.sdk.operation_hooks import Failure, failures
from dacapo.service.functions import Handler
from dacapo.simulation.simulation import Simulation, world_of
from dacapo.verify.compare.replays import compared
from dacapo.verify.configuration import NO_CONFIGURATION, Configuration
from dacapo.verify.deploy_check.names import unnamed
from dacapo.verify.deploy_check.results import CheckResult
from dacapo.verify.experiments.nondeterminism import sightings
from dacapo.verify.findings import Code, Ending, Evidence, ExperimentName, Observation
from dacapo.verify.observe.sources import UNSET
from dacapo.verify.observe.watch import Watch, watching
from dacapo.verify.suppressions import apart
from dacapo.verify.triage import HARMLESS_IN_FLIGHT, judge, one_per_cause

NAME = ExperimentName.REPLAYED
_FAILS = (Code.ENDED_EARLY, Code.NEVER_REACHED)
"""What is seen of a replay that fails, for any reason."""
_UNANSWERED = "the handler asks something outside every step, and a check has nobody to answer"


@dataclass(frozen=True)
class Depth:
    """From which points a history is replayed.

    Parameters:
        most: how many points at least, if there are more; None for all of them, also of an
            execution in flight, which otherwise is replayed from where it is.
        share: how many points at most, if many histories share them; None to share nothing.
        number: the history's number among those that share their points.
        watched: points at which reads are watched, which costs several times as much as a replay.
    """

    most: int | None = DEFAULT_POINTS
    share: int | None = None
    number: int = 0
    watched: int = 4

    def points_of(self, log: Log) -> list[int]:
        """Return the points of a history to replay from."""
        count = len(log.states)
        if self.most is None:
            return list(range(1, count + 1))
        if not log.has_ended:
            return [count]
        if self.share is not None and self.share < count:
            return share_of_points(count, self.share, self.number)
        return choose_points(log.states, self.most)


DEFAULT_DEPTH = Depth()


@dataclass
class _Replays:
    """The replays of one history, as far as they got.

    Parameters:
        lines: where operations are read back, by ID.
        begun: how many replays there were.
    """

    seen: list[Observation] = field(default_factory=list)
    lines: dict[str, Place] = field(default_factory=dict)
    begun: int = 0
    has_finished: bool = False


def check_log(
    scenario: Scenario | Handler,
    log: Log,
    name: str = "",
    depth: Depth = DEFAULT_DEPTH,
    beat: Callable[[], None] = lambda: None,
    configuration: Configuration = NO_CONFIGURATION,
) -> CheckResult:
    """Replay one history in this process.

    Parameters:
        scenario: today's durable handler; as a scenario, with the world that answers it.
        log: the history.
        name: the history's file, or the ARN of its execution.
        depth: from which points.
        beat: is called before each replay.
        configuration: the project's settings.

    Raises:
        HistoryError: the history cannot be compared with anything.
    """
    log = replace(log, is_complete=False)
    points, replays = depth.points_of(log), _Replays()
    if not isinstance(scenario, Scenario):
        scenario = Scenario(handler=scenario)
    handler = scenario.handler
    with (
        watching(reads=depth.watched > 0) as watch,
        failures() as failed,
        suppress(NetworkRefused),
        _surroundings(scenario),
    ):
        watched = _chosen(points, depth.watched)
        _replay_each(handler, log, points, replays, watch, watched, beat)
    seen = replays.seen
    if not replays.has_finished:
        replays.begun -= 1
        seen += _calls_outside(watch)
    failure = _failure_of_machine(failed) or _failure_without_variable(seen, failed, watch)
    if failure is not None:
        seen = [one for one in seen if one.code not in _FAILS]
    everything = [*seen, *sightings(watch.seen), *unnamed(log, replays.lines)]
    accepted = apart(judge(everything, harmless=HARMLESS_IN_FLIGHT), handler, configuration)
    return CheckResult(
        name,
        replays.begun,
        one_per_cause(accepted.left),
        failure,
        accepted.suppressed,
        "" if replays.has_finished else _UNANSWERED,
        version=log.version,
        is_running=not log.has_ended,
        known_points=len(log.states),
    )


@contextmanager
def _surroundings(scenario: Scenario) -> Iterator[None]:
    """Context manager with the scenario's world, if it has one, or with nobody to answer."""
    if scenario.world is nullcontext:
        with ACTIVE.serving(has_world=False), Simulation(0, START).running():
            yield
    else:
        with world_of(scenario, 0):
            yield


def _replay_each(
    handler: Handler,
    log: Log,
    points: Sequence[int],
    replays: _Replays,
    watch: Watch,
    watched: Sequence[int],
    beat: Callable[[], None],
) -> None:
    bodies: dict[str, Any] = {}
    for count in points:
        beat()
        replays.begun += 1
        watch.sees_reads = count in watched
        trace = log.replay(handler, count)
        replays.seen.extend(compared(handler, log, count, trace, NAME, bodies))
        replays.lines.update({key: line for key, line in trace.reads.items() if line})
    if len(points) == 1 and any(sighting.kind == "effect" for sighting in watch.seen):
        log.replay(handler, points[0])  # does it happen again?
    replays.has_finished = True


def _chosen(points: Sequence[int], count: int) -> Sequence[int]:
    """Return so many points, from the last one back."""
    return points[:: -max(1, len(points) // count)] if count else ()


def _failure_of_machine(failed: Iterable[Failure]) -> Ending | None:
    first = next((failure for failure in failed if failure.is_of_machine), None)
    return first and _ending(first)


def _failure_without_variable(
    seen: Iterable[Observation], failed: Sequence[Failure], watch: Watch
) -> Ending | None:
    """Return the exception of a handler that lacks a variable: that may well be the reason."""
    unset = [one.what for one in watch.seen if one.kind == "environment" and UNSET in one.what]
    places = [one.place for one in seen if one.code is Code.ENDED_EARLY]
    first = next((failure for failure in failed if failure.place in places), None)
    if not unset or first is None:
        return None
    ending = _ending(first)
    return replace(ending, message=f"{ending.message}; the handler reads {unset[0].rstrip(',')}")


def _ending(failure: Failure) -> Ending:
    return Ending("FAILED", failure.name, failure.message, failure.place, is_expected=False)


def _calls_outside(watch: Watch) -> Iterator[Observation]:
    """Yield the side effect at which the replays ended; that nobody answers a query proves nothing.

    There is one replay, but every other one would do the same.
    """
    for sighting in watch.seen[-1:]:
        if sighting.kind == "effect":
            message = f"{sighting.what} is called outside every step, so every replay calls it"
            code, evidence = Code.EFFECT_OUTSIDE_STEP, Evidence.REPETITION
            yield Observation(code, evidence, message, NAME, sighting.place)
