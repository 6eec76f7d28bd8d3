"""What operations of the SDK do in a handler: diverge, suspend, and go on where they would not."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, NamedTuple
from unittest.mock import patch

from aws_durable_execution_sdk_python import context
from aws_durable_execution_sdk_python.concurrency import executor
from aws_durable_execution_sdk_python.exceptions import (
    NonDeterministicExecutionError,
    SuspendExecution,
)
from aws_durable_execution_sdk_python.operation.base import OperationExecutor

from dacapo import places
from dacapo.places import Place

Ask = Callable[..., Any]

_OPERATIONS = (
    *("step", "invoke", "map", "parallel", "run_in_child_context"),
    *("wait_for_callback", "wait_for_condition"),
)
"""Methods of a context that can fail with what somebody else did."""
_ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")
"""An operation's id; its beginning tells it from others."""


class Divergence(NamedTuple):
    """What the SDK found to be other than recorded, and the line that asked for it."""

    message: str
    place: Place | None


@contextmanager
def divergences() -> Iterator[list[Divergence]]:
    """While this lasts, collects each divergence that the SDK finds, swallowed or not."""
    found: list[Divergence] = []
    make = NonDeterministicExecutionError.__init__

    def told(self: NonDeterministicExecutionError, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        message = _ID.sub(lambda match: match[1], str(self))
        found.append(Divergence(message, places.acting()))

    with patch.object(NonDeterministicExecutionError, "__init__", told):
        yield found


@contextmanager
def failures(tell: Callable[[Exception, FrameType], None]) -> Iterator[None]:
    """While this lasts, tells of each error that an operation raises where a handler asked for it.

    Parameters:
        tell: is given the error and the frame of the user's that gets it.
    """

    def told(ask: Ask) -> Ask:
        def asking(self: Any, *arguments: Any, **named: Any) -> Any:
            try:
                return ask(self, *arguments, **named)
            except Exception as error:
                frame = sys._getframe(1)  # noqa: SLF001 - the documented way to look up
                if places.is_users(frame.f_code):  # operations are made of others
                    tell(error, frame)
                raise

        return asking

    with ExitStack() as stack:
        for owner, name in (
            *((context.DurableContext, name) for name in _OPERATIONS),
            (context.Callback, "result"),
        ):
            stack.enter_context(patch.object(owner, name, told(getattr(owner, name))))
        yield


@contextmanager
def suspensions() -> Iterator[list[str]]:
    """While this lasts, collects each suspension of a handler, outside its branches."""
    found: list[str] = []

    def told(ask: Ask, branches: _Branches) -> Ask:
        def asking(self: Any, *arguments: Any, **named: Any) -> Any:
            try:
                return ask(self, *arguments, **named)
            except SuspendExecution as suspension:
                if not branches.depth:
                    found.append(str(suspension))
                raise

        return asking

    with _asking(told):
        yield found


@contextmanager
def uninterrupted() -> Iterator[None]:
    """While this lasts, an invocation is not suspended where something can still happen.

    Where the SDK would suspend the handler, time passes until something has changed for it, and
    the operation is asked again. In a branch of `map` or `parallel` the SDK suspends as ever: the
    other branches have to come first, and the batch as a whole is asked again.
    """

    def again(ask: Ask, branches: _Branches) -> Ask:
        def asking(self: Any, *arguments: Any, **named: Any) -> Any:
            while True:
                try:
                    return ask(self, *arguments, **named)
                except SuspendExecution:
                    client = self.state._service_client  # noqa: SLF001
                    if branches.depth or not client.advance():
                        raise
                    # An empty checkpoint brings what has changed back.
                    self.state.create_checkpoint()

        return asking

    with _asking(again):
        yield


class _Branches(threading.local):
    """How many branches a thread is in."""

    depth = 0


@contextmanager
def _asking(around: Callable[[Ask, _Branches], Ask]) -> Iterator[None]:
    """Put something around all that suspends."""
    branches = _Branches()
    work = executor.ConcurrentExecutor._branch_worker  # noqa: SLF001

    def branch(self: Any, *arguments: Any, **named: Any) -> None:
        branches.depth += 1
        try:
            work(self, *arguments, **named)
        finally:
            branches.depth -= 1

    with (
        patch.object(executor.ConcurrentExecutor, "_branch_worker", branch),
        patch.object(OperationExecutor, "process", around(OperationExecutor.process, branches)),
        patch.object(context.Callback, "result", around(context.Callback.result, branches)),
    ):
        yield
