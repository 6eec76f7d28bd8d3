"""The deploy check: do executions in flight survive today's code?

Histories that other code made are replayed from every point. What only changes what is still to
come (another length of a wait, another result) harms no execution, and is no more than suspected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dacapo.errors import NetworkRefused
from dacapo.history import files
from dacapo.history.points import DEFAULT_POINTS, choose_points
from dacapo.history.recording import Recording
from dacapo.history.replay_log import Log
from dacapo.process.active_run import ACTIVE
from dacapo.scenario import START
from dacapo.sdk.operation_hooks import Failure, failures
from dacapo.service.functions import Handler
from dacapo.simulation.simulation import Simulation
from dacapo.verify.compare import replays
from dacapo.verify.configuration import NO_CONFIGURATION, Configuration, load
from dacapo.verify.experiments.nondeterminism import sightings
from dacapo.verify.findings import (
    Code,
    Ending,
    Evidence,
    ExperimentName,
    Finding,
    Observation,
    Suppressed,
    Verdict,
    lints,
    proved,
)
from dacapo.verify.limits import lacks_name
from dacapo.verify.observe.watch import Watch, watching
from dacapo.verify.suppressions import apart
from dacapo.verify.triage import HARMLESS_IN_FLIGHT, judge, one_per_cause, triage
from dacapo.verify.workers.pool import Beat, Stopped, run_each

NAME = ExperimentName.REPLAYED
_FAILS = (Code.ENDED_EARLY, Code.NEVER_REACHED)
"""What is seen of a replay that fails, for any reason."""
_UNANSWERED = "the handler asks something outside every step, and a check has nobody to answer"


@dataclass(frozen=True)
class CheckResult:
    """The findings of replaying one history.

    Parameters:
        name: the history's file, or the ARN of its execution.
        points: from how many points it was replayed.
        failure: how a replay failed for want of something on this machine, so that nothing is known
            of the code; None if none did.
        suppressed: findings that the user accepts, which do not count.
        not_run: why it was not replayed from the other points; "" if it was from all.
    """

    name: str
    points: int
    findings: list[Finding]
    failure: Ending | None = None
    suppressed: list[Suppressed] = field(default_factory=list)
    not_run: str = ""

    @property
    def proved(self) -> list[Finding]:
        """The findings that a replay showed: this execution would not survive."""
        return proved(self.findings)

    @property
    def lints(self) -> list[Finding]:
        """The findings about style and bounds."""
        return lints(self.findings)

    @property
    def verdict(self) -> Verdict:
        """`breaks` if this execution would not survive, `survives` if it would."""
        if self.proved:
            return Verdict.BREAKS
        return Verdict.NOT_VERIFIED if self.failure or self.not_run else Verdict.SURVIVES


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
        ConfigurationError: pyproject.toml has settings that are not valid.
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
    configuration = load(Path.cwd())
    names = list(logs)
    works = [partial(_checked, handler, logs[name], points, name, configuration) for name in names]
    outcomes = run_each(works, on_progress=lambda number: progress(names[number]))
    return [
        CheckResult(name, 0, triage([outcome.observation(NAME)]), not_run=outcome.message)
        if isinstance(outcome, Stopped)
        else outcome
        for name, outcome in zip(names, outcomes, strict=True)
    ]


def _checked(
    handler: Handler,
    log: Log,
    points: int | None,
    name: str,
    configuration: Configuration,
    beat: Beat,
) -> CheckResult:
    return check_log(handler, log, points, name, beat, configuration)


def check_log(
    handler: Handler,
    log: Log,
    points: int | None = DEFAULT_POINTS,
    name: str = "",
    beat: Callable[[], None] = lambda: None,
    configuration: Configuration = NO_CONFIGURATION,
) -> CheckResult:
    """Replay one history in this process; see `check`.

    Parameters:
        beat: is called before each replay.
        configuration: the project's settings.
    """
    log = replace(log, is_complete=False)
    counts = choose_points(log.states, points)
    begun, has_finished = 0, False
    observed: list[Observation] = []

    def begin() -> None:
        nonlocal begun
        begun += 1
        beat()

    with (
        watching() as watch,
        failures() as failed,
        suppress(NetworkRefused),
        ACTIVE.serving(has_world=False),
        Simulation(0, START).running(),
    ):
        observed.extend(replays.observations(handler, log, counts, NAME, begin))
        has_finished = True
    if not has_finished:
        begun -= 1
        observed += _calls_outside(watch)
    failure = _failure_of_machine(failed)
    if failure is not None:
        observed = [one for one in observed if one.code not in _FAILS]
    everything = [*observed, *sightings(watch.seen), *_unnamed(log)]
    judged = judge(everything, harmless=HARMLESS_IN_FLIGHT)
    accepted = apart(judged, handler, configuration)
    findings = one_per_cause(accepted.left)
    not_run = "" if has_finished else _UNANSWERED
    return CheckResult(name, begun, findings, failure, accepted.suppressed, not_run)


def _failure_of_machine(failed: Iterable[Failure]) -> Ending | None:
    first = next((failure for failure in failed if failure.is_of_machine), None)
    if first is None:
        return None
    return Ending("FAILED", first.name, first.message, first.place, is_expected=False)


def _named(history: Recording | Path | str) -> tuple[str, Log]:
    if isinstance(history, Recording):
        return history.arn, Log.of(history)
    return str(history), files.load(Path(history))


def _calls_outside(watch: Watch) -> Iterator[Observation]:
    """Yield the side effect at which the replays ended; that nobody answers a query proves nothing.

    There is one replay, but every other one would do the same.
    """
    for sighting in watch.seen[-1:]:
        if sighting.kind == "effect":
            message = f"{sighting.what} is called outside every step, so every replay calls it"
            code, evidence = Code.EFFECT_OUTSIDE_STEP, Evidence.REPETITION
            yield Observation(code, evidence, message, NAME, sighting.place)


def _unnamed(log: Log) -> Iterator[Observation]:
    unnamed = sum(1 for operation in log.final.values() if lacks_name(operation))
    if unnamed:
        message = f"{unnamed} operations of the history have no name, so nothing tells them apart"
        yield Observation(Code.UNNAMED_OPERATION, Evidence.LINT, message, NAME)
