"""What the verifier found, for people: what is wrong, where, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dacapo.verify.advice import ADVICE, PAGE
from dacapo.verify.findings import PROVED, Finding, proved
from dacapo.verify.gate import Replayed
from dacapo.verify.report import Report


def show(report: Report, console: Console) -> None:
    """Print a report: the findings, the experiments, and the verdict last."""
    for number, finding in enumerate(report.findings, start=1):
        _show_finding(number, finding, console)
    console.print(_experiments(report))
    verdict = "does not survive replay" if report.proved else "survives replay, as far as was tried"
    _show_verdict(f"{report.scenario} {verdict}", report.findings, console)


def show_replayed(target: str, replayed: Mapping[str, Replayed], console: Console) -> None:
    """Print what replaying histories came to, one after the other, and the verdict last."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("history")
    table.add_column("points", justify="right")
    table.add_column("")
    for file, one in replayed.items():
        if one.findings:
            console.print(Text(file, "bold"))
        for number, finding in enumerate(one.findings, start=1):
            _show_finding(number, finding, console)
        table.add_row(file, str(one.points), "breaks" if one.proved else "survives")
    console.print(table)
    broken = sum(1 for one in replayed.values() if one.proved)
    verdict = f"breaks {broken} of {len(replayed)}" if broken else f"keeps all {len(replayed)}"
    found = [finding for one in replayed.values() for finding in one.findings]
    _show_verdict(f"{target} {verdict} histories", found, console)


def _show_verdict(verdict: str, found: Sequence[Finding], console: Console) -> None:
    certain = len(proved(found))
    style = "bold red" if certain else "bold green"
    counts = f"{certain} proved, {len(found) - certain} suspected"
    console.print(Text(f"\n{verdict}: {counts}", style))


def _show_finding(number: int, finding: Finding, console: Console) -> None:
    style = "red" if finding.certainty == PROVED else "yellow"
    console.print(Text(f"{number}  {finding.certainty}: {finding.code}", f"bold {style}"))
    if finding.place is not None:
        console.print(Text(f"   at    {finding.place}"), soft_wrap=True)
    advice = ADVICE[finding.code]
    for label, text in (
        ("seen", finding.message),
        *([("also", _in_short(finding.also))] if finding.also else []),
        ("rule", advice.rule),
        ("fix", advice.fix),
        ("more", f"{PAGE}#{finding.code}"),
    ):
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=8)
        grid.add_column()
        grid.add_row(f"   {label}", Text(text))
        console.print(grid)
    if finding.recorded != finding.replayed and finding.replayed:
        console.print(_traces(finding))
    console.print()


def _in_short(follows: Sequence[Finding]) -> str:
    counts = Counter(finding.code for finding in follows)
    names = (f"{code} ×{count}" if count > 1 else str(code) for code, count in counts.items())
    return ", ".join(names)


def _traces(finding: Finding) -> Table:
    table = Table(box=None, padding=(0, 3), header_style="dim")
    table.add_column("   recorded")
    table.add_column("replayed")
    for recorded, replayed in zip_longest(finding.recorded, finding.replayed, fillvalue=""):
        style = "" if recorded == replayed or not replayed else "red"
        table.add_row(f"   {recorded}", Text(replayed, style))
    return table


def _experiments(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("experiment")
    table.add_column("runs", justify="right")
    table.add_column("time", justify="right")
    table.add_column("")
    for name, experiment in report.experiments.items():
        time = f"{experiment.seconds * 1000:.0f} ms" if not experiment.not_run else ""
        why = f"not run: {experiment.not_run}" if experiment.not_run else ""
        runs = str(experiment.runs) if not experiment.not_run else "–"
        table.add_row(name, runs, time, Text(why, "yellow"))
    return table
