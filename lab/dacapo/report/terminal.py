"""The timeline of an execution in the terminal.

Virtual time runs across, operations go down. Below it, each invocation with what it read back
from the history and what it did anew; and what the execution costs.
"""

from __future__ import annotations

from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dacapo.recording import Recording
from dacapo.report.bill import bill, small_print
from dacapo.report.chart import GOOD_STATUSES, chart, label
from dacapo.report.durations import spell
from dacapo.service.execution import Invocation

FIRST_INVOCATIONS, LAST_INVOCATIONS = 3, 2
"""Invocations that are listed at either end, when there are too many to list them all."""
_BAR_WIDTH = 12
_READ_BACK, _NEW = "░", "█"


def show(recording: Recording, console: Console) -> None:
    """Print the timeline of a recording, as wide as the console is."""
    console.print(timeline(recording, console.width))


def timeline(recording: Recording, width: int) -> RenderableType:
    """The timeline of a recording.

    Parameters:
        width: columns of the terminal; it reads well from 80 on.
    """
    return Group(
        _title(recording),
        Text(),
        chart(recording, width),
        Text(),
        _invocations(recording, width),
        Text(),
        bill(recording),
        small_print(recording),
    )


def _title(recording: Recording) -> Text:
    name = " · ".join(filter(None, (recording.function, recording.scenario)))
    length = spell(timedelta(seconds=recording.virtual_seconds))
    title = Text.assemble((name, "bold"), "  ", _status(recording.status), f"  after {length}")
    if recording.error is not None:
        title.append(f"\n{recording.error.type or 'error'}: {recording.error.message}", "red")
    elif recording.output is not None:
        title.append(f"\n{recording.output}", "dim")
    return title


def _status(status: str) -> tuple[str, str]:
    return status, "bold green" if status in GOOD_STATUSES else "bold red"


def _invocations(recording: Recording, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1), width=width)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("at", no_wrap=True)
    table.add_column(f"{_READ_BACK} read back", width=_BAR_WIDTH, no_wrap=True)
    table.add_column(f"{_NEW} done anew", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("ends", no_wrap=True)
    total = len(recording.invocations)
    gap = total - FIRST_INVOCATIONS - LAST_INVOCATIONS
    for number, invocation in enumerate(recording.invocations, 1):
        if gap <= 1 or number <= FIRST_INVOCATIONS or number > total - LAST_INVOCATIONS:
            table.add_row(*_invocation(number, invocation, recording))
        elif number == FIRST_INVOCATIONS + 1:
            table.add_row("", "", "", Text(f"… {gap} more like these", "dim"), "")
    return table


def _invocation(
    number: int, invocation: Invocation, recording: Recording
) -> tuple[str, str, Text, Text, Text]:
    old, new = recording.replayed_in(invocation), recording.done_in(invocation)
    names = ", ".join(label(operation).strip() for operation in new)
    waits = invocation.status == "PENDING"
    return (
        str(number),
        spell(invocation.started - recording.started),
        _bar(len(old), len(new)),
        Text(names or "nothing"),
        Text("waits", "dim") if waits else Text(*_status(invocation.status)),
    )


def _bar(old: int, new: int) -> Text:
    scale = min(1.0, _BAR_WIDTH / max(1, old + new))
    columns_old = round(old * scale) if old else 0
    columns_new = max(1, round(new * scale)) if new else 0
    return Text.assemble((_READ_BACK * columns_old, "dim"), (_NEW * columns_new, "green"))
