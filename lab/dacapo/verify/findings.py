"""What experiments see, what it shows, and the report of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from dacapo.process.source_lines import Place


class Certainty(StrEnum):
    """The certainty of a finding; see `dacapo.verify.triage`, which decides it."""

    PROVED = "proved"
    SUSPECTED = "suspected"


class Evidence(StrEnum):
    """The grounds of an observation."""

    DIFFERENCE = "two runs that must agree do not"
    RULE = "the run breaks a rule that holds by itself"
    REPETITION = "a side effect happens again on replay"
    SIGHTING = "seen, without a consequence that was seen"
    NEAR_LIMIT = "close to a limit, or may be without one"


class ExperimentName(StrEnum):
    """The experiments; these names are stable."""

    REFERENCE_RUN = "reference run"
    SINGLE_INVOCATION = "single invocation"
    SUSPENDED = "suspended everywhere"
    CRASHED = "crashed everywhere"
    REPLAYED = "replayed"
    INTERLEAVINGS = "interleavings"
    FRESH_PROCESS = "fresh process"


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
    DIVERGENCE_SWALLOWED = "divergence-swallowed"
    SUSPENSION_SWALLOWED = "suspension-swallowed"
    EFFECT_OUTSIDE_STEP = "effect-outside-step"
    EFFECT_REPEATED = "effect-repeated"
    CLOCK_OUTSIDE_STEP = "clock-outside-step"
    RANDOMNESS_OUTSIDE_STEP = "randomness-outside-step"
    ENVIRONMENT_OUTSIDE_STEP = "environment-outside-step"
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


@dataclass(frozen=True)
class Observation:
    """Something that an experiment saw, before it is decided what it shows.

    Parameters:
        evidence: what it rests on.
        message: what was seen.
        place: the line of the user's code; None if there is none to name.
        recorded, replayed: the two traces that differ, line by line; empty if it is not about that.
    """

    code: Code
    evidence: Evidence
    message: str
    experiment: ExperimentName
    place: Place | None = None
    recorded: tuple[str, ...] = field(default=(), compare=False)
    replayed: tuple[str, ...] = field(default=(), compare=False)


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
        certainty: `proved` if a run showed it, `suspected` if it changed nothing that was seen.
        message: what was seen.
        experiment: which experiment saw it.
        place: the line of the user's code; None if there is none to name.
        recorded, replayed: the two traces that differ, line by line; empty if it is not about that.
        also: what else was seen that this explains.
    """

    code: Code
    certainty: Certainty
    message: str
    experiment: ExperimentName
    place: Place | None = None
    recorded: tuple[str, ...] = field(default=(), compare=False)
    replayed: tuple[str, ...] = field(default=(), compare=False)
    also: tuple[Finding, ...] = field(default=(), compare=False)


def shorten(text: str | None, most: int = 60) -> str:
    """Shorten a payload for people.

    Parameters:
        most: characters that are shown.
    """
    text = text or "nothing"
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def proved(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that a run showed."""
    return [finding for finding in findings if finding.certainty is Certainty.PROVED]


@dataclass
class ExperimentResult:
    """A record of what one experiment did.

    Parameters:
        runs: how often the handler was run, or replayed.
        seconds: real time.
        not_run: why it was not run; "" if it was.
        skipped: comparisons that were not made: how many runs, by reason.
    """

    runs: int = 0
    seconds: float = 0.0
    not_run: str = ""
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass
class Report:
    """The result of verifying a scenario.

    Parameters:
        scenario: the scenario's name.
        experiments: what was done, by the name of the experiment, in their order.
        findings: each thing that is wrong once, what is proved first.
    """

    scenario: str
    experiments: dict[str, ExperimentResult] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def proved(self) -> list[Finding]:
        """The findings that a run showed."""
        return proved(self.findings)
