"""Chart of an execution: virtual time runs across, operations go down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from aws_durable_execution_sdk_python.lambda_service import OperationStatus
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dacapo.history.operations import RecordedOperation
from dacapo.history.recording import Recording
from dacapo.report.durations import spell_short, ticks
from dacapo.report.text import BAD, GOOD, HINT, QUIET, visible
from dacapo.service.callbacks import DeliveryKind

MOST_ROWS = 40
"""Maximum number of operations that are drawn; the rest are counted."""
GOOD_STATUSES = {"SUCCEEDED", "STARTED", "PENDING", "READY", "RUNNING"}
"""Statuses of executions, invocations and operations that are not failures."""
_LONGEST_NAME, _LONGEST_OUTCOME = 32, 24
_TICK_WIDTH = 10
_EVENT, _ATTEMPT, _FAILURE, _INVOCATION, _HEARTBEAT = "●", "○", "✗", "▼", "◦"
_RUNNING_LINE, _WAITING_LINE = "─", "┄"


class _Axis:
    """Virtual time, mapped to a number of columns."""

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
        return Text("".join(text), QUIET)

    def draw(self, marks: Iterable[tuple[datetime, str]], line: str = " ") -> str:
        text = [" "] * self.columns
        placed = [(self.column(at), mark) for at, mark in marks]
        if placed:
            columns = [column for column, _ in placed]
            first, last = min(columns), max(columns)
            text[first : last + 1] = line * (last + 1 - first)
        for column, mark in placed:
            text[column] = mark
        return "".join(text)


def chart(recording: Recording, width: int) -> RenderableType:
    """Draw one line for each operation, with a mark for each of its events.

    Parameters:
        recording: the execution.
        width: columns of the terminal.
    """
    shown = recording.operations[:MOST_ROWS]
    names = [label(operation) for operation in shown]
    outcomes = [_outcome(operation, recording) for operation in shown]
    name_width = _width_of([*names, "invocations"], _LONGEST_NAME)
    outcome_width = _width_of(outcomes, _LONGEST_OUTCOME)
    axis = _Axis(recording, width - name_width - outcome_width - 2)
    table = Table.grid(padding=(0, 1))
    table.add_column(width=name_width, no_wrap=True, overflow="ellipsis")
    table.add_column(width=axis.columns, no_wrap=True)
    table.add_column(width=outcome_width, no_wrap=True, overflow="ellipsis")
    table.add_row("", axis.labels(), "")
    calls = axis.draw((invocation.started, _INVOCATION) for invocation in recording.invocations)
    table.add_row(Text("invocations", QUIET), Text(calls, HINT), "")
    for operation, name, outcome in zip(shown, names, outcomes, strict=True):
        is_good = operation.status in GOOD_STATUSES
        drawn = axis.draw(_marks(operation, recording), _line(operation))
        style = GOOD if is_good else BAD
        table.add_row(Text(name), Text(drawn, style), Text(outcome, QUIET if is_good else style))
    hidden = len(recording.operations) - MOST_ROWS
    return Group(table, Text(f"… and {hidden} more", QUIET)) if hidden > 0 else table


def _width_of(texts: list[str], longest: int) -> int:
    return min(longest, max((len(text) for text in texts), default=0))


def label(operation: RecordedOperation) -> str:
    """Return the operation's name, indented by its nesting."""
    around = operation.around
    # `wait_for_callback` names the operations inside it after itself.
    short = operation.label.removeprefix(f"{around[-1]} ") if around else operation.label
    return "  " * len(around) + visible(short)


def _line(operation: RecordedOperation) -> str:
    is_waiting = operation.kind in ("Wait", "Callback", "ChainedInvoke")
    return _WAITING_LINE if is_waiting else _RUNNING_LINE


def _marks(operation: RecordedOperation, recording: Recording) -> Iterator[tuple[datetime, str]]:
    yield from _heartbeats(operation, recording)
    events = [event for event in recording.events if event.operation_id == operation.id]
    for number, event in enumerate(events):
        is_last = number == len(events) - 1
        if event.type.endswith(("Failed", "TimedOut", "Stopped")) and is_last:
            yield event.timestamp, _FAILURE
        elif is_last or number == 0:
            yield event.timestamp, _EVENT
        elif not event.is_start:
            yield event.timestamp, _ATTEMPT


def _heartbeats(
    operation: RecordedOperation, recording: Recording
) -> Iterator[tuple[datetime, str]]:
    for delivery in recording.deliveries:
        if delivery.operation_id == operation.id and delivery.kind is DeliveryKind.HEARTBEAT:
            yield delivery.at, _HEARTBEAT


def _outcome(operation: RecordedOperation, recording: Recording) -> str:
    succeeded = operation.stored.status is OperationStatus.SUCCEEDED
    match operation.kind:
        case "WaitForCondition":
            return f"{operation.attempts} polls"
        case "Callback":
            return _callback_outcome(operation, recording)
        case "Wait" if succeeded:
            return spell_short(operation.length)
    attempts = f"{operation.attempts} attempts" if operation.attempts > 1 else ""
    status = "" if succeeded else operation.status.lower()
    return ", ".join(part for part in (status, attempts) if part)


def _callback_outcome(operation: RecordedOperation, recording: Recording) -> str:
    if operation.stored.status is OperationStatus.TIMED_OUT:
        return "timed out"
    for delivery in recording.deliveries:
        is_answer = delivery.kind is not DeliveryKind.HEARTBEAT and delivery.refused is None
        if delivery.operation_id == operation.id and is_answer:
            verb = "answered" if delivery.kind is DeliveryKind.SUCCESS else "failed"
            return visible(f"{verb} by {delivery.by}")
    return "not answered"
