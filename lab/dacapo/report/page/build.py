"""From a recording, and what was watched of its handler, to the model of a page."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from dacapo import metering
from dacapo.history.operations import RecordedOperation
from dacapo.history.recording import Recording
from dacapo.process.source_lines import Place
from dacapo.report.page.beside import aligned, parting_of
from dacapo.report.page.model import (
    LEAVES,
    Attempt,
    Bill,
    BillLine,
    Delivery,
    Effect,
    Execution,
    Failure,
    Operation,
    Page,
    Pass,
    Remark,
    Source,
)
from dacapo.report.page.passes import Watched
from dacapo.report.page.wakes import Wakes
from dacapo.report.text import title_of
from dacapo.service.callbacks import Delivery as Call
from dacapo.service.events import Event
from dacapo.service.execution import Invocation, InvocationStatus
from dacapo.verify.findings import Code, Finding
from dacapo.verify.rules import rules

_OUTCOMES = {
    InvocationStatus.PENDING: "suspended",
    InvocationStatus.TIMED_OUT: "timed out",
}
_ID_DIGITS = 8
_ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{54,56}\b")
"""An operation's ID in a message of the SDK's."""


def page_from(executions: Sequence[Execution], title: str = "") -> Page:
    """Return the page of one execution, or of two beside each other."""
    first = executions[0]
    default = title_of(first.function, first.scenario)
    if len(executions) == 1:
        return Page(title or default, executions)
    other = executions[1]
    rows = aligned(first.operations, other.operations)
    default = " beside ".join(one.label or one.function for one in executions)
    return Page(title or default, executions, rows, parting_of(first, other, rows))


def execution_of(watched: Watched, origin: str = "run", label: str = "") -> Execution:
    """Return the model of one execution.

    Parameters:
        watched: the execution.
        origin: `run`, `recording`, or `export`.
        label: what sets it apart from the one beside it.
    """
    return _Builder(watched, origin, label).execution()


class _Builder:
    """Builds the model of one execution."""

    def __init__(self, watched: Watched, origin: str, label: str) -> None:
        self.watched, self.origin, self.label = watched, origin, label
        self.recording = watched.recording
        self.events = self.recording.events
        self.of_operation: dict[str, list[int]] = {}
        for position, event in enumerate(self.events):
            if event.operation_id:
                self.of_operation.setdefault(event.operation_id, []).append(position)
        self.tree = list(_tree(self.recording.operations))
        self.index = {one.id: number for number, one in enumerate(self.tree)}

    def execution(self) -> Execution:
        recording = self.recording
        operations = self._operations()
        return Execution(
            label=self.label,
            origin=self.origin,
            scenario=recording.scenario,
            function=recording.function,
            arn=recording.arn if recording.function else "",
            status=recording.status,
            seed=None if self.origin == "export" else recording.seed,
            started=recording.started.isoformat(),
            seconds=self._length(),
            has_ended=recording.ended is not None,
            never_resumed=self._never_resumed(operations),
            input=recording.payload or None,
            result=recording.output,
            error=_failure(recording.error, self.watched.error_line),
            times=[self._since(event.timestamp) for event in self.events],
            operations=operations,
            passes=list(self._passes(operations)),
            effects=self._effects(),
            source=self.watched.source,
            bill=_bill(recording),
        )

    def _since(self, at: datetime) -> float:
        return round((at - self.recording.started).total_seconds(), 6)

    def _length(self) -> float:
        recording = self.recording
        ends = [recording.started, *(event.timestamp for event in self.events[-1:])]
        ends += [delivery.at for delivery in recording.deliveries if delivery.operation_id]
        return self._since(recording.ended or max(ends))

    def _never_resumed(self, operations: Sequence[Operation]) -> str:
        if self.recording.ended is not None or self.origin == "export":
            return ""
        names = [one.name for one in operations if one.ended is None and one.kind in LEAVES]
        return ", ".join(map(repr, names)) or "something"

    def _operations(self) -> list[Operation]:
        built: list[Operation] = []
        for recorded in self.tree:
            parent = self.index.get(recorded.stored.parent_id or "")
            around = built[parent] if parent is not None else None
            built.append(self._operation(recorded, parent, around))
        return built

    def _operation(
        self, recorded: RecordedOperation, parent: int | None, around: Operation | None
    ) -> Operation:
        positions = self.of_operation.get(recorded.id, [])
        last = self.events[positions[-1]] if positions else None
        has_ended = last is not None and not last.is_start and last.retry_delay is None
        first = self.events[positions[0]] if positions else None
        details = first.details if first else {}
        due = recorded.stored.wait_details and recorded.stored.wait_details.scheduled_end_timestamp
        start = recorded.stored.start_timestamp
        short = recorded.label
        if around is not None and around.kind == "WaitForCallback":
            # It names what is in it after itself.
            short = short.removeprefix(f"{around.name} ")
        return Operation(
            id=recorded.id[:_ID_DIGITS],
            name=short,
            path=recorded.path,
            kind=recorded.kind,
            status=recorded.status,
            parent=parent,
            depth=around.depth + 1 if around else 0,
            begun=positions[0] if positions else 0,
            ended=positions[-1] if has_ended else None,
            hidden=_hidden(around, keeps_children=self._keeps_children(parent)),
            attempts=[
                _attempt(n, self.events[n])
                for n in positions
                if self.events[n].retry_delay is not None
            ],
            deliveries=[
                self._delivery(call)
                for call in self.recording.deliveries
                if call.operation_id == recorded.id
            ],
            timeout=details.get("Timeout") or None,
            heartbeat_timeout=details.get("HeartbeatTimeout") or None,
            due=(due - start).total_seconds() if due and start else None,
            result=recorded.payload,
            error=_failure(recorded.error),
            line=self.watched.places.get(recorded.id),
        )

    def _keeps_children(self, parent: int | None) -> bool:
        details = self.tree[parent].stored.context_details if parent is not None else None
        return details is not None and details.replay_children

    def _delivery(self, call: Call) -> Delivery:
        return Delivery(self._since(call.at), call.kind.value, call.by, call.refused)

    def _passes(self, operations: Sequence[Operation]) -> Iterator[Pass]:
        wakes = Wakes(self.recording)
        traced = self.watched.passes or [None] * len(self.recording.invocations)
        ends, hides = _ends(operations)
        for number, invocation in enumerate(self.recording.invocations):
            cause, why = wakes.of(number)
            before, after = invocation.events_before, invocation.events_after
            if not invocation.ended:
                after = len(self.events)
            ran = traced[number]
            touched = {
                self.index[event.operation_id]
                for event in self.events[before:after]
                if event.operation_id in self.index
            }
            outcome = _outcome(invocation)
            unread = None
            if ran is not None and ran.reads is not None and len(operations) < _MOST_UNREAD:
                unread = [
                    n
                    for n, one in enumerate(operations)
                    if _is_read(one, before) and self.tree[n].id not in ran.reads
                ]
            yield Pass(
                number=number + 1,
                start=self._since(invocation.started),
                end=self._since(invocation.ended or invocation.started),
                before=before,
                after=after,
                outcome=outcome,
                woken_by=why,
                cause=self.index.get(cause or ""),
                read=bisect_left(ends, before) - bisect_left(hides, before),
                done=sorted(touched, key=lambda n: operations[n].begun),
                waiting=self._waiting(operations, after) if outcome == "suspended" else (),
                lines=list(ran.lines.items()) if ran is not None and ran.is_traced else None,
                is_called=ran is not None or self.watched.source is None,
                suspended_at=() if ran is None else list(ran.suspended_at),
                unread=unread,
                error=_failure(invocation.error),
            )

    def _waiting(self, operations: Sequence[Operation], after: int) -> list[int]:
        return [
            n
            for n, one in enumerate(operations)
            if one.begun < after <= (after if one.ended is None else one.ended)
            and one.kind in LEAVES
            and (one.hidden is None or one.hidden >= after)
        ]

    def _effects(self) -> list[Effect] | None:
        if self.watched.effects is None:
            return None
        numbers = {id(ran): n + 1 for n, ran in enumerate(self.watched.passes) if ran}
        return [
            Effect(
                at=self._since(one.at),
                what=one.what,
                detail=one.detail,
                operation=self.index.get(one.operation_id),
                run=numbers.get(id(one.traced)),
                again=one.again,
                line=one.line,
            )
            for one in self.watched.effects
        ]


_MOST_UNREAD = 500
"""Operations up to which those that a pass did not read are listed."""


def with_findings(
    execution: Execution,
    findings: Sequence[Finding],
    advice: Mapping[Code, Sequence[str]] = MappingProxyType({}),
) -> Execution:
    """Return an execution with findings at its lines.

    Parameters:
        execution: a run of the handler that was verified, or a history that it replayed.
        findings: what was found, as `dacapo.verify` and `dacapo.check` report it.
        advice: how to mend it, by code, where that is not what its rule says.
    """
    shown = [_remark(one, execution.source, advice.get(one.code, ())) for one in findings]
    return replace(execution, findings=shown)


def _tree(operations: Sequence[RecordedOperation]) -> Iterator[RecordedOperation]:
    """Yield operations with their children right after them."""
    known = {one.id for one in operations}
    children: dict[str, list[RecordedOperation]] = {}
    for one in operations:
        parent = one.stored.parent_id
        children.setdefault(parent if parent in known and parent else "", []).append(one)
    waiting = list(reversed(children.get("", [])))
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(reversed(children.get(one.id, [])))


def _hidden(around: Operation | None, *, keeps_children: bool) -> int | None:
    if around is None:
        return None
    own = None if keeps_children else around.ended
    both = [n for n in (around.hidden, own) if n is not None]
    return min(both, default=None)


def _is_read(operation: Operation, before: int) -> bool:
    is_hidden = operation.hidden is not None and operation.hidden < before
    return operation.ended is not None and operation.ended < before and not is_hidden


def _ends(operations: Sequence[Operation]) -> tuple[list[int], list[int]]:
    """Return the positions from which operations are read back, and no longer are, sorted."""
    ended = [one for one in operations if one.ended is not None]
    hides = (max(one.hidden, one.ended or 0) for one in ended if one.hidden is not None)
    return sorted(one.ended or 0 for one in ended), sorted(hides)


def _outcome(invocation: Invocation) -> str:
    return _OUTCOMES.get(invocation.status, invocation.status.value.lower())


def _attempt(position: int, event: Event) -> Attempt:
    error = (event.details.get("Error") or {}).get("Payload")
    return Attempt(
        position,
        event.type.endswith("Succeeded"),
        float(event.retry_delay or 0),
        _failure(ErrorObject.from_dict(dict(error))) if isinstance(error, Mapping) else None,
    )


def _failure(error: ErrorObject | None, line: int | None = None) -> Failure | None:
    if error is None:
        return None
    message = _ID.sub(lambda match: match[1], error.message or "")
    return Failure((error.type or "").rpartition(".")[2], message, line)


def _bill(recording: Recording) -> Bill:
    costs, prices = recording.bill, metering.price_list()
    assumed = prices["assumptions"]
    return Bill(
        [BillLine(line.item, line.quantity, line.unit, line.dollars) for line in costs.lines],
        costs.dollars,
        costs.dollars_per_million,
        f"Prices of {prices['region']}, {prices['date']}. Assumed: "
        f"{assumed['milliseconds_per_invocation']} ms at {assumed['memory_mb']} MB an invocation, "
        f"history retained for {assumed['retention_days']} days. What the handler calls is not "
        "included.",
    )


def _remark(finding: Finding, source: Source | None, advice: Sequence[str]) -> Remark:
    rule = rules()[finding.code]
    return Remark(
        code=finding.code.value,
        certainty=str(finding.certainty),
        message=finding.message,
        place=str(finding.place or ""),
        line=_line(finding.place, source),
        recorded=finding.recorded,
        replayed=finding.replayed,
        rule=" ".join(rule.rule.split()),
        fix=advice or (" ".join(rule.fix.split()),),
    )


def _line(place: Place | None, source: Source | None) -> int | None:
    """Return the line of a place, if it is in the source that is shown."""
    if place is None or source is None or Path(source.file).resolve() != Path(place.file).resolve():
        return None
    blocks = (range(one.first, one.first + len(one.lines)) for one in source.blocks)
    return place.line if any(place.line in block for block in blocks) else None
