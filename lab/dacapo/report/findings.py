"""Print reports for people: how the run ended, what is wrong and where, and the verdict last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dacapo.report.text import BAD, GOOD, HINT, NOTICE, QUIET
from dacapo.verify.findings import (
    Certainty,
    ExperimentResult,
    ExperimentState,
    Finding,
    Report,
    Suppressed,
    Verdict,
)
from dacapo.verify.rules import explain_command, rules

STYLES = {Certainty.PROVED: BAD, Certainty.SUSPECTED: NOTICE, Certainty.LINT: HINT}
VERDICT_STYLES = {
    Verdict.SURVIVES: GOOD,
    Verdict.BREAKS: BAD,
    Verdict.DRAINS: NOTICE,
    Verdict.NOT_VERIFIED: NOTICE,
}
_VERDICTS = {
    Verdict.SURVIVES: "survives replay",
    Verdict.BREAKS: "breaks",
    Verdict.NOT_VERIFIED: "is not verified",
}
_PARTED = "▶"
"""Marks where two traces part."""
_AROUND = 4
"""Lines of two traces that are shown before they part."""
_MOST_LINES = 12


def show(report: Report, console: Console) -> None:
    """Print a report: the ending, the findings, the experiments, and the verdict last."""
    _show_ending(report, console)
    for number, finding in enumerate(report.findings, start=1):
        _show_finding(number, finding, console)
    if report.experiments:
        console.print(_experiments(report))
    _show_notes(report, console)
    _show_verdict(
        f"{report.scenario} {_VERDICTS[report.verdict]}",
        report.findings,
        VERDICT_STYLES[report.verdict],
        console,
    )
    for reason in (*report.reasons, *_waivers(report)):
        _show_item(reason, console)


def _show_ending(report: Report, console: Console) -> None:
    style = "bold" if report.ending.is_expected else f"bold {BAD}"
    expected = "" if report.ending.is_expected else f"; expected: {report.expected}"
    _show_line(f"the run {report.ending.sentence}{expected}", style, console)
    console.print()


def _show_notes(report: Report, console: Console) -> None:
    """Print what is suppressed, and what is wrong with suppressions."""
    notes = [
        *map(suppressed_line, report.suppressed),
        *(f"suppresses nothing any more: {unused}" for unused in report.unused_suppressions),
        *report.mistakes,
    ]
    if notes:
        console.print()
    for text in notes:
        _show_line(text, NOTICE, console)


def suppressed_line(one: Suppressed) -> str:
    """Return a suppressed finding as a line."""
    finding = one.finding
    return f"suppressed: {finding.code} ({finding.certainty}) {_at(finding)}: {one.reason}"


def _waivers(report: Report) -> list[str]:
    return [
        f"{name!r} is waived: {result.reason}"
        for name, result in report.experiments.items()
        if result.state is ExperimentState.WAIVED
    ]


def _show_verdict(verdict: str, findings: Sequence[Finding], style: str, console: Console) -> None:
    kinds = Counter(finding.certainty for finding in findings)
    lints = kinds[Certainty.LINT]
    counts = f"{kinds[Certainty.PROVED]} proved, {kinds[Certainty.SUSPECTED]} suspected"
    counts += f", {lints} lint{'' if lints == 1 else 's'}"
    console.print(Text(f"\n{verdict}: {counts}", f"bold {style}"))


def _show_line(text: str, style: str, console: Console) -> None:
    console.print(Text(text, style))


def _show_item(text: str, console: Console) -> None:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(" –", Text(text))
    console.print(grid)


def _show_finding(number: int, finding: Finding, console: Console) -> None:
    style = STYLES[finding.certainty]
    console.print(Text(f"{number}  {finding.certainty}: {finding.code}", f"bold {style}"))
    if finding.place is not None:
        console.print(Text(f"   at    {finding.place}"), soft_wrap=True)
    rule = rules()[finding.code]
    for label, text in (
        ("seen", finding.message),
        *(("also", line) for line in in_short(finding.also)),
        ("rule", rule.rule),
        ("fix", rule.fix),
        ("more", explain_command(finding.code)),
    ):
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=8)
        grid.add_column()
        grid.add_row(f"   {label}", Text(text))
        console.print(grid)
    if finding.recorded != finding.replayed and finding.replayed:
        console.print(_traces(finding))
    console.print()


def _at(finding: Finding) -> str:
    return f"at {finding.place}" if finding.place else "without a line"


def in_short(follows: Sequence[Finding]) -> list[str]:
    """Return what follows from a finding: each code once, with its lines."""
    lines = []
    for code in dict.fromkeys(finding.code for finding in follows):
        places = [str(one.place) for one in follows if one.code is code and one.place]
        where = f" at {', '.join(dict.fromkeys(places))}" if places else ""
        lines.append(f"{code}{where}")
    return lines


def _traces(finding: Finding) -> Table:
    """Return both traces side by side, from shortly before the line at which they part."""
    table = Table(box=None, padding=(0, 3), header_style=QUIET)
    table.add_column("")
    table.add_column("recorded")
    table.add_column("replayed")
    pairs = list(zip_longest(finding.recorded, finding.replayed, fillvalue=""))
    parted = next(n for n, (one, other) in enumerate(pairs) if one != other)
    first = max(0, parted - _AROUND)
    if first:
        table.add_row("", Text(f"… {first} alike", QUIET), Text(f"… {first} alike", QUIET))
    for number, (one, other) in enumerate(pairs[first : first + _MOST_LINES], first):
        style = BAD if number == parted else ""
        table.add_row(
            Text(_PARTED if number == parted else "", style), Text(one, style), Text(other, style)
        )
    left = len(pairs) - first - _MOST_LINES
    if left > 0:
        table.add_row("", Text(f"… {left} more", QUIET), Text(f"… {left} more", QUIET))
    return table


def _experiments(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("experiment")
    table.add_column("runs", justify="right")
    table.add_column("time", justify="right")
    table.add_column("")
    for name, result in report.experiments.items():
        if result.state is ExperimentState.OFF:
            continue  # nobody misses it
        if result.state is ExperimentState.RAN:
            time = f"{result.seconds * 1000:.0f} ms"
            table.add_row(name, str(result.runs), time, Text(_limits(result), NOTICE))
        else:
            table.add_row(name, "–", "", Text(f"{_STATES[result.state]}: {result.reason}", NOTICE))
    return table


_STATES = {
    ExperimentState.NOT_APPLICABLE: "not run",
    ExperimentState.LEFT_OUT: "left out",
    ExperimentState.WAIVED: "waived",
}


def _limits(result: ExperimentResult) -> str:
    """Return what an experiment did not try: points, and comparisons."""
    sampled = [f"sampled: {result.sampled}"] if result.sampled else []
    skipped = (f"{count} not compared: {reason}" for reason, count in result.skipped.items())
    return "; ".join([*sampled, *skipped])
