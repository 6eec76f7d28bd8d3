"""Lines of a handler's file: which statement each belongs to, and what runs of them.

Python's line events say less, and more, than a reader wants: a statement of several lines has
several, a lambda repeats that of its line, and an `except` that does not match has one.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from types import CodeType, FrameType
from typing import Any

from aws_durable_execution_sdk_python.exceptions import SuspendExecution
from aws_durable_execution_sdk_python.lambda_service import OperationAction, OperationUpdate

from dacapo.process.source_lines import is_user_code, tree_of
from dacapo.report.page.model import Block
from dacapo.service.client import Probe
from dacapo.service.functions import Handler
from dacapo.simulation import boto

MOST_READS = 200_000
"""Reads that are kept of a run: a long one reads back everything in each of its passes."""
_NOQA = re.compile(r"noqa: [A-Z0-9, ]+ - on purpose: |  # noqa(: (?!.*on purpose:).*)?$")
"""Directives for the linter; the reason for a deliberate mistake stays."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_TraceFunction = Callable[[FrameType, str, Any], Any]


def code_of(handler: Handler) -> CodeType | None:
    """Return the code of a handler's body; None if it is not a function of the user's."""
    code = getattr(inspect.unwrap(handler), "__code__", None)
    return code if isinstance(code, CodeType) and is_user_code(code) else None


class SourceMap:
    """The statements of a file."""

    def __init__(self, file: str) -> None:
        self.file = file

    def statement_of(self, line: int) -> int:
        """Return the first line of the statement that a line belongs to."""
        return self._starts.get(line, line)

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        """First and last line of each statement, of a compound one without its body."""
        return sorted(
            (node.lineno, max(node.lineno, _end_of_head(node)))
            for node in ast.walk(tree_of(self.file))
            if isinstance(node, ast.stmt)
        )

    @cached_property
    def _starts(self) -> dict[int, int]:
        return {line: first for first, last in self._spans for line in range(first, last + 1)}

    @cached_property
    def excepts(self) -> dict[int, range]:
        """The lines inside each `except`, by its own line."""
        return {
            node.lineno: range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1)
            for node in ast.walk(tree_of(self.file))
            if isinstance(node, ast.ExceptHandler)
        }

    def blocks(self, body: CodeType, ran: set[int]) -> list[Block]:
        """Return the handler's function, and the functions of its file that ran.

        Parameters:
            body: the handler's code.
            ran: the lines that ran.
        """
        return list(self._blocks(tree_of(self.file), body, ran))

    def _blocks(self, parent: ast.AST, body: CodeType, ran: set[int]) -> Iterator[Block]:
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, _FUNCTIONS):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                inside = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                is_handler = first == body.co_firstlineno
                holds = not is_handler and body.co_firstlineno in inside
                if holds:  # a handler inside another function: a test, for example
                    yield from self._blocks(node, body, ran)
                elif is_handler or ran.intersection(inside):
                    docstrings = tuple(_docstrings(node))
                    block = self._block(node.name, first, inside[-1], is_handler=is_handler)
                    yield replace(block, docstrings=docstrings)
            elif isinstance(node, ast.ClassDef | ast.If | ast.Try):
                yield from self._blocks(node, body, ran)

    def _block(self, name: str, first: int, last: int, *, is_handler: bool) -> Block:
        texts = [linecache.getline(self.file, line).rstrip() for line in range(first, last + 1)]
        indent = len(texts[0]) - len(texts[0].lstrip())
        texts = [_NOQA.sub("", text[indent:]) for text in texts]
        spans = [span for span in self._spans if first <= span[0] < span[1] <= last]
        return Block(name, first, texts, spans, is_handler=is_handler)


def _docstrings(function: ast.AST) -> Iterator[tuple[int, int]]:
    for node in ast.walk(function):
        if isinstance(node, _FUNCTIONS) and ast.get_docstring(node) is not None:
            text = node.body[0]
            if text.end_lineno and text.end_lineno > text.lineno:
                yield text.lineno, text.end_lineno


def _end_of_head(node: ast.stmt) -> int:
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        return node.lineno
    body = getattr(node, "body", None)
    return body[0].lineno - 1 if isinstance(body, list) else node.end_lineno or node.lineno


