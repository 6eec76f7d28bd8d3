"""What experiments see, what it shows, and the report of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from dacapo.history.endings import short_type
from dacapo.history.recording import Cause
from dacapo.process.source_lines import Place
from dacapo.service.execution import ExecutionStatus


class Certainty(StrEnum):
    """The certainty of a finding; see `dacapo.verify.triage`, which decides it."""

    PROVED = "proved"
    SUSPECTED = "suspected"
    LINT = "lint"


class Evidence(StrEnum):
    """The grounds of an observation."""

    DIFFERENCE = "two runs that must agree do not"
    RULE = "the run breaks a rule that holds by itself"
    REPETITION = "a side effect happens again on replay"
    SIGHTING = "seen, without a consequence that was seen"
    NEAR_LIMIT = "close to a limit, or may be without one"
    LINT = "a rule of good style; no run shows harm"


class ExperimentName(StrEnum):
    """The experiments; these names are stable."""

    REFERENCE_RUN = "reference run"
    SINGLE_INVOCATION = "single invocation"
    SUSPENDED = "suspended everywhere"
    CRASHED = "crashed everywhere"
    REPLAYED = "replayed"
    INTERLEAVINGS = "interleavings"
    COLD = "cold"
    OUTAGES = "outages"


class Code(StrEnum):
    """The kinds of findings; these names are stable."""

    DIFFERENT_OPERATION = "different-operation"
    DIFFERENT_BODY = "different-body"
    DIFFERENT_WAIT = "different-wait"
    DIFFERENT_CALLBACK = "different-callback"
    DIFFERENT_INVOKE = "different-invoke"
    DIFFERENT_RESULT = "different-result"
    DIFFERENT_EFFECTS = "different-effects"
    ENDED_EARLY = "ended-early"
    NEVER_REACHED = "never-reached"
    INVARIANT_BROKEN = "invariant-broken"
    DIVERGENCE_SWALLOWED = "divergence-swallowed"
    SUSPENSION_SWALLOWED = "suspension-swallowed"
    EFFECT_OUTSIDE_STEP = "effect-outside-step"
    EFFECT_REPEATED = "effect-repeated"
    CLOCK_OUTSIDE_STEP = "clock-outside-step"
    RANDOMNESS_OUTSIDE_STEP = "randomness-outside-step"
    ENVIRONMENT_OUTSIDE_STEP = "environment-outside-step"
    SLEEP_OUTSIDE_STEP = "sleep-outside-step"
    OPERATION_IN_STEP = "operation-in-step"
    PARENT_CONTEXT = "parent-context"
    DIFFERENT_THREAD = "different-thread"
    NEVER_CAUGHT = "never-caught"
    CHANGED_BY_SERDES = "changed-by-serdes"
    RAN_TWICE = "ran-twice"
    DIED = "died"
    STUCK = "stuck"
    INVOCATION_TIMED_OUT = "invocation-timed-out"
    PAYLOAD_TOO_LARGE = "payload-too-large"
    MANY_OPERATIONS = "many-operations"
    MANY_BYTES = "many-bytes"
    TIMEOUT_TOO_LONG = "timeout-too-long"
    UNNAMED_OPERATION = "unnamed-operation"
    UNBOUNDED_WAIT = "unbounded-wait"
    INVOKES_LEFT_RUNNING = "invokes-left-running"
    PROCESS_STATE = "process-state"
    EFFECT_MAY_REPEAT = "effect-may-repeat"
    CONTEXT_OUTSIDE_STEP = "context-outside-step"
    ORDER_OUTSIDE_STEP = "order-outside-step"
    QUERY_OUTSIDE_STEP = "query-outside-step"
    OUTAGE_NOT_SURVIVED = "outage-not-survived"


@dataclass(frozen=True)
class Observation:
    """Something that an experiment saw, before it is decided what it shows.

    Parameters:
        evidence: what it rests on.
        message: what was seen.
        place: the line of the user's code; None if there is none to name.
        recorded, replayed: the two traces that differ, line by line; empty if it is not about that.
        subject: what it is about, if one line can have several of its kind.
        old_name: the recorded name of an operation of the same kind in this place; "" if it has
            none, or that is not what it is about.
        only_in_replays: whether only a replay comes to this line's operation as it did, so that
            another line of the kind says more.
    """

    code: Code
    evidence: Evidence
    message: str
    experiment: ExperimentName
    place: Place | None = None
    recorded: tuple[str, ...] = field(default=(), compare=False)
    replayed: tuple[str, ...] = field(default=(), compare=False)
    subject: str = ""
    old_name: str = field(default="", compare=False)
    only_in_replays: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Skipped:
    """A comparison that was not made.

    Parameters:
        reason: why the two runs cannot be compared.
    """

    reason: str


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a handler, or may be.

    Parameters:
        certainty: `proved` if a run showed it, `suspected` if it changed nothing that was seen,
            `lint` if it is about style or bounds, which no run has to prove.
        message: what was seen.
        experiment: which experiment saw it.
        place: the line of the user's code; None if there is none to name.
        recorded, replayed: the two traces that differ, line by line; empty if it is not about that.
        also: what else was seen that this explains.
        old_name: see `Observation`.
    """

    code: Code
    certainty: Certainty
    message: str
    experiment: ExperimentName
    place: Place | None = None
    recorded: tuple[str, ...] = field(default=(), compare=False)
    replayed: tuple[str, ...] = field(default=(), compare=False)
    also: tuple[Finding, ...] = field(default=(), compare=False)
    old_name: str = field(default="", compare=False)


