"""The timeline of an execution in the terminal.

Virtual time runs across, operations go down. Below it are the invocations, each with the operations
that it replayed and the new ones, and the bill.
"""

from __future__ import annotations

import linecache
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dacapo import metering
from dacapo.history.reading import EXPORT
from dacapo.history.recording import Recording
from dacapo.process.source_lines import Place
from dacapo.report.chart import GOOD_STATUSES, chart, label
from dacapo.report.durations import spell
from dacapo.report.text import BAD, GOOD, QUIET, title_of, visible
from dacapo.service.execution import Invocation, InvocationStatus

FIRST_INVOCATIONS, LAST_INVOCATIONS = 3, 2
"""Invocations that are listed at either end if there are too many to list them all."""
MOST_NAMES = 8
"""New operations that the line of an invocation names; the rest are counted."""
_BAR_WIDTH = 12
_REPLAYED, _NEW = "░", "█"

_KB_PER_GB = 1024**3 / 1_000
"""A GB is what AWS charges for; a KB has 1,000 bytes here as in the documents."""
_SMALL_GB = 0.001


def show(recording: Recording, console: Console, *, with_payloads: bool = True) -> None:
    """Print the timeline of a recording, as wide as the console.

    Parameters:
        recording: the execution.
        console: where to.
        with_payloads: whether its result, and the message of its error, are printed.
    """
    console.print(timeline(recording, console.width, with_payloads=with_payloads))


def timeline(recording: Recording, width: int, *, with_payloads: bool = True) -> RenderableType:
    """Return the timeline of a recording.

    Parameters:
        recording: the execution.
        width: columns of the terminal; 80 or more read well.
        with_payloads: as for `show`.
    """
    return Group(
        _title(recording, with_payloads=with_payloads),
        Text(),
        chart(recording, width),
        Text(),
        _invocations(recording, width),
        Text(),
        _bill(recording),
        _small_print(recording),
    )


def _title(recording: Recording, *, with_payloads: bool) -> Text:
    name = visible(title_of(recording.function, recording.scenario))
    length = spell(timedelta(seconds=recording.virtual_seconds))
    title = Text.assemble((name, "bold"), "  ", _status(recording.status), f"  after {length}")
    if recording.error is not None:
        message = f": {recording.error.message}" if with_payloads else ""
        title.append(visible(f"\n{recording.error.type or 'error'}{message}"), BAD)
        if recording.failed_at is not None:
            title.append(visible(f"\n{_source_at(recording.failed_at)}"), QUIET)
    elif recording.output is not None and with_payloads:
        title.append(visible(f"\n{recording.output}"), QUIET)
    return title


def _source_at(place: Place) -> str:
    """Return a line of the handler, with what is written there."""
    return f"  at {place}: {linecache.getline(place.file, place.line).strip()}"


def _status(status: str) -> tuple[str, str]:
    return status, f"bold {GOOD if status in GOOD_STATUSES else BAD}"


def _invocations(recording: Recording, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style=QUIET, padding=(0, 1), width=width)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("at", no_wrap=True)
    table.add_column(f"{_REPLAYED} replayed", width=_BAR_WIDTH, no_wrap=True)
    table.add_column(f"{_NEW} new", ratio=1)
    table.add_column("outcome", no_wrap=True)
    total = len(recording.invocations)
    gap = total - FIRST_INVOCATIONS - LAST_INVOCATIONS
    for number, invocation in enumerate(recording.invocations, 1):
        if gap <= 1 or number <= FIRST_INVOCATIONS or number > total - LAST_INVOCATIONS:
            table.add_row(*_invocation(number, invocation, recording))
        elif number == FIRST_INVOCATIONS + 1:
            table.add_row("", "", "", Text(f"… {gap} more like these", QUIET), "")
    return table


def _invocation(
    number: int, invocation: Invocation, recording: Recording
) -> tuple[str, str, Text, Text, Text]:
    replayed, new = recording.replayed_in(invocation), recording.done_in(invocation)
    names = ", ".join(label(operation).strip() for operation in new[:MOST_NAMES])
    if len(new) > MOST_NAMES:
        names += f", and {len(new) - MOST_NAMES} more"
    return (
        str(number),
        spell(invocation.started - recording.started),
        _bar(len(replayed), len(new)),
        Text(names or "nothing"),
        _ending(invocation),
    )


def _ending(invocation: Invocation) -> Text:
    if invocation.status is InvocationStatus.PENDING:
        return Text("suspended", QUIET)
    ending = Text(*_status(invocation.status))
    return ending.append(f" {invocation.error.type}", BAD) if invocation.error else ending


def _bar(replayed: int, new: int) -> Text:
    scale = min(1.0, _BAR_WIDTH / max(1, replayed + new))
    replayed_columns = round(replayed * scale) if replayed else 0
    new_columns = max(1, round(new * scale)) if new else 0
    return Text.assemble((_REPLAYED * replayed_columns, QUIET), (_NEW * new_columns, GOOD))


def _bill(recording: Recording) -> Table:
    """Return a table with the cost of one execution, and of a million."""
    table = Table(box=None, pad_edge=False, header_style=QUIET, padding=(0, 1))
    table.add_column("cost")
    for heading in ("quantity", "one execution", "a million"):
        table.add_column(heading, justify="right", no_wrap=True)
    costs = recording.bill
    for line in costs.lines:
        table.add_row(
            line.item,
            _quantity(line),
            f"${line.dollars:.8f}",
            f"${line.dollars_per_million:,.2f}",
        )
    total = (f"${costs.dollars:.8f}", f"${costs.dollars_per_million:,.2f}")
    table.add_row("total", "", *total, style="bold")
    return table


def _quantity(line: metering.Line) -> str:
    if line.unit in ("GB", "GB-months") and line.quantity < _SMALL_GB:
        return f"{line.quantity * _KB_PER_GB:,.3g} {line.unit.replace('GB', 'KB')}"
    return f"{line.quantity:,.3g} {line.unit}"


def _small_print(recording: Recording) -> Text:
    """Return the counters behind the bill, and the assumptions of the prices."""
    prices = metering.price_list()
    assumed = prices["assumptions"]
    # A history from AWS has neither a seed nor the number of updates.
    is_run = recording.engine != EXPORT
    updates = f"{recording.updates} checkpointed updates, " if is_run else ""
    seed = f", seed {recording.seed}" if is_run else ""
    text = (
        f"{len(recording.invocations)} invocations, {updates}"
        f"{recording.charged_operations} operations charged, {recording.bytes_written:,} bytes "
        f"written{seed}. Prices of {prices['region']}, {prices['date']}; assumed: "
        f"{assumed['milliseconds_per_invocation']} ms at {assumed['memory_mb']} MB an invocation, "
        f"history retained for {assumed['retention_days']} days."
    )
    return Text(text, QUIET)
