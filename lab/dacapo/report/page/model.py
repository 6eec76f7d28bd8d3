"""The model of a page: plain data, which `dacapo show --format json` prints and the page draws.

*Position*: a history is a list of events, and `Execution.times` has the time of each. A position is
an index into that list; positions order what happens at one virtual time. An operation is *read
back* in a pass if it ended before the pass began (`ended < before`) and no context around it had
ended by then (`hidden` is null, or at least `before`); it is *done now* if one of its events is
within the pass (see `Pass.done`).

All times are seconds of virtual time since the execution started. A line is a number in
`Source.file`. Payloads, which `without_payloads` removes, are in the members `input`, `result`,
`message`, and `detail`, and nowhere else. No callback ID is in a member of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

LEAVES = ("Wait", "Callback", "ChainedInvoke", "Step", "WaitForCondition")
"""Kinds that a handler can be suspended at; a context is suspended because something in it is."""
SCHEMA = 1
"""Version of the model; it changes if a member changes its meaning or goes."""


@dataclass(frozen=True)
class Failure:
    """An error.

    Parameters:
        type: the name of its class; "" for none.
        message: its text; None if payloads are removed.
        line: the line that raised it, if that is known and in the source.
    """

    type: str
    message: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Attempt:
    """An attempt of a step, or a poll, that was not the last one.

    Parameters:
        event: position of its end.
        succeeded: True for a poll whose condition was not met; False for an attempt that failed.
        delay: seconds until the next one.
    """

    event: int
    succeeded: bool
    delay: float
    error: Failure | None = None


@dataclass(frozen=True)
class Delivery:
    """A call of the callback API.

    Parameters:
        at: when it came.
        kind: `success`, `failure`, or `heartbeat`.
        by: the caller; "" if that is not known, as in an exported history.
        refused: the error with which the service refused it; None if it accepted.
    """

    at: float
    kind: str
    by: str
    refused: str | None = None


@dataclass(frozen=True)
class Operation:
    """An operation, in the order in which a tree of them is read.

    Parameters:
        id: the first digits of its ID.
        name, path: its name, or its kind if it has none; the names around it and its own.
        kind: `Step`, `Wait`, `WaitForCallback`, `Callback`, `ChainedInvoke`, `Map`, …
        status: its last status.
        parent: index of the operation around it; None for none.
        depth: number of operations around it.
        begun, ended: positions of its start and end; `ended` is None if it did not end.
        hidden: position at which a context around it ended, from which on it is not read back.
        attempts: the attempts before the last one.
        deliveries: the calls of the callback API that concern it.
        timeout, heartbeat_timeout, due: seconds from its start, if it has them.
        line: the line of the handler's file that starts it; None if that is not known.
    """

    id: str
    name: str
    path: str
    kind: str
    status: str
    parent: int | None
    depth: int
    begun: int
    ended: int | None
    hidden: int | None = None
    attempts: Sequence[Attempt] = ()
    deliveries: Sequence[Delivery] = ()
    timeout: float | None = None
    heartbeat_timeout: float | None = None
    due: float | None = None
    result: str | None = None
    error: Failure | None = None
    line: int | None = None


@dataclass(frozen=True)
class Pass:
    """One invocation: the handler's body, run from the top.

    Parameters:
        number: from 1.
        start, end: when it ran.
        before, after: positions at which it began and ended: lengths of the history.
        outcome: `suspended`, `succeeded`, `failed`, `died`, `timed out`, or `running`.
        woken_by: why Lambda invoked the handler, in words.
        cause: index of the operation that woke it; None for none.
        read: number of operations that it received to read back.
        done: indexes of the operations that have an event within it.
        waiting: indexes of the operations that it waits for when it is suspended.
        lines: each line that ran, in order of its first run, and how often; None if not known.
        suspended_at: the lines at which the handler was suspended.
        is_called: whether the body was called; a decorator may answer instead.
        unread: indexes of the operations that it received, and did not read; None if not known.
    """

    number: int
    start: float
    end: float
    before: int
    after: int
    outcome: str
    woken_by: str
    cause: int | None
    read: int
    done: Sequence[int] = ()
    waiting: Sequence[int] = ()
    lines: Sequence[tuple[int, int]] | None = None
    suspended_at: Sequence[int] = ()
    is_called: bool = True
    unread: Sequence[int] | None = None
    error: Failure | None = None


@dataclass(frozen=True)
class Effect:
    """Something that the world saw.

    Parameters:
        at: when.
        what: service and operation, as in `sqs:SendMessage`.
        detail: its content, as text; None if payloads are removed.
        operation: index of the step that did it; None if it was outside every step.
        run: number of the pass.
        again: how often the same effect had happened before, if a repetition does harm.
        line: the line of the handler's file that did it.
    """

    at: float
    what: str
    detail: str | None
    operation: int | None
    run: int | None
    again: int
    line: int | None = None


@dataclass(frozen=True)
class Block:
    """A function of the handler's file.

    Parameters:
        name: its name.
        first: number of its first line.
        lines: its lines.
        statements: first and last line of each statement that has more than one.
        docstrings: first and last line of each docstring that has more than one.
        is_handler: whether it is the handler; otherwise the handler called it.
    """

    name: str
    first: int
    lines: Sequence[str]
    statements: Sequence[tuple[int, int]] = ()
    docstrings: Sequence[tuple[int, int]] = ()
    is_handler: bool = False


@dataclass(frozen=True)
class Source:
    """The handler's source.

    Parameters:
        file: its file.
        origin: `run` if these lines ran; `replay` if the history was read by the handler as it is
            today, which may not be the code that wrote it.
        blocks: the handler, and the functions of its file that ran.
        divergence: what today's handler does otherwise than the history; "" for nothing.
    """

    file: str
    origin: str
    blocks: Sequence[Block]
    divergence: str = ""


@dataclass(frozen=True)
class Remark:
    """A finding of `dacapo verify` or `dacapo check`, or a note that stands at a line as one does.

    Parameters:
        code, certainty, message: as `dacapo verify` prints them; "" for a note, which has only a
            message. The message is None if payloads are removed.
        place: file and line; "" for none.
        line: the line, if it is in the source that is shown.
        recorded, replayed: the two traces that differ.
        rule: what to do instead.
        fix: how to mend it; the best way first, if there are several.
        run: number of the pass that it is about; None for any.
    """

    code: str
    certainty: str
    message: str | None
    place: str
    line: int | None
    recorded: Sequence[str] = ()
    replayed: Sequence[str] = ()
    rule: str = ""
    fix: Sequence[str] = ()
    run: int | None = None


@dataclass(frozen=True)
class BillLine:
    """A line of the bill, in US dollars."""

    item: str
    quantity: float
    unit: str
    dollars: float


@dataclass(frozen=True)
class Bill:
    """The charges of AWS for the execution.

    Parameters:
        assumed: region and date of the prices, and what is assumed, in words.
    """

    lines: Sequence[BillLine]
    dollars: float
    dollars_per_million: float
    assumed: str


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution.

    Parameters:
        label: what sets it apart from the one beside it; "" for nothing.
        origin: `run`, `recording`, or `export` (a history from AWS).
        scenario, function, arn, status: as in a recording; `scenario` is "" for an export, and so
            are
            `function` and `arn` if it does not name them, as what the AWS CLI prints.
        seed: of the run; None for an export.
        started: ISO 8601.
        seconds: from its start to its last event.
        has_ended: whether the execution ended.
        never_resumed: what it waits for, in words, if nothing can ever wake it.
        times: the time of each event.
        effects: what the world saw; None if that is not known.
        findings: what `dacapo verify` or `dacapo check` found in its handler.
    """

    label: str
    origin: str
    scenario: str
    function: str
    arn: str
    status: str
    seed: int | None
    started: str
    seconds: float
    has_ended: bool
    never_resumed: str
    input: str | None
    result: str | None
    error: Failure | None
    times: Sequence[float]
    operations: Sequence[Operation]
    passes: Sequence[Pass]
    effects: Sequence[Effect] | None
    source: Source | None
    bill: Bill
    findings: Sequence[Remark] = ()


