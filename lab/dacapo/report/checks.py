"""Print what a deploy check showed: each cause once, the verdicts, and the conclusion last.

A thousand histories take no more room than ten: what does not fit is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dacapo.report.findings import STYLES, VERDICT_STYLES, in_short, suppressed_line
from dacapo.report.text import BAD, NOTICE
from dacapo.verify.deploy_check.advice import advice
from dacapo.verify.deploy_check.results import (
    CheckResult,
    Group,
    grouped,
    said,
    summed,
    worst,
)
from dacapo.verify.findings import Certainty, Verdict
from dacapo.verify.rules import explain_command

_MOST_GROUPS = 3
"""Causes that are shown in full."""
_MOST_SHORT = 6
"""Further causes that are shown in a line each."""
_MOST_ROWS = 10
"""Histories up to which each one has a line."""
_MOST_NAMES = 3
_PATHS = ("at", "in")
_VERDICTS = {
    Verdict.SURVIVES: "survives",
    Verdict.DRAINS: "is safe only on its own version",
    Verdict.BREAKS: "breaks",
    Verdict.NOT_VERIFIED: "is not verified",
}
_CONCLUSIONS = {
    Verdict.BREAKS: "breaks {count} of {all}",
    Verdict.DRAINS: "breaks nothing that meets it; {count} of {all} are safe only on their own "
    "version",
    Verdict.NOT_VERIFIED: "is not verified by {count} of {all}",
    Verdict.SURVIVES: "keeps all {all}",
}


def show(
    results: Sequence[CheckResult],
    notes: Sequence[str],
    machine: Mapping[str, str],
    console: Console,
) -> None:
    """Print what replaying histories showed.

    Parameters:
        notes: what the user should know of the check itself.
        machine: what the histories were replayed with: `sdk` and `python`, their versions.
    """
    console.print(Text(f"SDK {machine['sdk']}, Python {machine['python']}\n"))
    groups = grouped(results)
    for number, group in enumerate(groups[:_MOST_GROUPS], start=1):
        _show_group(number, group, len(results), console)
    for line in _further(groups[_MOST_GROUPS:]):
        console.print(Text(line))
    console.print(_rows(results) if len(results) <= _MOST_ROWS else _counts(results))
    for line in _suppressed(results):
        console.print(Text(line, NOTICE))
    for hint in notes:
        console.print(Text(f"\n{hint}", NOTICE))
    for target in dict.fromkeys(result.target for result in results):
        _conclude(target, [one for one in results if one.target == target], console)


def _show_group(number: int, group: Group, count: int, console: Console) -> None:
    style = STYLES[group.finding.certainty] if group.finding else BAD
    in_all = f", in {group.count:,} of {_histories(count)}" if count > 1 else ""
    console.print(Text(f"{number}  {_title(group)}{in_all}", f"bold {style}"))
    for label, text in _lines(group):
        if label in _PATHS:  # in one line, however long, so that they can be copied
            console.print(Text(f"   {label:6}{text}"), soft_wrap=True)
            continue
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=8)
        grid.add_column(overflow="fold")
        grid.add_row(f"   {label}", Text(text))
        console.print(grid)
    console.print()


def _title(group: Group) -> str:
    if group.finding:
        return f"{group.finding.certainty}: {group.finding.code}"
    return "a replay failed" if group.failure else "not replayed"


def _lines(group: Group) -> Iterator[tuple[str, str]]:
    finding, failure = group.finding, group.failure
    place = (finding and finding.place) or (failure and failure.place)
    if place:
        yield "at", str(place)
    if failure:
        yield "seen", str(failure)
    if group.reason:
        yield "seen", group.reason
    if finding:
        yield "seen", said(finding.message)
        yield from (("also", line) for line in in_short(finding.also))
    yield "in", _named(group.names)
    yield from (("fix", text) for text in advice(group))
    if finding:
        yield "more", explain_command(finding.code)


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown}, and {more} more" if more > 0 else shown


def _further(groups: Sequence[Group]) -> Iterator[str]:
    for group in groups[:_MOST_SHORT]:
        place = group.finding.place if group.finding else None
        at = f" at {place}" if place else ""
        yield f"also {_title(group)}{at}, in {_histories(group.count)}"
    if len(groups) > _MOST_SHORT:
        yield f"also {len(groups) - _MOST_SHORT} further causes: --format json has them"
    if groups:
        yield ""


def _rows(results: Sequence[CheckResult]) -> Table:
    table = _table("history", "version", "points", "")
    for one in results:
        points = one.sampled.replace(" points", "") or str(one.points)
        table.add_row(one.name, one.version or "–", points, _VERDICTS[one.verdict])
    return table


def _counts(results: Sequence[CheckResult]) -> Table:
    """Return a line for each function: how many of its histories have each verdict."""
    table = _table("function", "histories", "safe", "drain", "break", "unknown")
    for target in dict.fromkeys(one.target for one in results):
        counts = summed(one for one in results if one.target == target)
        numbers = [counts.total(), *(counts[verdict] for verdict in _VERDICTS)]
        table.add_row(target, *(f"{number:,}" for number in numbers))
    return table


def _histories(count: int) -> str:
    return "1 history" if count == 1 else f"{count:,} histories"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _suppressed(results: Sequence[CheckResult]) -> list[str]:
    lines = Counter(suppressed_line(one) for result in results for one in result.suppressed)
    return [f"{line} ({_histories(count)})" if count > 1 else line for line, count in lines.items()]


def conclusion(target: str, results: Sequence[CheckResult]) -> str:
    """Return what the histories show of their handler, in a few words."""
    verdict = worst(results)
    count, every = f"{summed(results)[verdict]:,}", _histories(len(results))
    return f"{target} {_CONCLUSIONS[verdict].format(count=count, all=every)}"


def _conclude(target: str, results: Sequence[CheckResult], console: Console) -> None:
    kinds = Counter(group.finding.certainty for group in grouped(results) if group.finding)
    lints = kinds[Certainty.LINT]
    counts = f"{kinds[Certainty.PROVED]} proved, {kinds[Certainty.SUSPECTED]} suspected"
    counts += f", {lints} lint{'' if lints == 1 else 's'}"
    style = f"bold {VERDICT_STYLES[worst(results)]}"
    console.print(Text(f"\n{conclusion(target, results)}: {counts}", style))
