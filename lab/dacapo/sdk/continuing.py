"""Runs without replay: a handler continues where the SDK would suspend it.

The invocation ends, and the next one begins, only in the service's books; see `ServiceClient.park`.
In a branch of `map` or `parallel` the SDK suspends as usual: the other branches have to run first,
and then the batch as a whole is called again.

The recording equals that of a run with replay if the body is safe to replay. What it cannot show is
what a body does again on every replay: it reads the clock, draws, or sleeps; and a `finally` runs
at every suspension. The last two can be seen, and are refused.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from types import FrameType
from typing import Any

from aws_durable_execution_sdk_python.context import DurableContext
from aws_durable_execution_sdk_python.exceptions import SuspendExecution

from dacapo.errors import ScenarioError
from dacapo.process import source_lines
from dacapo.process.source_lines import Place
from dacapo.scheduling.scheduler import Scheduler, here
from dacapo.sdk.operation_hooks import Branches, Method, wrapping_operations

_OPERATIONS = {name for name in vars(DurableContext) if not name.startswith("_")}


@contextmanager
def continuing(*, strict: bool = True) -> Iterator[None]:
    """Context manager that lets handlers continue where the SDK would suspend them.

    Parameters:
        strict: refuse a handler that sleeps outside steps, or has operations in a `finally`.

    Raises:
        ScenarioError: by the run, if it refuses the handler.
    """
    scheduler = here()
    if scheduler is None:
        raise RuntimeError("a run without replay needs a simulation that is running")

    def waiting(method: Method, branches: Branches) -> Method:
        def call(self: Any, *arguments: Any, **named: Any) -> Any:
            while True:
                try:
                    return method(self, *arguments, **named)
                except SuspendExecution:
                    # Without a token the service has ended the invocation: the next one replays.
                    if branches.depth or self.state.is_checkpoint_token_revoked:
                        raise
                    if strict:
                        _check_frames(scheduler, sys._getframe(1))  # noqa: SLF001 - documented
                    if not self.state.park():
                        raise

        return call

    if strict:
        scheduler.on_sleep = partial(sleeping_outside_steps, scheduler, partial(_refuse, scheduler))
    with wrapping_operations(waiting):
        yield


def sleeping_outside_steps(scheduler: Scheduler, report: Callable[[Place | None], None]) -> None:
    """Report the line at which a durable handler sleeps, if that is outside every step."""
    task = scheduler.current
    if task.sandbox is not None and task.sandbox.is_replayed and not task.is_in_step:
        report(source_lines.current_line())


def _refuse(scheduler: Scheduler, place: Place | None) -> None:
    scheduler.fail(_refused(f"the handler sleeps outside its steps, at {place}"))


def _check_frames(scheduler: Scheduler, frame: FrameType | None) -> None:
    while frame is not None:
        if source_lines.is_user_code(frame.f_code):
            line = _operation_in_finally(frame.f_code.co_filename, frame.f_lineno)
            if line is not None:
                place = Place(frame.f_code.co_filename, line)
                scheduler.fail(_refused(f"a `finally` has a durable operation, at {place}"))
        frame = frame.f_back


def _refused(what: str) -> ScenarioError:
    return ScenarioError(f"{what}: a run with replay has another recording, so run it with replay")


@cache
def _operation_in_finally(file: str, line: int) -> int | None:
    """Return the line of an operation in a `finally` around a line, if there is one."""
    around = (
        node
        for node in ast.walk(source_lines.tree_of(file))
        if isinstance(node, ast.Try)
        and node.finalbody
        and node.lineno <= line < node.finalbody[0].lineno
    )
    calls = (
        inner
        for node in around
        for statement in node.finalbody
        for inner in ast.walk(statement)
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute)
    )
    return next((c.lineno for c in calls if getattr(c.func, "attr", "") in _OPERATIONS), None)
