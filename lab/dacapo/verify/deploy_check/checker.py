"""Replay many histories, a few at a time, in processes that a handler cannot take down.

A process replays a batch of histories, one after the other. If it ends or has to be stopped, each
of them is replayed again in a process of its own, which shows the one that it was. Each handler is
imported in its own processes only, so two handlers may have modules of the same name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dacapo.errors import HistoryError
from dacapo.history import files
from dacapo.history.points import DEFAULT_POINTS
from dacapo.history.recording import Recording
from dacapo.history.replay_log import Log
from dacapo.scenario import Scenario
from dacapo.service.functions import Handler
from dacapo.simulation import network_guard
from dacapo.verify.configuration import Configuration, load
from dacapo.verify.deploy_check.replaying import NAME, Depth, check_log
from dacapo.verify.deploy_check.results import CheckResult
from dacapo.verify.triage import triage
from dacapo.verify.workers.pool import Beat, Stopped, run_each

_REPLAYS = 1_000
"""Replays of executions that have ended, all of them together, unless all points are asked for."""
_FEWEST_POINTS = 4
"""Points of each of them, however many there are."""
_WATCHED = 100
"""Histories in which reads are watched: what the code reads, it reads in many of them."""
_BATCH = 50
"""Histories that one process replays, at most."""
_MOST_STOPPED = 3
"""Histories of a batch that may end or block their process, until the others are left out."""
_CANNOT = (AttributeError, KeyError, TypeError, ValueError, ArithmeticError, RecursionError)
"""What it raises to compare something with a history that holds what no service writes."""


@dataclass(frozen=True)
class Source:
    """A history, which is loaded where it is replayed.

    Parameters:
        name: its file, or the ARN of its execution.
    """

    name: str
    load: Callable[[], Log]


@dataclass(frozen=True)
class Job:
    """A handler, and the histories to replay in it.

    Parameters:
        target: how the user calls the handler.
        load: returns the handler, and the world that answers what it asks outside steps; called in
            the processes that replay.
        sources: the histories.
        environment: variables to set before the handler is loaded.
    """

    target: str
    load: Callable[[], Scenario]
    sources: Sequence[Source]
    environment: Mapping[str, str] = field(default_factory=dict)

    def prepared(self) -> Scenario:
        """Return the handler, loaded in this process: offline, and with its environment."""
        os.environ.update(self.environment)
        network_guard.take_offline()
        return self.load()

    def batches(self, processes: int) -> Iterator[Job]:
        """Yield parts of this job, for one process each."""
        size = max(1, min(_BATCH, -(-len(self.sources) // processes)))
        for start in range(0, len(self.sources), size):
            yield replace(self, sources=self.sources[start : start + size])


def check(
    handler: Handler,
    histories: Recording | Path | str | Iterable[Recording | Path | str],
    *,
    points: int | None = DEFAULT_POINTS,
    progress: Callable[[str], None] = lambda _: None,
) -> list[CheckResult]:
    """Replay histories in today's code, in processes that a handler cannot take down.

    Parameters:
        handler: today's durable handler.
        histories: recordings, files or directories of files that `dacapo run --save`, `dacapo
            history` or `aws lambda get-durable-execution-history --include-execution-data` wrote;
            ended or not. One that is still running is replayed from where it is.
        points: how many points of an ended history to replay from at least, if there are more; None
            for all points of every history.
        progress: receives the name of each history as its replay goes on.

    Returns:
        A result for each history, in their order.

    Raises:
        ConfigurationError: pyproject.toml has settings that are not valid.
        HistoryError: a file holds no history that can be replayed.
    """
    alone = isinstance(histories, Recording | Path | str)
    several: Iterable[Recording | Path | str] = [histories] if alone else histories  # type: ignore[list-item,assignment]
    sources = [source for history in several for source in sources_of(history)]
    results = check_jobs(
        [Job("", lambda: Scenario(handler=handler), sources)], points=points, progress=progress
    )
    damage = next((result.damage for result in results if result.damage), None)
    if damage is not None:
        raise HistoryError(damage)
    return results


def sources_of(history: Recording | Path | str) -> Iterator[Source]:
    """Yield the histories that a recording, a file or a directory holds.

    Raises:
        HistoryError: there is no such file, or the directory has none.
    """
    if isinstance(history, Recording):
        yield Source(history.arn, partial(Log.of, history))
    else:
        for file in files.find(Path(history)):
            yield Source(str(file), partial(files.load, file))


def check_jobs(
    jobs: Sequence[Job],
    *,
    points: int | None = DEFAULT_POINTS,
    processes: int = 2,
    progress: Callable[[str], None] = lambda _: None,
) -> list[CheckResult]:
    """Replay histories in the handlers that they belong to; see `check`.

    Parameters:
        processes: how many run at the same time.

    Returns:
        A result for each history, in their order; one that cannot be replayed says why.
    """
    checking = Checking(load(Path.cwd()), points, sum(len(job.sources) for job in jobs))
    batches = [batch for job in jobs for batch in job.batches(processes)]
    works = [partial(checking.replay, batch) for batch in batches]
    results: list[CheckResult] = []
    outcomes = run_each(
        works,
        at_once=processes,
        on_progress=lambda number: progress(batches[number].sources[0].name),
    )
    for batch, outcome in zip(batches, outcomes, strict=True):
        one_by_one = isinstance(outcome, Stopped)
        results.extend(checking.one_by_one(batch) if one_by_one else outcome)  # type: ignore[arg-type]
    return results


@dataclass(frozen=True)
class Checking:
    """One check of all histories.

    Parameters:
        configuration: the project's settings.
        points: see `check`.
        count: how many histories there are.
    """

    configuration: Configuration
    points: int | None
    count: int

    def replay(self, job: Job, beat: Beat) -> list[CheckResult]:
        """Replay the histories of a job in this process."""
        scenario = job.prepared()
        return [
            self.replay_one(scenario, job.target, source, number, beat)
            for number, source in enumerate(job.sources)
        ]

    def replay_one(
        self, scenario: Scenario, target: str, source: Source, number: int, beat: Beat
    ) -> CheckResult:
        """Replay one history in this process; what is damaged says so, and ends nothing.

        Parameters:
            scenario: the handler, with its world.
            target: how the user calls it.
            number: the history's number in its batch.
            beat: is called before each replay.
        """
        try:
            log, depth = source.load(), self.depth(number)
            checked = check_log(scenario, log, source.name, depth, beat, self.configuration)
        except HistoryError as error:
            return CheckResult(source.name, damage=str(error), target=target)
        except _CANNOT as error:
            # Not its message, which may quote a payload.
            what = f"{source.name} can't be compared with a replay: {type(error).__name__}"
            return CheckResult(source.name, damage=what, target=target)
        return replace(checked, target=target)

    def depth(self, number: int) -> Depth:
        """Return how a history is replayed, by its number in its batch."""
        if self.points is None or self.count == 1:
            return Depth(self.points)
        share = max(_FEWEST_POINTS, _REPLAYS // self.count)
        is_watched = number % -(-self.count // _WATCHED) == 0
        return Depth(self.points, share, number, watched=1 if is_watched else 0)

    def one_by_one(self, job: Job) -> Iterator[CheckResult]:
        """Replay each history of a job in a process of its own."""
        works = [partial(self.replay, one) for one in job.batches(len(job.sources))]
        stopped = 0
        with closing(run_each(works)) as outcomes:  # type: ignore[type-var]
            for number, source in enumerate(job.sources):
                if stopped == _MOST_STOPPED:
                    why = "the handler ends its process, or had to be stopped, in those before"
                    for left in job.sources[number:]:
                        yield CheckResult(left.name, not_run=why, target=job.target)
                    return
                outcome = next(outcomes)
                if isinstance(outcome, Stopped):
                    stopped += 1
                    yield _stopped(source, outcome, job.target)
                else:
                    yield from outcome


def _stopped(source: Source, outcome: Stopped, target: str) -> CheckResult:
    findings = triage([outcome.observation(NAME)])
    return CheckResult(source.name, findings=findings, not_run=outcome.message, target=target)
