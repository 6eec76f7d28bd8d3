"""The deploy check: do executions in flight survive today's code?

Histories that other code made are replayed from every point. What only changes what is still to
come (another length of a wait, another result) harms no execution, and is no more than suspected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dacapo.errors import NetworkRefused
from dacapo.history import files
from dacapo.history.points import DEFAULT_POINTS, choose_points
from dacapo.history.recording import Recording
from dacapo.history.replay_log import Log
from dacapo.scenario import START
from dacapo.service.functions import Handler
from dacapo.simulation.simulation import Simulation
from dacapo.verify.compare import replays
from dacapo.verify.experiments.nondeterminism import sightings
from dacapo.verify.findings import (
    Code,
    Evidence,
    ExperimentName,
    Finding,
    Observation,
    proved,
)
from dacapo.verify.limits import lacks_name
from dacapo.verify.observe.watch import Watch, watching
from dacapo.verify.triage import HARMLESS_IN_FLIGHT, triage
from dacapo.verify.workers.supervised import Progress, Result, Send, Stopped, supervise

NAME = ExperimentName.REPLAYED


@dataclass(frozen=True)
class CheckResult:
    """The findings of replaying one history.

    Parameters:
        name: the history's file, or the ARN of its execution.
        points: from how many points it was replayed.
    """

    name: str
    points: int
    findings: list[Finding]

    @property
    def proved(self) -> list[Finding]:
        """The findings that a replay showed: this execution would not survive."""
        return proved(self.findings)


def check(
    handler: Handler,
    histories: Iterable[Recording | Path | str],
    *,
    points: int | None = DEFAULT_POINTS,
    progress: Callable[[str], None] = lambda _: None,
) -> list[CheckResult]:
    """Replay histories in today's code, in a process that a handler cannot take down.

    Parameters:
        handler: today's durable handler.
        histories: recordings, or files that `dacapo run --save` or `aws lambda
            get-durable-execution-history --include-execution-data` wrote; ended or not.
        points: how many points to replay from at least, if there are more; None for all.
        progress: receives the name of each history as its replay goes on.

    Returns:
        A result for each history, in their order.

    Raises:
        HistoryError: a file holds no history that can be replayed.
    """
    return check_logs(handler, dict(map(_named, histories)), points, progress)


def check_logs(
    handler: Handler,
    logs: Mapping[str, Log],
    points: int | None = DEFAULT_POINTS,
    progress: Callable[[str], None] = lambda _: None,
) -> list[CheckResult]:
    """Replay histories that are loaded already, by their names; see `check`."""

    def work(send: Send[CheckResult]) -> None:
        for name, log in logs.items():
            beat = partial(send, Progress(name))
            beat()
            send(Result(check_log(handler, log, points, name, beat)))

    results: dict[str, CheckResult] = {}
    for _, message in supervise([work]):
        match message:
            case Progress(name=name):
                progress(name)
            case Stopped():
                name = next(name for name in logs if name not in results)
                results[name] = CheckResult(name, 0, triage([_stopped(message)]))
            case Result(content=result):
                results[result.name] = result
    return list(results.values())


def check_log(
    handler: Handler,
    log: Log,
    points: int | None = DEFAULT_POINTS,
    name: str = "",
    beat: Callable[[], None] = lambda: None,
) -> CheckResult:
    """Replay one history in this process; see `check`.

    Parameters:
        beat: is called before each replay.
    """
    log = replace(log, is_complete=False)
    counts = choose_points(log.states, points)
    try:
        with watching() as watch, Simulation(0, START).running():
            observed = list(replays.observations(handler, log, counts, NAME, beat))
    except NetworkRefused:
        observed = [_call_outside(watch)]
    everything = [*observed, *sightings(watch.seen), *_unnamed(log)]
    return CheckResult(name, len(counts), triage(everything, harmless=HARMLESS_IN_FLIGHT))


def _named(history: Recording | Path | str) -> tuple[str, Log]:
    if isinstance(history, Recording):
        return history.arn, Log.of(history)
    return str(history), files.load(Path(history))


def _stopped(message: Stopped) -> Observation:
    return Observation(message.code, Evidence.DIFFERENCE, message.message, NAME, message.place)


def _call_outside(watch: Watch) -> Observation:
    what, place = (watch.seen[-1].what, watch.seen[-1].place) if watch.seen else ("it", None)
    message = f"{what} is called outside every step, where a replay has nobody to answer it"
    return Observation(Code.EFFECT_OUTSIDE_STEP, Evidence.REPETITION, message, NAME, place)


def _unnamed(log: Log) -> Iterator[Observation]:
    unnamed = sum(1 for operation in log.final.values() if lacks_name(operation))
    if unnamed:
        message = f"{unnamed} operations of the history have no name, so nothing tells them apart"
        yield Observation(Code.UNNAMED_OPERATION, Evidence.NEAR_LIMIT, message, NAME)
