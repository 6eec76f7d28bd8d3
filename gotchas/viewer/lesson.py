"""A gotcha as a lesson: the code of both handlers, and a trace of every invocation of each."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import dacapo
from dacapo import Handler, Recording, Scenario
from gotchas import GOTCHAS
from gotchas.verdicts import VERDICTS

SUSPENDED = "suspended"
NEVER_RESUMED = "suspended, and never resumed"

_NOQA = re.compile(r"noqa: [A-Z0-9, ]+ - on purpose: |  # noqa: (?!.*on purpose:).*")
"""Directives for the linter; the reason for a deliberate mistake stays."""
_COMMENT = re.compile(r"  # .*")
_INDENTATION = " " * 4

_TraceFunction = Callable[[FrameType, str, Any], Any]


@dataclass
class Invocation:
    """One invocation of a handler: the body, run from the top.

    Parameters:
        started: when it started, in virtual time.
        lines: the lines of the handler's file that it executed, in order, without clauses that
            did not match what was raised; none if a decorator answered instead.
        outcome: how it ended: the execution's status with its result or error, or a suspension.
    """

    started: datetime
    lines: list[int] = field(default_factory=list)
    outcome: str = SUSPENDED


@dataclass(frozen=True)
class Side:
    """One of the two handlers of a lesson, and a run of it.

    Parameters:
        code: the handler's source.
        invocations: every invocation of the run, in order.
        recording: the recording of the run.
    """

    handler: Handler
    code: str
    invocations: Sequence[Invocation]
    recording: Recording

    @property
    def first_line(self) -> int:
        """The line of the handler's file at which the code starts."""
        return _code_of(self.handler).co_firstlineno

    def source(self, line: int) -> str:
        """Return a line of the handler's file, without comment and the indentation of a body."""
        text = linecache.getline(_code_of(self.handler).co_filename, line)
        return _COMMENT.sub("", text).removeprefix(_INDENTATION).rstrip()


@dataclass(frozen=True)
class Lesson:
    """A gotcha, explained by a run of both of its handlers.

    Parameters:
        title, rule: the first sentence of the module's docstring, and the rest of it.
        shows: what a run of the broken handler shows.
        finding: the code of the finding that `dacapo verify` reports for it.
        target: the broken scenario, as `dacapo verify` takes it.
    """

    name: str
    title: str
    rule: str
    shows: str
    finding: str
    target: str
    broken: Side
    fixed: Side


def titles() -> dict[str, str]:
    """Return the title of each gotcha by its name, in teaching order."""
    return {name: heading(name)[0] for name in GOTCHAS}


def lesson(name: str) -> Lesson:
    """Run both handlers of a gotcha, and return the lesson.

    Parameters:
        name: one of `GOTCHAS`.

    Raises:
        KeyError: there is no gotcha of this name.
    """
    finding = VERDICTS[name].finding
    module, (title, rule) = module_of(name), heading(name)
    return Lesson(
        name=name,
        title=title,
        rule=rule,
        shows=module.SHOWS,
        finding=finding,
        target=f"gotchas/{name}.py:breaks",
        broken=_side(module.breaks),
        fixed=_side(module.holds),
    )


def _side(scenario: Scenario) -> Side:
    with traced(scenario.handler) as invocations:
        recording = dacapo.run(scenario)
    if recording.ended is None:
        invocations[-1].outcome = NEVER_RESUMED
    else:
        invocations = list(_all_invocations(invocations, recording))
    code = _NOQA.sub("", inspect.getsource(inspect.unwrap(scenario.handler)))
    return Side(scenario.handler, code, invocations, recording)


def _all_invocations(traced: Sequence[Invocation], recording: Recording) -> Iterator[Invocation]:
    """Yield every invocation with its outcome, also those that never reached the body."""
    waiting = list(traced)
    for recorded in recording.invocations:
        has_lines = bool(waiting) and waiting[0].started == recorded.started
        invocation = waiting.pop(0) if has_lines else Invocation(recorded.started)
        yield replace(invocation, outcome=_outcome(recording, recorded.status))


def _outcome(recording: Recording, status: str) -> str:
    if status == "SUCCEEDED":
        return f"SUCCEEDED {recording.output}"
    if status == "FAILED" and recording.error:
        return f"FAILED {(recording.error.type or '').rpartition('.')[2]}"
    return SUSPENDED if status == "PENDING" else status


@contextmanager
def traced(handler: Handler) -> Iterator[list[Invocation]]:
    """Context manager that records which lines each invocation of a handler executes.

    It traces threads that start inside it: the SDK runs a handler in a thread of its own.

    Parameters:
        handler: a function, decorated or not.
    """
    body = _code_of(handler)
    invocations: list[Invocation] = []

    last: dict[int, int] = {}  # by thread, because threads take turns as they like

    def trace_line(frame: FrameType, event: str, _: Any) -> _TraceFunction:
        thread = threading.get_ident()
        if event == "line" and last.get(thread) != frame.f_lineno:
            last[thread] = frame.f_lineno
            invocations[-1].lines.append(frame.f_lineno)
        return trace_line

    def trace_call(frame: FrameType, _: str, __: Any) -> _TraceFunction | None:
        if frame.f_code is body:
            invocations.append(Invocation(datetime.now(UTC)))
            last.clear()
        is_of_file = frame.f_code.co_filename == body.co_filename
        return trace_line if is_of_file and invocations else None

    previous = threading.gettrace()
    threading.settrace(trace_call)
    try:
        yield invocations
    finally:
        threading.settrace(previous)
    clauses = _clauses(body.co_filename)
    for invocation in invocations:
        invocation.lines = [*_without_unmatched(invocation.lines, clauses)]


def _clauses(filename: str) -> dict[int, tuple[range, range]]:
    """Return the lines of each `except` clause and of its body, by every line of the clause."""
    clauses = {}
    for node in ast.walk(ast.parse(Path(filename).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            start, last = node.body[0].lineno, node.body[-1]
            header = range(node.lineno, start)
            body = range(start, (last.end_lineno or last.lineno) + 1)
            clauses.update(dict.fromkeys(header, (header, body)))
    return clauses


def _without_unmatched(
    lines: Sequence[int], clauses: Mapping[int, tuple[range, range]]
) -> Iterator[int]:
    """Yield executed lines, without the clauses that Python only compared with what was raised."""
    for number, line in enumerate(lines):
        header, body = clauses.get(line, (range(0), range(0)))
        following = next((each for each in lines[number:] if each not in header), None)
        if not header or following in body:
            yield line


def _code_of(handler: Handler) -> CodeType:
    function: Any = inspect.unwrap(handler)
    code: CodeType = function.__code__
    return code


def heading(name: str) -> tuple[str, str]:
    """Return the title of a gotcha, its docstring's first sentence, and its rule, the rest."""
    title, _, rule = inspect.cleandoc(module_of(name).__doc__ or "").partition("\n\n")
    return title, rule


def module_of(name: str) -> ModuleType:
    """Return the module of a gotcha."""
    return import_module(f"gotchas.{name}")