def shorten(text: str | None, most: int = 60) -> str:
    """Shorten a payload for people.

    Parameters:
        most: characters that are shown.
    """
    text = text or "nothing"
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def contrast(one: str | None, other: str | None, most: int = 60) -> tuple[str, str]:
    """Shorten two payloads for people, to the part in which they differ.

    Parameters:
        most: characters that are shown of each.
    """
    one, other = one or "nothing", other or "nothing"
    if max(len(one), len(other)) <= most or one == other:
        return shorten(one, most), shorten(other, most)
    pairs = enumerate(zip(one, other, strict=False))
    parted = next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
    start = max(0, parted - most // 3)
    return _window(one, start, most), _window(other, start, most)


def _window(text: str, start: int, most: int) -> str:
    shown = f"{'…' if start else ''}{text[start : start + most]}"
    return shown if len(text) <= start + most else f"{shown}… ({len(text):,} characters)"


def only(findings: Iterable[Finding], certainty: Certainty) -> list[Finding]:
    """Return the findings that are so certain."""
    return [finding for finding in findings if finding.certainty is certainty]


class ExperimentState(StrEnum):
    """The state of an experiment."""

    RAN = "made"
    NOT_APPLICABLE = "not applicable"
    LEFT_OUT = "left out"
    WAIVED = "waived"
    OFF = "off"


@dataclass
class ExperimentResult:
    """A record of what one experiment did.

    Parameters:
        runs: how often the handler was run, or replayed.
        seconds: real time.
        state: `left out` if it was not asked for, cannot be made or was stopped; `waived` if it was
            left out for a reason that the user gives; `off` if it is made only when asked for.
        reason: why it was not made; "" if it was.
        sampled: what was sampled, such as "40 of 2,901 points"; "" if everything was tried.
        skipped: comparisons that were not made: how many runs, by reason.
        outages: what came of each outage, in the order in which they were tried.
    """

    runs: int = 0
    seconds: float = 0.0
    state: ExperimentState = ExperimentState.RAN
    reason: str = ""
    sampled: str = ""
    skipped: Counter[str] = field(default_factory=Counter)
    outages: list[OutageOutcome] = field(default_factory=list)


@dataclass(frozen=True)
class Ending:
    """The end of the reference run.

    Parameters:
        status: the execution's status; `RUNNING` if it never ends.
        error_type, message: its error; "" if it has none.
        place: the line of the user's code that raised the error, or the handler's first line.
        is_expected: whether the scenario expects this ending.
        cause: the exception in an operation that the error stands for; None if there is none.
    """

    status: str
    error_type: str = ""
    message: str = ""
    place: Place | None = None
    is_expected: bool = True
    cause: Cause | None = None

    @property
    def sentence(self) -> str:
        """The ending as the end of a sentence about the run."""
        is_ended = self.status != ExecutionStatus.RUNNING
        return f"ended with {self}" if is_ended else f"did not end: {self.message}"

    def __str__(self) -> str:
        """Say it in one line."""
        error = ": ".join(part for part in (short_type(self.error_type), self.message) if part)
        where = f" ({self.place})" if error and self.place else ""
        if self.cause:
            where += f", from {self.cause.name} ({self.cause.place})"
        return f"{self.status}, {error}{where}" if error else self.status


class OutageResult(StrEnum):
    """The result of a run with an outage, from the best to the worst."""

    NOT_HIT = "not hit"
    SAME = "same"
    LATER = "later"
    """The execution ends as the reference run does, at a later time."""
    ALLOWED = "allowed"
    """It ends in another way, which the scenario's `outage_endings` allow."""
    DIFFERENT = "different"
    INVARIANT_BROKEN = "invariant broken"
    UNPLAYABLE = "unplayable"
    """The scenario itself fails: one of its external events, for example."""


@dataclass(frozen=True)
class OutageOutcome:
    """The consequence of one outage.

    Parameters:
        service: the service that was out, as in `boto3.client(SERVICE)`.
        lasts: for how long, in virtual time.
        kind: how its calls failed; see `OutageKind`.
        operation: path of the operation with which it began, or its ID if others have that path.
        failed: how many attempts of calls it failed.
        ending: how the execution ended.
        delay: how much later than the reference run it ended; None if one of them did not end.
        broken: how the scenario's invariant is broken; "" if it holds.
    """

    service: str
    lasts: timedelta
    kind: str
    operation: str
    result: OutageResult
    failed: int = 0
    ending: Ending | None = None
    delay: timedelta | None = None
    broken: str = ""

    @property
    def event(self) -> str:
        """The outage as an external event of a scenario."""
        lasts = f"timedelta(seconds={self.lasts.total_seconds():g})"
        start = f'from_operation="{self.operation}", lasts={lasts}'
        return f'outage("{self.service}", {start}, kind="{self.kind}")'


class Verdict(StrEnum):
    """The conclusion of a report."""

    SURVIVES = "survives"
    BREAKS = "breaks"
    DRAINS = "drains"
    """Of a deploy check: safe only on the version that the execution runs on, which it keeps."""
    NOT_VERIFIED = "not verified"


@dataclass(frozen=True)
class Suppressed:
    """A finding that the user accepts.

    Parameters:
        reason: the user's.
    """

    finding: Finding
    reason: str


@dataclass
class Report:
    """The result of verifying a scenario.

    Parameters:
        scenario: the scenario's name.
        experiments: what was done, by the name of the experiment, in their order.
        findings: each thing that is wrong once: what is proved first, then what is suspected, then
            lints; each with what follows from it.
        ending: how the reference run ended.
        expected: the ending that the scenario expects.
        control: what already two equal runs differ in, so that nothing can be said of others.
        suppressed: findings that the user accepts, which do not count.
        unused_suppressions: suppressions that suppress nothing any more.
        mistakes: suppressions that are not valid, and suppress nothing.
    """

    scenario: str
    experiments: dict[str, ExperimentResult] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    ending: Ending = field(default_factory=lambda: Ending("SUCCEEDED"))
    expected: str = "SUCCEEDED"
    control: list[str] = field(default_factory=list)
    suppressed: list[Suppressed] = field(default_factory=list)
    unused_suppressions: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    @property
    def proved(self) -> list[Finding]:
        """The findings that a run showed."""
        return only(self.findings, Certainty.PROVED)

    @property
    def suspected(self) -> list[Finding]:
        """The findings that changed nothing that was seen."""
        return [one for one in self.findings if one.certainty is Certainty.SUSPECTED]

    @property
    def lints(self) -> list[Finding]:
        """The findings about style and bounds."""
        return only(self.findings, Certainty.LINT)

    @property
    def reasons(self) -> list[str]:
        """The reasons why the handler is not verified; empty if it is."""
        reasons = []
        if not self.ending.is_expected:
            reasons.append(f"the run {self.ending.sentence}; expected: {self.expected}")
        if any(finding.code is Code.INVOCATION_TIMED_OUT for finding in self.suspected):
            reasons.append("it exceeds the function's timeout, so not all was compared")
        reasons.extend(f"two equal runs differ: {what}" for what in self.control)
        reasons.extend(
            f"{name!r} was left out: {result.reason}"
            for name, result in self.experiments.items()
            if result.state is ExperimentState.LEFT_OUT
        )
        return reasons

    @property
    def verdict(self) -> Verdict:
        """`breaks` if something is proved, `survives` if nothing is and everything was tried."""
        if self.proved:
            return Verdict.BREAKS
        return Verdict.NOT_VERIFIED if self.reasons else Verdict.SURVIVES
