"""What to do about a change that executions in flight do not survive.

It is not what `verify` advises: the handler may be a good one, only not the one that they began
with. What helps depends on the change, and on whether they ever meet the new code.
"""

from __future__ import annotations

from collections.abc import Iterator

from dacapo.verify.deploy_check.results import LATEST, Group
from dacapo.verify.findings import Certainty, Code, Finding, Verdict
from dacapo.verify.rules import rules

_CHANGED = (
    *(Code.DIFFERENT_OPERATION, Code.NEVER_REACHED, Code.DIVERGENCE_SWALLOWED),
    *(Code.DIFFERENT_BODY, Code.ENDED_EARLY),
)
"""Findings that a change of the code is enough to cause."""
_SHAPES = (
    "read what the old code stored as well: its results and its event have the shape that it gave "
    "them"
)
_BRANCH = (
    "keep the old path for executions that began on it, and let a named step decide once, and "
    "record, which path an execution takes (src/patterns/versioned)"
)
_PIN = (
    "or let them finish on their own version: publish a version with each deployment, and invoke "
    "the function by an alias (AutoPublishAlias)"
)
_PAUSE = (
    "if it is deployed already: pause them (aws lambda pause-durable-execution) before they are "
    "invoked again, roll back, and resume them"
)
_NAMES = (
    "a name that is added now is a change as well: give names on a new path, or once no execution "
    "from before is in flight"
)


def advice(group: Group) -> list[str]:
    """Return what to do about a cause, the best first."""
    finding = group.finding
    if finding is None:
        return list(_about_failures(group))
    if finding.certainty is Certainty.SUSPECTED and finding.code is Code.UNNAMED_OPERATION:
        return [_NAMES]
    if finding.certainty is not Certainty.PROVED or finding.code not in _CHANGED:
        return [rules()[finding.code].fix]
    return [*_drain(group), *_in_code(finding), *_in_operation(group)]


def _about_failures(group: Group) -> Iterator[str]:
    if group.failure is not None:
        yield (
            "nothing is known of the code until this machine has what it needs: give variables "
            "with --env FILE or --template FILE, and install what the function's package holds"
        )


def _in_code(finding: Finding) -> Iterator[str]:
    if finding.code is Code.ENDED_EARLY:
        yield _SHAPES
        return
    if finding.old_name:
        yield (
            f"if it has only another name now, keep the old one, {finding.old_name!r}: a replay "
            "compares names"
        )
    yield _BRANCH


def _drain(group: Group) -> Iterator[str]:
    if group.verdicts[Verdict.DRAINS]:
        versions = ", ".join(version for version in group.versions if version != LATEST)
        plural = "s" if "," in versions else ""
        yield (
            f"let them finish: they stay on version{plural} {versions} to their end, so don't "
            "delete it before"
        )


def _in_operation(group: Group) -> Iterator[str]:
    if group.verdicts[Verdict.BREAKS]:
        yield _PIN
        yield _PAUSE
