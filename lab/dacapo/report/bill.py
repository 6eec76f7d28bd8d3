"""What an execution costs, line by line."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from dacapo import metering
from dacapo.recording import Recording

_KB_PER_GB = 1024**2
_SMALL_GB = 0.001


def bill(recording: Recording) -> Table:
    """The bill of one execution, and of a million such."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1))
    table.add_column("what it costs")
    for heading in ("quantity", "one execution", "a million"):
        table.add_column(heading, justify="right", no_wrap=True)
    costs = recording.bill
    for line in costs.lines:
        table.add_row(
            line.what,
            _quantity(line),
            f"${line.dollars:.8f}",
            f"${line.dollars_per_million:,.2f}",
        )
    total = (f"${costs.dollars:.8f}", f"${costs.dollars_per_million:,.2f}")
    table.add_row("in all", "", *total, style="bold")
    return table


def _quantity(line: metering.Line) -> str:
    if line.unit in ("GB", "GB-months") and line.quantity < _SMALL_GB:
        return f"{line.quantity * _KB_PER_GB:,.3g} {line.unit.replace('GB', 'KB')}"
    return f"{line.quantity:,.3g} {line.unit}"


def small_print(recording: Recording) -> Text:
    """What was counted, and what the prices assume."""
    prices = metering.price_list()
    assumed = prices["assumptions"]
    text = (
        f"{len(recording.invocations)} invocations, {recording.updates} checkpointed updates, "
        f"{recording.charged_operations} operations charged, {recording.bytes_written:,} bytes "
        f"written, seed {recording.seed}. Prices of {prices['region']}, {prices['date']}; assumed: "
        f"{assumed['milliseconds_per_invocation']} ms at {assumed['memory_mb']} MB an invocation, "
        f"history kept for {assumed['retention_days']} days."
    )
    return Text(text, "dim")
