"""Outages: each service that is called fails for a while, from each operation on.

The execution must end as the reference run does, only later, or as the scenario's `outage_endings`
allow, and the scenario's invariant must hold. The course may differ: a step that fails is retried.

An outage shows something only if it fails a call, and nothing differs before that call. So of the
operations that start at one moment, with no call of the service between them, one stands for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from dacapo.errors import ScenarioError
from dacapo.history import endings
from dacapo.history.recording import Recording
from dacapo.process.source_lines import Place
from dacapo.scenario import Scenario
from dacapo.scenario.external_events import OutageKind, outage
from dacapo.verify.compare import causes
from dacapo.verify.compare.baseline import describe_end, end_of
from dacapo.verify.endings import ending_of
from dacapo.verify.experiments.reference import (
    Budget,
    Experiment,
    NotRun,
    Plan,
    Reference,
    tried,
)
from dacapo.verify.findings import (
    Code,
    Evidence,
    ExperimentName,
    Observation,
    OutageOutcome,
    OutageResult,
    contrast,
)
from dacapo.verify.observe.course import Called, Started
from dacapo.verify.observe.run import Observed
from dacapo.verify.workers.pool import Beat, Stopped, Work

NAME = ExperimentName.OUTAGES
_BUDGET = Budget(40)
"""Starts of outages, of each length: of more, so many are tried, at even distances."""
_FAILED = ("FAILED", "TIMED_OUT")
_KINDS = list(OutageKind)


@dataclass(frozen=True)
class _Start:
    """An operation with which an outage of a service may begin.

    Parameters:
        call: virtual time of the first call of the service from then on; None if there is none.
        number: tells calls apart.
    """

    service: str
    operation: Started
    call: datetime | None
    number: int

    def may_hit(self, lasts: timedelta) -> bool:
        """Return whether the outage fails a call if it lasts so long."""
        return self.call is not None and self.call < self.operation.at + lasts


@dataclass(frozen=True)
class _Tried:
    """A run with an outage, and what it shows.

    Parameters:
        message: how its ending differs from that of the reference run.
        place: the line that ends it, or that makes its ending differ.
        broken_at: the line of the invariant that does not hold.
    """

    outcome: OutageOutcome
    message: str = ""
    place: Place | None = None
    broken_at: Place | None = None


def _plan(reference: Reference) -> Plan:
    services = list(dict.fromkeys(c.service for c in reference.course if isinstance(c, Called)))
    if not services:
        raise NotRun("no function of the scenario calls an AWS service")
    if not reference.baseline.has_one_end:
        raise NotRun("two equal runs end in different ways", applies=True)
    lengths = reference.options.outages
    starts = [start for service in services for start in _starts(reference.course, service)]
    hitting = [start for start in starts if start.may_hit(max(lengths))]
    others = [start for start in starts if not start.may_hit(max(lengths))]
    chosen = _sample(reference, hitting)
    works, spared = list[Work[Any]](), list[OutageOutcome]()
    for number, start in enumerate([*chosen, *_sample(reference, others)]):
        for shift, lasts in enumerate(lengths):
            outcome = _untried(start, lasts, _KINDS[(number + shift) % len(_KINDS)])
            if start.may_hit(lasts):
                works.append(partial(_run, reference, outcome))
            else:
                spared.append(outcome)
    sampled = f"from {len(chosen)} of {len(hitting):,} operations on"
    return Plan(
        works,
        partial(_judge, spared),
        sampled=sampled if len(chosen) < len(hitting) else "",
        sharing=reference.sharing,
    )


def _starts(course: Sequence[Started | Called], service: str) -> Iterator[_Start]:
    """Yield the operations that differ in what an outage of a service fails from them on."""
    starts: list[_Start] = []
    first, at = len(course), None
    for number, one in reversed([*enumerate(course)]):
        if isinstance(one, Started):
            starts.append(_Start(service, one, at, first))
        elif one.service == service:
            first, at = number, one.at
    seen: set[tuple[datetime, int]] = set()
    for start in reversed(starts):
        moment = start.operation.at, start.number
        if moment not in seen:
            seen.add(moment)
            yield start


def _sample(reference: Reference, starts: Sequence[_Start]) -> Sequence[_Start]:
    most = None if reference.options.points is None else reference.affordable(_BUDGET)
    if most is None or len(starts) <= most:
        return starts
    return [starts[round(n * (len(starts) - 1) / (most - 1))] for n in range(most)]


def _untried(start: _Start, lasts: timedelta, kind: OutageKind) -> OutageOutcome:
    operation = start.operation
    name = operation.path if operation.is_first else operation.operation_id
    return OutageOutcome(start.service, lasts, kind, name, OutageResult.NOT_HIT)


def _run(reference: Reference, outcome: OutageOutcome, beat: Beat) -> _Tried:
    """Run the scenario with an outage, and compare its ending with that of the reference run."""
    scenario = reference.scenario
    event = outage(
        outcome.service,
        lasts=outcome.lasts,
        kind=outcome.kind,
        from_operation=outcome.operation,
    )
    scenario = replace(scenario, external_events=[*scenario.external_events, event])
    try:
        observed = tried(scenario, reference.seed, beat).observed
    except ScenarioError as error:
        return _Tried(replace(outcome, result=OutageResult.UNPLAYABLE), str(error))
    return _compared(reference.run, observed, scenario, outcome)


def _compared(
    reference: Observed, observed: Observed, scenario: Scenario, outcome: OutageOutcome
) -> _Tried:
    recording = observed.recording
    ending, broken = ending_of(scenario, recording), recording.broken_invariant
    result = _result(reference, observed, scenario)
    broken_at = broken.place if broken else None
    outcome = replace(
        outcome,
        result=OutageResult.INVARIANT_BROKEN if broken else result,
        failed=len(recording.failed_calls),
        ending=ending,
        delay=_delay(reference.recording, recording),
        broken=broken.message if broken else "",
    )
    if result is not OutageResult.DIFFERENT:
        return _Tried(outcome, broken_at=broken_at)
    ends = describe_end(reference.recording), describe_end(recording)
    was, now = contrast(reference.portable(ends[0]), observed.portable(ends[1]))
    if recording.ended is None or recording.error is not None:
        now = str(ending)
    place = _failing(reference, observed) or ending.place or causes.of_end(observed)
    message = f"it ends with {now}; the reference run, with {was}"
    return _Tried(outcome, message, place, broken_at)


def _failing(reference: Observed, observed: Observed) -> Place | None:
    """Return the line that starts the first operation that fails, though not in the reference run.

    It decides how often an operation is tried, or what follows when it has failed.
    """
    before = {o.id: (o.path, o.status) for o in reference.recording.operations}
    for operation in observed.recording.operations:
        path, status = before.get(operation.id, ("", ""))
        if operation.path != path:
            return None
        if operation.status != status and operation.status in _FAILED:
            return observed.places.get(operation.id)
    return None


def _result(reference: Observed, observed: Observed, scenario: Scenario) -> OutageResult:
    (status, output, error), (was, output_then, error_then) = end_of(observed), end_of(reference)
    error_type = error and error[0]
    if (status, output, error_type) == (was, output_then, error_then and error_then[0]):
        if not observed.recording.failed_calls:
            return OutageResult.NOT_HIT
        is_later = bool(_delay(reference.recording, observed.recording))
        return OutageResult.LATER if is_later else OutageResult.SAME
    allowed = scenario.outage_endings
    if any(endings.is_expected(ending, status, error_type) for ending in allowed):
        return OutageResult.ALLOWED
    return OutageResult.DIFFERENT


def _delay(reference: Recording, recording: Recording) -> timedelta | None:
    return recording.ended - reference.ended if recording.ended and reference.ended else None


def _judge(
    spared: Sequence[OutageOutcome], results: Sequence[Any]
) -> Iterator[Observation | OutageOutcome]:
    runs = [result for result in results if not isinstance(result, Stopped)]
    yield from spared
    yield from (run.outcome for run in runs)
    different = [run for run in runs if run.message and not _is_unplayable(run)]
    for group in _groups(different, lambda run: (run.place, _status(run))):
        yield _not_survived(group, len(runs))
    broken = [run for run in runs if run.outcome.broken]
    for group in _groups(broken, lambda run: (run.broken_at, run.outcome.broken)):
        yield _broken(group, len(runs))
    unplayable = [run for run in runs if _is_unplayable(run)]
    if unplayable:
        raise NotRun(
            f"{len(unplayable)} of {len(runs)} runs cannot be made, the first one with "
            f"{unplayable[0].outcome.event}: {unplayable[0].message}",
            applies=True,
        )


def _is_unplayable(run: _Tried) -> bool:
    return run.outcome.result is OutageResult.UNPLAYABLE


def _status(run: _Tried) -> str:
    return run.outcome.ending.status if run.outcome.ending else ""


def _groups(runs: Sequence[_Tried], key: Callable[[_Tried], object]) -> list[list[_Tried]]:
    groups: dict[object, list[_Tried]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return list(groups.values())


def _not_survived(group: Sequence[_Tried], count: int) -> Observation:
    first = group[0]
    message = f"{_described(group, count)}, {first.message}. {_repeated(first)}"
    return Observation(
        Code.OUTAGE_NOT_SURVIVED,
        Evidence.DIFFERENCE,
        message,
        NAME,
        first.place,
        subject=_status(first),
    )


def _broken(group: Sequence[_Tried], count: int) -> Observation:
    first = group[0]
    message = f"{_described(group, count)}, {first.outcome.broken}. {_repeated(first)}"
    place = first.broken_at
    return Observation(
        Code.INVARIANT_BROKEN,
        Evidence.RULE,
        message,
        NAME,
        place,
        subject=first.outcome.broken,
    )


def _described(group: Sequence[_Tried], count: int) -> str:
    outcome = group[0].outcome
    share = f"in {len(group)} of {count} runs, the first one with" if count > 1 else "with"
    minutes = outcome.lasts.total_seconds() / 60
    return (
        f"{NAME}: {share} {outcome.service} out for {minutes:g} min ({outcome.kind}) from "
        f"{outcome.operation!r} on"
    )


def _repeated(run: _Tried) -> str:
    return f"To repeat it, add {run.outcome.event} to external_events"


OUTAGES = Experiment(NAME, _plan, is_off=True)