@dataclass
class Traced:
    """One invocation of a handler, as its body ran.

    Parameters:
        started: when it started, in virtual time.
        lines: how often each line ran, in order of the first time.
        suspended_at: the lines at which it was suspended.
        reads: IDs of the operations that it read back; None if they are too many to keep.
        is_traced: whether its lines were traced; a long execution has too many invocations.
    """

    started: datetime
    lines: Counter[int] = field(default_factory=Counter)
    suspended_at: dict[int, None] = field(default_factory=dict)
    reads: dict[str, None] | None = field(default_factory=dict)
    is_traced: bool = True


class LineTracer(Probe):
    """Records the lines that each invocation of a handler runs, and those that start operations.

    Parameters:
        body: the handler's code.
        chosen: the invocations whose lines are traced, by their indexes; None for all.
    """

    def __init__(self, body: CodeType, chosen: Container[int] | None = None) -> None:
        self.body = body
        self._chosen = chosen
        self.map = SourceMap(body.co_filename)
        self.invocations: dict[str, list[Traced]] = {}
        self.places: dict[tuple[str, str], int] = {}
        self._reads = 0

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Context manager in which it traces, in threads that start inside it.

        The SDK runs a handler in a thread of its own.
        """
        previous = threading.gettrace()
        threading.settrace(self._trace_call)
        try:
            yield
        finally:
            threading.settrace(previous)

    def on_read(self, operation_id: str) -> None:
        """Record that the handler reads an operation back, and at which line."""
        arn, current = self._current()
        if current is None:
            return
        self._reads += 1
        if self._reads > MOST_READS:
            current.reads = None
        if current.reads is not None:
            current.reads[operation_id] = None
        self._place(arn, operation_id)

    def intercept_checkpoint(self, update: OperationUpdate, *, is_sync: bool) -> bool:
        """Let every update pass, and record the line that starts an operation."""
        _ = is_sync
        if update.action is OperationAction.START:
            self._place(boto.active().execution(), update.operation_id)
        return False

    def line_here(self) -> int | None:
        """Return the innermost line of the handler's file that is executing; None for none."""
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way
        while frame is not None and frame.f_code.co_filename != self.map.file:
            frame = frame.f_back
        return self.map.statement_of(frame.f_lineno) if frame else None

    def traced_here(self) -> Traced | None:
        """Return the pass that is running; None for none."""
        return self._current()[1]

    def _current(self) -> tuple[str, Traced | None]:
        arn = boto.active().execution()
        of_execution = self.invocations.get(arn)
        return arn, of_execution[-1] if of_execution else None

    def _place(self, arn: str, operation_id: str) -> None:
        if (arn, operation_id) not in self.places:
            line = self.line_here()
            if line is not None:
                self.places[arn, operation_id] = line

    def _trace_call(self, frame: FrameType, _: str, __: Any) -> _TraceFunction | None:
        if frame.f_code.co_filename != self.map.file:
            return None
        if frame.f_code is self.body:
            self._begin()
        current = self._current()[1]
        if current is not None and not current.is_traced:
            sys.settrace(None)  # in this thread, which belongs to this invocation
            return None
        return _lines_of(current, self.map) if current else None

    def _begin(self) -> None:
        before = self.invocations.setdefault(boto.active().execution(), [])
        is_traced = self._chosen is None or len(before) in self._chosen
        before.append(Traced(datetime.now(UTC), is_traced=is_traced))


def _lines_of(current: Traced, source: SourceMap) -> _TraceFunction:
    """Return what traces the lines of one call of a function."""
    waiting: list[int] = []  # an `except` that has not matched yet
    last = 0

    def count(line: int) -> None:
        nonlocal last
        if line != last:  # a statement of several lines
            current.lines[line] += 1
            last = line

    def trace(_frame: FrameType, event: str, argument: Any) -> _TraceFunction:
        line = _frame.f_lineno
        if event == "line" and not _frame.f_code.co_name.startswith("<"):
            # Not a lambda or a comprehension: the statement that it is in has run.
            if waiting and line in source.excepts[waiting[0]]:
                count(waiting[0])
            waiting.clear()
            if line in source.excepts:
                waiting.append(line)
            else:
                count(source.statement_of(line))
        elif event == "exception" and issubclass(argument[0], SuspendExecution):
            current.suspended_at[source.statement_of(line)] = None
        return trace

    return trace
