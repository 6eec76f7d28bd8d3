"""What the verifier found, for people: what is wrong, where, and what to do."""

from __future__ import annotations

from itertools import zip_longest

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dacapo.verify.advice import ADVICE, PAGE
from dacapo.verify.findings import PROVED, Finding
from dacapo.verify.report import Report


def show(report: Report, console: Console) -> None:
    """Print a report: the findings, the experiments, and the verdict last."""
    for number, finding in enumerate(report.findings, start=1):
        _show_finding(number, finding, console)
    console.print(_experiments(report))
    proved, suspected = len(report.proved), len(report.findings) - len(report.proved)
    verdict = "does not survive replay" if proved else "survives replay, as far as was tried"
    style = "bold red" if proved else "bold green"
    counts = f"{proved} proved, {suspected} suspected"
    console.print(Text(f"\n{report.scenario} {verdict}: {counts}", style))


def _show_finding(number: int, finding: Finding, console: Console) -> None:
    style = "red" if finding.certainty == PROVED else "yellow"
    console.print(Text(f"{number}  {finding.certainty}: {finding.code}", f"bold {style}"))
    if finding.place is not None:
        console.print(Text(f"   at    {finding.place}"), soft_wrap=True)
    advice = ADVICE[finding.code]
    for label, text in (
        ("seen", finding.message),
        *(("also", _in_short(other)) for other in finding.also),
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


def _in_short(finding: Finding) -> str:
    place = f" ({finding.place})" if finding.place else ""
    return f"{finding.code}: {finding.message}{place}"


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
