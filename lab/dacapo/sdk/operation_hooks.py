"""Hooks into the SDK's operations: collect what they raise, or wait instead of suspending."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from traceback import walk_tb
from types import FrameType
from typing import Any, NamedTuple
from unittest.mock import patch

from aws_durable_execution_sdk_python import context
from aws_durable_execution_sdk_python.concurrency import executor
from aws_durable_execution_sdk_python.exceptions import (
    DurableOperationError,
    NonDeterministicExecutionError,
    SuspendExecution,
)
from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python.operation.base import OperationExecutor

from dacapo.process import source_lines
from dacapo.process.source_lines import Place

Method = Callable[..., Any]

_OPERATIONS = (
    *("step", "invoke", "map", "parallel", "run_in_child_context"),
    *("wait_for_callback", "wait_for_condition"),
)
"""Methods of a context that can raise another party's error."""
_ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")
"""An operation's ID; its first eight digits are enough to identify it."""


class Divergence(NamedTuple):
    """A divergence from the history that the SDK detected, and the line that caused it."""

    message: str
    place: Place | None


@contextmanager
def divergences() -> Iterator[list[Divergence]]:
    """Context manager that collects every divergence that the SDK detects, swallowed or not."""
    collected: list[Divergence] = []
    initialize = NonDeterministicExecutionError.__init__

    def collect(self: NonDeterministicExecutionError, *arguments: Any, **named: Any) -> None:
        initialize(self, *arguments, **named)
        message = _ID.sub(lambda match: match[1], str(self))
        collected.append(Divergence(message, source_lines.current_line()))

    with patch.object(NonDeterministicExecutionError, "__init__", collect):
        yield collected


class Failure(NamedTuple):
    """An exception that became the error of an operation or an execution, and its line.

    Parameters:
        message, name: its text, and the name of its class.
        is_of_machine: whether this machine lacks something: an environment variable, a module, a
            file. That says nothing of the code.
        is_wrapper: whether it is the SDK's, around another one that made an operation fail.
    """

    message: str
    name: str
    place: Place | None
    is_of_machine: bool = False
    is_wrapper: bool = False


@contextmanager
def failures() -> Iterator[list[Failure]]:
    """Context manager that collects every exception that is turned into an error, in order."""
    collected: list[Failure] = []
    convert = ErrorObject.from_exception.__func__  # type: ignore[attr-defined]

    def converting(cls: type[ErrorObject], exception: BaseException) -> ErrorObject:
        error: ErrorObject = convert(cls, exception)
        # An error of the SDK's own threads came through no line of the handler; what the handler
        # got in its place did.
        raised = (one for one in (exception, sys.exception()) if one is not None)
        failure = Failure(
            error.message or "",
            type(exception).__name__,
            next(filter(None, map(source_lines.raised_at, raised)), None),
            _is_of_machine(exception),
            isinstance(exception, DurableOperationError),
        )
        collected.append(failure)
        return error

    with patch.object(ErrorObject, "from_exception", classmethod(converting)):
        yield collected


def _is_of_machine(exception: BaseException) -> bool:
    """Return whether an exception, or one that it was raised for, is about this machine."""
    chain: list[BaseException] = []
    following: BaseException | None = exception
    # A chain can be a circle.
    while following is not None and all(following is not one for one in chain):
        chain.append(following)
        following = following.__cause__ or following.__context__
    return any(map(_is_about_machine, chain))


def _is_about_machine(exception: BaseException) -> bool:
    if not isinstance(exception, KeyError):
        return isinstance(exception, ImportError | OSError)
    frames = [frame for frame, _ in walk_tb(exception.__traceback__)]
    return bool(frames) and frames[-1].f_globals.get("__name__") == os.__name__


def place_of(error: ErrorObject | None, collected: Sequence[Failure]) -> Place | None:
    """Return the line that raised the exception behind an error; None if it is not known."""
    matches = (failure for failure in _matches(error, collected) if failure.place)
    return next((failure.place for failure in matches), None)


def cause_of(error: ErrorObject | None, collected: Sequence[Failure]) -> Failure | None:
    """Return the exception in an operation that an error of the SDK's stands for, if it does."""
    if error is None or not any(one.is_wrapper for one in _matches(error, collected)):
        return None
    causes = (one for one in reversed(collected) if one.message == (error.message or ""))
    return next((one for one in causes if one.place and not one.is_wrapper), None)


def _matches(error: ErrorObject | None, collected: Sequence[Failure]) -> Iterator[Failure]:
    if error is not None:
        name = (error.type or "").rpartition(".")[2]
        wanted = (error.message or "", name)
        yield from (one for one in reversed(collected) if (one.message, one.name) == wanted)


@contextmanager
def operation_errors(report: Callable[[Exception, FrameType], None]) -> Iterator[None]:
    """Context manager that reports every error that an operation raises in a handler.

    Parameters:
        report: takes the error and the frame of user code that called the operation.
    """

    def reporting(method: Method) -> Method:
        def call(self: Any, *arguments: Any, **named: Any) -> Any:
            try:
                return method(self, *arguments, **named)
            except Exception as error:
                frame = sys._getframe(1)  # noqa: SLF001 - the documented way to look up
                if source_lines.is_user_code(frame.f_code):  # operations call each other
                    report(error, frame)
                raise

        return call

    with ExitStack() as stack:
        for owner, name in (
            *((context.DurableContext, name) for name in _OPERATIONS),
            (context.Callback, "result"),
        ):
            stack.enter_context(patch.object(owner, name, reporting(getattr(owner, name))))
        yield


@contextmanager
def concurrency_limits() -> Iterator[dict[tuple[str, str], int]]:
    """Context manager that collects `max_concurrency` of each batch, by execution ARN and ID."""
    collected: dict[tuple[str, str], int] = {}
    execute = executor.ConcurrentExecutor.execute

    def collecting(self: Any, execution_state: Any, executor_context: Any) -> Any:
        if self.max_concurrency is not None:
            batch = executor_context._parent_id  # noqa: SLF001 - its context is inside the batch
            collected[execution_state.durable_execution_arn, batch] = self.max_concurrency
        return execute(self, execution_state, executor_context)

    with patch.object(executor.ConcurrentExecutor, "execute", collecting):
        yield collected


@contextmanager
def suspensions() -> Iterator[list[str]]:
    """Context manager that collects every suspension of a handler outside its branches."""
    collected: list[str] = []

    def collecting(method: Method, branches: Branches) -> Method:
        def call(self: Any, *arguments: Any, **named: Any) -> Any:
            try:
                return method(self, *arguments, **named)
            except SuspendExecution as suspension:
                if not branches.depth:
                    collected.append(str(suspension))
                raise

        return call

    with wrapping_operations(collecting):
        yield collected


class Branches(threading.local):
    """Number of nested branches that a thread is in."""

    depth = 0


@contextmanager
def wrapping_operations(wrap: Callable[[Method, Branches], Method]) -> Iterator[None]:
    """Context manager that wraps every method that can suspend."""
    branches = Branches()
    work = executor.ConcurrentExecutor._branch_worker  # noqa: SLF001

    def branch(self: Any, *arguments: Any, **named: Any) -> None:
        branches.depth += 1
        try:
            work(self, *arguments, **named)
        finally:
            branches.depth -= 1

    with (
        patch.object(executor.ConcurrentExecutor, "_branch_worker", branch),
        patch.object(OperationExecutor, "process", wrap(OperationExecutor.process, branches)),
        patch.object(context.Callback, "result", wrap(context.Callback.result, branches)),
    ):
        yield
