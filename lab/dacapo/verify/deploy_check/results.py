"""What replaying histories showed: a verdict for each execution, and each cause once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dacapo.verify.findings import (
    Certainty,
    Code,
    Ending,
    Finding,
    Suppressed,
    Verdict,
    only,
)

LATEST = "$LATEST"
"""The version whose code changes: an execution on a number keeps its code."""
_POINT = re.compile(r"^replayed (from the start|after '.*?' \([A-Z_]+\)): ")
_NUMBER = re.compile(r"\d+")
_BY_TEXT = (Code.NEVER_REACHED,)
"""Findings whose line is where the handler went instead, which varies."""


@dataclass(frozen=True)
class CheckResult:
    """The result of replaying one history.

    Parameters:
        name: the history's file, or the ARN of its execution.
        points: from how many points it was replayed.
        findings: what is wrong: what is proved first, then what is suspected, then lints.
        failure: the exception with which a replay failed for want of something on this machine, so
            that nothing is known of the code; None if none did.
        suppressed: findings that the user accepts, which do not count.
        not_run: why it was not replayed from the other points; "" if it was from all.
        damage: why its history can't be replayed at all; "" if it can.
        version: the version that the execution runs on, a number or `$LATEST`; "" if it is unknown.
        is_running: whether the execution is in flight; one that has ended stands for others.
        known_points: how many points its history has.
        target: the handler that it was replayed in, as the user names it.
    """

    name: str
    points: int = 0
    findings: list[Finding] = field(default_factory=list)
    failure: Ending | None = None
    suppressed: list[Suppressed] = field(default_factory=list)
    not_run: str = ""
    damage: str = ""
    version: str = ""
    is_running: bool = False
    known_points: int = 0
    target: str = ""

    @property
    def proved(self) -> list[Finding]:
        """The findings that a replay showed: in this code, the execution would not survive."""
        return only(self.findings, Certainty.PROVED)

    @property
    def lints(self) -> list[Finding]:
        """The findings about style and bounds."""
        return only(self.findings, Certainty.LINT)

    @property
    def keeps_version(self) -> bool:
        """True if the execution never meets new code: a published version never changes."""
        return self.version not in ("", LATEST)

    @property
    def verdict(self) -> Verdict:
        """The verdict on this execution.

        `breaks` if it would not survive this code; `drains` if so, but it finishes on a version of
        its own; `survives` if it would.
        """
        if self.proved:
            return Verdict.DRAINS if self.keeps_version else Verdict.BREAKS
        is_unknown = self.failure or self.not_run or self.damage
        return Verdict.NOT_VERIFIED if is_unknown else Verdict.SURVIVES

    @property
    def sampled(self) -> str:
        """The part that was replayed, such as "20 of 69 points"; "" if nothing was."""
        # An execution in flight is at one point of its history: the last one.
        if self.is_running or self.points >= self.known_points or self.not_run or self.damage:
            return ""
        return f"{self.points} of {self.known_points} points"


@dataclass(frozen=True)
class Group:
    """One cause, and the executions that it concerns.

    Parameters:
        finding: as the first of them showed it; None for a failure or a reason.
        failure: the exception with which replays failed; None if it is not about one.
        reason: why histories were not replayed, or not from all points; "" if it is not about that.
        target: the handler.
        names: the executions: files, or ARNs.
        verdicts: how many of them have each verdict.
        versions: the versions that they run on, without "".
    """

    target: str
    names: list[str]
    verdicts: Counter[Verdict]
    finding: Finding | None = None
    failure: Ending | None = None
    reason: str = ""
    versions: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """The number of executions that it concerns."""
        return len(self.names)


def grouped(results: Iterable[CheckResult]) -> list[Group]:
    """Return each cause once: exceptions first, then what is proved, suspected, and lints."""
    members: dict[Any, list[tuple[CheckResult, dict[str, Any]]]] = {}
    for result in results:
        for key, what in _causes(result):
            members.setdefault((result.target, *key), []).append((result, what))
    groups = [_group([one for one, _ in group], group[0][1]) for group in members.values()]
    return sorted(groups, key=_rank)


def summed(results: Iterable[CheckResult]) -> Counter[Verdict]:
    """Return how many executions have each verdict."""
    return Counter(result.verdict for result in results)


def worst(results: Sequence[CheckResult]) -> Verdict:
    """Return the verdict on all executions together: the worst one."""
    verdicts = {result.verdict for result in results}
    order = (Verdict.BREAKS, Verdict.DRAINS, Verdict.NOT_VERIFIED)
    return next((one for one in order if one in verdicts), Verdict.SURVIVES)


def said(message: str) -> str:
    """Return what a finding says, without the point at which it was seen."""
    return _POINT.sub("", message)


def _causes(result: CheckResult) -> Iterable[tuple[tuple[Any, ...], dict[str, Any]]]:
    if result.damage:
        text = result.damage.removeprefix(f"{result.name} ")
        yield ("damage", _NUMBER.sub("#", text)), {"reason": text}
    if result.failure:
        failure = result.failure
        yield ("failure", failure.error_type, failure.place), {"failure": failure}
    if result.not_run and not result.findings:
        yield ("reason", result.not_run), {"reason": result.not_run}
    for finding in result.findings:
        yield _key(finding), {"finding": finding}


def _key(finding: Finding) -> tuple[Any, ...]:
    if finding.place is not None and finding.code not in _BY_TEXT:
        return finding.code, finding.certainty, finding.place
    return finding.code, finding.certainty, _NUMBER.sub("#", said(finding.message))


def _group(results: list[CheckResult], what: dict[str, Any]) -> Group:
    versions = dict.fromkeys(result.version for result in results if result.version)
    names = [result.name for result in results]
    return Group(results[0].target, names, summed(results), versions=tuple(versions), **what)


def _rank(group: Group) -> tuple[int, int]:
    if group.finding is None:
        return (1 if group.reason else 0), -group.count
    return 2 + list(Certainty).index(group.finding.certainty), -group.count
