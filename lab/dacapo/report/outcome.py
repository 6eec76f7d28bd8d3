"""What a check or a verification showed, as other programs want it: cases, and causes with a level.

`junit`, `sarif` and `github` print it. None of them knows how it was found.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from dacapo.process.source_lines import Place
from dacapo.verify.deploy_check import CheckResult
from dacapo.verify.findings import Certainty, Finding, Report, Verdict
from dacapo.verify.rules import rules

NOT_VERIFIED = "not-verified"
"""Code of a cause that is about the check, and not about the handler: nothing is known of it."""


class Level(StrEnum):
    """The severity of a cause, in SARIF's words."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "note"


LEVELS = {
    Certainty.PROVED: Level.ERROR,
    Certainty.SUSPECTED: Level.WARNING,
    Certainty.LINT: Level.NOTICE,
}


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong, however many executions show it.

    Parameters:
        code: the finding's code, or `NOT_VERIFIED`.
        message: what was seen.
        place: the line of the user's code; None if there is none to name.
        cases: the names of the executions that show it, without repetition.
        fix: what to do about it; "" if nothing is known.
    """

    code: str
    level: Level
    message: str
    place: Place | None = None
    cases: tuple[str, ...] = ()
    fix: str = ""

    @property
    def title(self) -> str:
        """The code, and how many executions show it."""
        count = len(self.cases)
        return f"{self.code} in {count} executions" if count > 1 else self.code


@dataclass(frozen=True)
class Case:
    """One execution that was replayed, or one scenario that was verified.

    Parameters:
        name: its file, the ARN of the execution, or the scenario's name.
        causes: what is wrong with it.
    """

    name: str
    verdict: Verdict
    causes: tuple[Cause, ...] = ()

    @property
    def is_good(self) -> bool:
        """True if nothing is proved, and everything was tried."""
        return self.verdict is Verdict.SURVIVES


@dataclass(frozen=True)
class Outcome:
    """The outcome of a command.

    Parameters:
        command: `check` or `verify`.
        target: the handler or scenario, as the user names it.
        exit_status: the command's.
        cases: in the order of the histories.
        causes: each once, the worst first.
        place: the handler's first line, for a cause that has none; None if it is not known.
    """

    command: str
    target: str
    exit_status: int
    cases: Sequence[Case]
    causes: Sequence[Cause]
    place: Place | None = None

    @property
    def summary(self) -> str:
        """The outcome in one sentence."""
        good, total = sum(case.is_good for case in self.cases), len(self.cases)
        what = "executions" if self.command == "check" else "scenarios"
        return f"{self.target}: {good} of {total} {what} survive"


def cause_of(finding: Finding, cases: Sequence[str] = ()) -> Cause:
    """Return a finding as a cause, with what to do about it.

    Parameters:
        cases: the names of the executions that show it.
    """
    level, fix = LEVELS[finding.certainty], rules()[finding.code].fix
    return Cause(finding.code, level, finding.message, finding.place, tuple(cases), fix)


def unverified(message: str, place: Place | None = None, cases: Sequence[str] = ()) -> Cause:
    """Return the cause that says why nothing is known.

    Parameters:
        place: the line that failed; None if there is none to name.
        cases: the names of the executions that could not be checked.
    """
    return Cause(NOT_VERIFIED, Level.ERROR, message, place, tuple(cases))


@dataclass
class Grouping:
    """Collects causes: those that differ in nothing but the execution are one."""

    _groups: dict[tuple[object, ...], list[tuple[str, Cause]]] = field(default_factory=dict)

    def add(self, case: str, cause: Cause) -> None:
        """Add a cause that an execution shows."""
        # A line says more than a message, which may quote what differs between executions.
        key = (cause.code, cause.level, cause.place or cause.message)
        self._groups.setdefault(key, []).append((case, cause))

    def causes(self) -> list[Cause]:
        """Return each cause once, the worst first, and then the most frequent."""
        levels = list(Level)
        causes = [
            Cause(first.code, first.level, first.message, first.place, _names(group), first.fix)
            for group in self._groups.values()
            for _, first in group[:1]
        ]
        return sorted(causes, key=lambda one: (levels.index(one.level), -len(one.cases)))


def _names(group: Sequence[tuple[str, Cause]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name, _ in group))


def of_report(target: str, report: Report, exit_status: int, place: Place | None = None) -> Outcome:
    """Return the outcome of `dacapo verify`.

    Parameters:
        target: the scenario, as the user names it.
        exit_status: the command's.
        place: the handler's first line.
    """
    name = report.scenario or target
    causes = [cause_of(finding, [name]) for finding in report.findings]
    causes += [unverified(reason, cases=[name]) for reason in report.reasons]
    case = Case(name, report.verdict, tuple(causes))
    return Outcome("verify", target, exit_status, [case], causes, place)


def of_checks(
    target: str, results: Sequence[CheckResult], exit_status: int, place: Place | None = None
) -> Outcome:
    """Return the outcome of `dacapo check`.

    Parameters:
        target: the handler, as the user names it.
        results: for each history, named by its file or the execution's ARN.
        exit_status: the command's.
        place: the handler's first line.
    """
    grouping, cases = Grouping(), []
    for result in results:
        name, causes = _shown(result.name), _causes_of(result)
        cases.append(Case(name, result.verdict, tuple(causes)))
        for cause in causes:
            grouping.add(name, cause)
    return Outcome("check", target, exit_status, cases, grouping.causes(), place)


def _shown(name: str) -> str:
    return name if name.startswith("arn:") else Path(os.path.relpath(name)).as_posix()


def _causes_of(result: CheckResult) -> list[Cause]:
    causes = [cause_of(finding) for finding in result.findings]
    if result.failure:
        failure = result.failure
        causes.insert(0, unverified(f"a replay ended with {failure}", failure.place))
    if result.not_run and not result.findings:
        causes.append(unverified(result.not_run))
    return causes