@dataclass(frozen=True)
class Parting:
    """The point at which two executions part.

    Parameters:
        run: number of the first pass that differs; None if none does.
        sentence: what differs there, in words.
    """

    run: int | None
    sentence: str


@dataclass(frozen=True)
class Page:
    """Everything on a page.

    Parameters:
        title: its title.
        executions: one, or two beside each other.
        rows: for two, pairs of indexes of operations that belong together; None for a gap.
        parting: for two, where they part; None if they agree.
        has_payloads: False if they were removed.
    """

    title: str
    executions: Sequence[Execution]
    rows: Sequence[tuple[int | None, int | None]] = ()
    parting: Parting | None = None
    has_payloads: bool = True
    schema: int = field(default=SCHEMA)

    def to_json(self) -> dict[str, Any]:
        """Return the page as JSON values."""
        return asdict(self)


def without_payloads(page: Page) -> Page:
    """Return a page without any payload: what handlers, callers, and errors say is removed."""
    return replace(page, executions=[_bare(one) for one in page.executions], has_payloads=False)


def _bare(execution: Execution) -> Execution:
    source = execution.source
    return replace(
        execution,
        input=None,
        result=None,
        error=_bare_failure(execution.error),
        operations=[_bare_operation(one) for one in execution.operations],
        passes=[replace(one, error=_bare_failure(one.error)) for one in execution.passes],
        effects=execution.effects and [replace(one, detail=None) for one in execution.effects],
        source=source and replace(source, divergence=source.divergence and "it diverges"),
        findings=[
            replace(one, message=None, recorded=(), replayed=()) for one in execution.findings
        ],
    )


def _bare_operation(operation: Operation) -> Operation:
    attempts = [replace(one, error=_bare_failure(one.error)) for one in operation.attempts]
    error = _bare_failure(operation.error)
    return replace(operation, result=None, error=error, attempts=attempts)


def _bare_failure(failure: Failure | None) -> Failure | None:
    return failure and replace(failure, message=None)
