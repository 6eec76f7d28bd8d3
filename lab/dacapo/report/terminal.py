"""The timeline of an execution in the terminal.

Virtual time runs across, operations go down. Below it, each invocation with what it read back
from the history and what it did anew; and what the execution costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dacapo import metering
from dacapo.recorded import RecordedOperation
from dacapo.recording import Recording
from dacapo.report.durations import spell, spell_short, ticks
from dacapo.service.execution import Invocation

MOST_ROWS = 40
"""Operations that are drawn; the rest is counted."""
FIRST_INVOCATIONS, LAST_INVOCATIONS = 3, 2
"""Invocations that are listed at either end, when there are too many to list them all."""
_LONGEST_NAME, _LONGEST_OUTCOME = 32, 24
_TICK_WIDTH = 10
_BAR_WIDTH = 12
_MOMENT, _ATTEMPT, _BAD, _CALLED = "●", "○", "✗", "▼"
_KB_PER_GB = 1024**2
_SMALL_GB = 0.001
_LASTS, _WAITS = "─", "┄"
_READ_BACK, _NEW = "░", "█"
_GOOD_STATUSES = {"SUCCEEDED", "STARTED", "PENDING", "READY", "RUNNING"}


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
        _chart(recording, width),
        Text(),
        _invocations(recording, width),
        Text(),
        _bill(recording),
        _small_print(recording),
    )


# -- what it is -----------------------------------------------------------------------------------


def _title(recording: Recording) -> Text:
    name = (
        f"{recording.function} · {recording.scenario}"
        if recording.scenario
        else (recording.function)
    )
    length = spell(timedelta(seconds=recording.virtual_seconds))
    title = Text.assemble((name, "bold"), "  ", _status(recording.status), f"  after {length}")
    if recording.error is not None:
        title.append(f"\n{recording.error.type or 'error'}: {recording.error.message}", "red")
    elif recording.output is not None:
        title.append(f"\n{recording.output}", "dim")
    return title


def _status(status: str) -> tuple[str, str]:
    return status, "bold green" if status in _GOOD_STATUSES else "bold red"


# -- the chart ------------------------------------------------------------------------------------


class _Axis:
    """Virtual time, spread over a number of columns."""

    def __init__(self, recording: Recording, columns: int) -> None:
        self.start = recording.started
        self.end = recording.ended or recording.started
        self.columns = columns

    def column(self, at: datetime) -> int:
        length = self.end - self.start
        share = (at - self.start) / length if length else 0.0
        return min(self.columns - 1, round(share * (self.columns - 1)))

    def labels(self) -> Text:
        text = [" "] * self.columns
        for tick in ticks(self.end - self.start, max(2, self.columns // _TICK_WIDTH)):
            label = spell_short(tick)
            column = min(self.column(self.start + tick), self.columns - len(label))
            text[column : column + len(label)] = label
        return Text("".join(text), "dim")

    def draw(self, marks: Iterable[tuple[datetime, str]], line: str = " ") -> str:
        text = [" "] * self.columns
        placed = [(self.column(at), mark) for at, mark in marks]
        if placed:
            first, last = placed[0][0], placed[-1][0]
            text[first : last + 1] = line * (last + 1 - first)
        for column, mark in placed:
            text[column] = mark
        return "".join(text)


def _chart(recording: Recording, width: int) -> Table:
    shown = recording.operations[:MOST_ROWS]
    names = [_label(operation) for operation in shown]
    outcomes = [_outcome(operation, recording) for operation in shown]
    name_width = _width_of([*names, "invocations"], _LONGEST_NAME)
    outcome_width = _width_of(outcomes, _LONGEST_OUTCOME)
    axis = _Axis(recording, width - name_width - outcome_width - 2)
    table = Table.grid(padding=(0, 1))
    table.add_column(width=name_width, no_wrap=True, overflow="ellipsis")
    table.add_column(width=axis.columns, no_wrap=True)
    table.add_column(width=outcome_width, no_wrap=True, overflow="ellipsis")
    table.add_row("", axis.labels(), "")
    calls = axis.draw((invocation.started, _CALLED) for invocation in recording.invocations)
    table.add_row(Text("invocations", "dim"), Text(calls, "cyan"), "")
    for operation, name, outcome in zip(shown, names, outcomes, strict=True):
        is_good = operation.status in _GOOD_STATUSES
        drawn = axis.draw(_marks(operation, recording), _line(operation))
        style = "green" if is_good else "red"
        table.add_row(Text(name), Text(drawn, style), Text(outcome, "dim" if is_good else style))
    hidden = len(recording.operations) - MOST_ROWS
    if hidden > 0:
        table.add_row(Text(f"… and {hidden} more", "dim"), "", "")
    return table


def _width_of(texts: list[str], longest: int) -> int:
    return min(longest, max((len(text) for text in texts), default=0))


def _label(operation: RecordedOperation) -> str:
    *around, name = operation.path.split("/")
    # `wait_for_callback` names the operations inside it after itself.
    short = name.removeprefix(f"{around[-1]} ") if around else name
    return "  " * len(around) + short


def _line(operation: RecordedOperation) -> str:
    return _WAITS if operation.kind in ("Wait", "Callback", "ChainedInvoke") else _LASTS


def _marks(operation: RecordedOperation, recording: Recording) -> Iterator[tuple[datetime, str]]:
    events = [event for event in recording.events if event.get("Id") == operation.id]
    for number, event in enumerate(events):
        is_last = number == len(events) - 1
        if event["EventType"].endswith(("Failed", "TimedOut", "Stopped")) and is_last:
            yield event["EventTimestamp"], _BAD
        elif is_last or number == 0:
            yield event["EventTimestamp"], _MOMENT
        elif not event["EventType"].endswith("Started"):
            yield event["EventTimestamp"], _ATTEMPT


def _outcome(operation: RecordedOperation, recording: Recording) -> str:
    match operation.kind:
        case "WaitForCondition":
            return f"{operation.attempts} polls"
        case "Callback":
            return _callback_outcome(operation, recording)
        case "Wait" if operation.status == "SUCCEEDED":
            return spell_short(operation.length)
    attempts = f"{operation.attempts} attempts" if operation.attempts > 1 else ""
    status = "" if operation.status == "SUCCEEDED" else operation.status.lower()
    return ", ".join(part for part in (status, attempts) if part)


def _callback_outcome(operation: RecordedOperation, recording: Recording) -> str:
    if operation.status == "TIMED_OUT":
        return "timed out"
    for delivery in recording.deliveries:
        is_answer = delivery.kind != "heartbeat" and delivery.refused is None
        if delivery.operation_id == operation.id and is_answer:
            verb = "answered" if delivery.kind == "success" else "failed"
            return f"{verb} by {delivery.by}"
    return "not answered"


# -- the invocations ------------------------------------------------------------------------------


def _invocations(recording: Recording, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1))
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("at", no_wrap=True)
    table.add_column(f"{_READ_BACK} read back", width=_BAR_WIDTH, no_wrap=True)
    table.add_column(f"{_NEW} done anew", no_wrap=True, overflow="ellipsis", width=width - 44)
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
) -> tuple[str, str, Text, str, Text]:
    old, new = recording.replayed_in(invocation), recording.done_in(invocation)
    names = ", ".join(_label(operation).strip() for operation in new)
    waits = invocation.status == "PENDING"
    return (
        str(number),
        spell(invocation.started - recording.started),
        _bar(len(old), len(new)),
        names or "nothing",
        Text("waits", "dim") if waits else Text(*_status(invocation.status)),
    )


def _bar(old: int, new: int) -> Text:
    scale = min(1.0, _BAR_WIDTH / max(1, old + new))
    columns_old = round(old * scale) if old else 0
    columns_new = max(1, round(new * scale)) if new else 0
    return Text.assemble((_READ_BACK * columns_old, "dim"), (_NEW * columns_new, "green"))


# -- the bill -------------------------------------------------------------------------------------


def _bill(recording: Recording) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1))
    table.add_column("what it costs")
    for heading in ("quantity", "one execution", "a million"):
        table.add_column(heading, justify="right", no_wrap=True)
    bill = recording.bill
    for line in bill.lines:
        table.add_row(
            line.what,
            _quantity(line),
            f"${line.dollars:.8f}",
            f"${line.dollars_per_million:,.2f}",
        )
    total = (f"${bill.dollars:.8f}", f"${bill.dollars_per_million:,.2f}")
    table.add_row("in all", "", *total, style="bold")
    return table


def _quantity(line: metering.Line) -> str:
    if line.unit in ("GB", "GB-months") and line.quantity < _SMALL_GB:
        return f"{line.quantity * _KB_PER_GB:,.1f} {line.unit.replace('GB', 'KB')}"
    return f"{line.quantity:,.3g} {line.unit}"


def _small_print(recording: Recording) -> Text:
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
