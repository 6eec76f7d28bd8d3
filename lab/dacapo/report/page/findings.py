"""Findings of `dacapo verify` on a page: in place, at the line that each of them names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dacapo.process.source_lines import Place
from dacapo.report.page.model import Execution, Remark, Source
from dacapo.verify.findings import Finding
from dacapo.verify.rules import rules


def with_findings(execution: Execution, findings: Sequence[Finding]) -> Execution:
    """Return an execution with findings at its lines.

    Parameters:
        execution: a run of the handler that was verified.
        findings: what was found, as `dacapo.verify` reports it.
    """
    shown = [_remark(finding, execution.source) for finding in findings]
    return replace(execution, findings=shown)


def _remark(finding: Finding, source: Source | None) -> Remark:
    rule = rules()[finding.code]
    return Remark(
        code=finding.code.value,
        certainty=str(finding.certainty),
        message=finding.message,
        place=str(finding.place or ""),
        line=_line(finding.place, source),
        recorded=finding.recorded,
        replayed=finding.replayed,
        rule=" ".join(rule.rule.split()),
        fix=" ".join(rule.fix.split()),
    )


def _line(place: Place | None, source: Source | None) -> int | None:
    """Return the line of a place, if it is in the source that is shown."""
    if place is None or source is None or Path(source.file).resolve() != Path(place.file).resolve():
        return None
    blocks = (range(one.first, one.first + len(one.lines)) for one in source.blocks)
    return place.line if any(place.line in block for block in blocks) else None
