"""Print findings for people: what is wrong, where, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dacapo.verify.deploy_check import CheckResult
from dacapo.verify.findings import Certainty, Code, ExperimentResult, Finding, Report, proved
from dacapo.verify.rules import explain_command, rules


def show(report: Report, console: Console) -> None:
    """Print a report: the findings, the experiments, and the verdict last."""
    for number, finding in enumerate(report.findings, start=1):
        _show_finding(number, finding, console)
    console.print(_experiments(report))
    _show_verdict(f"{report.scenario} {_verdict(report)}", report.findings, console)


def _verdict(report: Report) -> str:
    if report.proved:
        return "does not survive replay"
    if _timed_out(report.findings):
        return "exceeds the function's timeout, so not all was tried"
    return "survives replay, as far as was tried"


def _timed_out(findings: Sequence[Finding]) -> bool:
    return any(finding.code is Code.INVOCATION_TIMED_OUT for finding in findings)


def show_checked(target: str, results: Sequence[CheckResult], console: Console) -> None:
    """Print what replaying histories showed, one after the other, and the verdict last."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("history")
    table.add_column("points", justify="right")
    table.add_column("")
    for result in results:
        if result.findings:
            console.print(Text(result.name, "bold"))
        for number, finding in enumerate(result.findings, start=1):
            _show_finding(number, finding, console)
        table.add_row(result.name, str(result.points), "breaks" if result.proved else "survives")
    console.print(table)
    broken = sum(1 for result in results if result.proved)
    verdict = f"breaks {broken} of {len(results)}" if broken else f"keeps all {len(results)}"
    findings = [finding for result in results for finding in result.findings]
    _show_verdict(f"{target} {verdict} histories", findings, console)


def _show_verdict(verdict: str, findings: Sequence[Finding], console: Console) -> None:
    certain = len(proved(findings))
    style = "red" if certain else "yellow" if _timed_out(findings) else "green"
    counts = f"{certain} proved, {len(findings) - certain} suspected"
    console.print(Text(f"\n{verdict}: {counts}", f"bold {style}"))


def _show_finding(number: int, finding: Finding, console: Console) -> None:
    style = "red" if finding.certainty is Certainty.PROVED else "yellow"
    console.print(Text(f"{number}  {finding.certainty}: {finding.code}", f"bold {style}"))
    if finding.place is not None:
        console.print(Text(f"   at    {finding.place}"), soft_wrap=True)
    rule = rules()[finding.code]
    for label, text in (
        ("seen", finding.message),
        *([("also", _in_short(finding.also))] if finding.also else []),
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
        why = f"not run: {experiment.not_run}" if experiment.not_run else _not_compared(experiment)
        runs = str(experiment.runs) if not experiment.not_run else "–"
        table.add_row(name, runs, time, Text(why, "yellow"))
    return table


def _not_compared(experiment: ExperimentResult) -> str:
    return "; ".join(
        f"{count} not compared: {reason}" for reason, count in experiment.skipped.items()
    )
