"""What a check or a verification showed, as other programs want it: cases, and causes with a level.

`junit`, `sarif` and `github` print it. None of them knows how it was seen.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from dacapo.process.source_lines import Place
from dacapo.verify.deploy_check.advice import advice
from dacapo.verify.deploy_check.results import CheckResult, Group, grouped, said
from dacapo.verify.findings import Certainty, Finding, Report, Verdict
from dacapo.verify.rules import rules

NOT_VERIFIED = "not-verified"
"""Code of a cause that is about the check, and not about the handler: nothing is known of it."""
_DRAINS = "safe only on their own version"
_SOURCES = (Path(), Path("src"))
"""Where modules of a target are looked for."""


class Level(StrEnum):
    """The severity of a cause, in SARIF's words."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "note"


_LEVELS = {
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
        target: the handler or scenario, as the user names it.
        place: the line of the user's code; the handler's file if there is none to name; None if
            that is not known either.
        cases: the names of the executions that show it.
        fixes: what to do about it, the best first.
    """

    code: str
    level: Level
    message: str
    target: str = ""
    place: Place | None = None
    cases: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()

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
        target: the handler or scenario, as the user names it.
        causes: what is wrong with it.
    """

    name: str
    target: str
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
        exit_status: the command's.
        cases: in the order of the histories.
        causes: each once, the worst first.
    """

    command: str
    exit_status: int
    cases: Sequence[Case]
    causes: Sequence[Cause]

    @property
    def summary(self) -> str:
        """The outcome in one sentence."""
        verdicts = Counter(case.verdict for case in self.cases)
        things = "executions" if self.command == "check" else "scenarios"
        counts = [f"{verdicts[Verdict.SURVIVES]} of {len(self.cases)} {things} survive"]
        if verdicts[Verdict.DRAINS]:
            counts.append(f"{verdicts[Verdict.DRAINS]} are {_DRAINS}")
        if verdicts[Verdict.NOT_VERIFIED]:
            counts.append(f"{verdicts[Verdict.NOT_VERIFIED]} are not verified")
        return ", ".join(counts)


def from_root(file: str) -> str:
    """Return a path from the root of the repository, as GitHub wants it, in POSIX form.

    In a workflow, the environment says where that is; elsewhere it is the working directory.
    """
    return Path(os.path.relpath(file, os.environ.get("GITHUB_WORKSPACE") or ".")).as_posix()


def of_report(target: str, report: Report, exit_status: int) -> Outcome:
    """Return the outcome of `dacapo verify`.

    Parameters:
        target: the scenario, as the user names it.
        exit_status: the command's.
    """
    name = report.scenario or target
    causes = [_of_finding(finding, target, name) for finding in report.findings]
    causes += [
        Cause(NOT_VERIFIED, Level.ERROR, reason, target, _place_of(target), (name,))
        for reason in report.reasons
    ]
    return Outcome("verify", exit_status, [Case(name, target, report.verdict, (*causes,))], causes)


def of_checks(
    results: Sequence[CheckResult],
    exit_status: int,
    handlers: Mapping[str, str] = MappingProxyType({}),
) -> Outcome:
    """Return the outcome of `dacapo check`.

    Parameters:
        results: for each history, named by its file or the execution's ARN.
        exit_status: the command's.
        handlers: what the names of functions in pyproject.toml stand for.
    """
    causes = [_of_group(one, handlers.get(one.target, one.target)) for one in grouped(results)]
    of_case: dict[tuple[str, str], list[Cause]] = {}
    for cause in causes:
        for name in cause.cases:
            of_case.setdefault((cause.target, name), []).append(cause)
    cases = [
        Case(name, one.target, one.verdict, tuple(of_case.get((one.target, name), ())))
        for one in results
        for name in [_shown(one.name)]
    ]
    levels = list(Level)
    ranked = sorted(causes, key=lambda cause: (levels.index(cause.level), -len(cause.cases)))
    return Outcome("check", exit_status, cases, ranked)


def _of_finding(finding: Finding, target: str, name: str) -> Cause:
    return Cause(
        finding.code,
        _LEVELS[finding.certainty],
        finding.message,
        target,
        finding.place or _place_of(target),
        (name,),
        (rules()[finding.code].fix,),
    )


def _of_group(group: Group, handler: str) -> Cause:
    finding, failure = group.finding, group.failure
    place = (finding and finding.place) or (failure and failure.place) or _place_of(handler)
    names = tuple(dict.fromkeys(map(_shown, group.names)))
    common = group.target, place, names, tuple(advice(group))
    if finding is None:
        reason = f"a replay ended with {failure}" if failure else group.reason
        return Cause(NOT_VERIFIED, Level.ERROR, reason, *common)
    level, message = _LEVELS[finding.certainty], said(finding.message)
    if level is Level.ERROR and not group.verdicts[Verdict.BREAKS]:
        # Nobody has to mend anything, as long as the old version stays.
        level, message = Level.WARNING, f"{_DRAINS}: {message}"
    return Cause(finding.code, level, message, *common)


def _shown(name: str) -> str:
    return name if name.startswith("arn:") else Path(os.path.relpath(name)).as_posix()


def _place_of(target: str) -> Place | None:
    """Return the first line of a target's file; the target may be in no process that is left."""
    place = target.rpartition(":")[0] or target
    file = Path(place) if place.endswith(".py") else Path(*place.split(".")).with_suffix(".py")
    source = next((folder / file for folder in _SOURCES if (folder / file).is_file()), None)
    return Place(str(source.absolute()), 1) if source else None
