"""The only module that touches private names of the SDK: each with its reason.

The SDK runs unchanged in a run but for three things, all of them about *when* it does something,
none about what:

- It ends an invocation by letting a background thread notice, up to 100 ms later, and waits 1 ms
  for more work at each synchronous checkpoint. Virtual time makes both of them the whole cost of
  a run, so the thread is woken instead.
- What is still queued when an invocation ends is sent or not sent as threads have it. Here it is
  always sent.
- Branches of `map` and `parallel` run in threads. Here they run one at a time, in an order that
  the run's seed chooses; with threads, the same handler gives another history in every run.

Whoever wants to know what an invocation does puts a `Probe` on its service client: it is told what
is read back, what is checkpointed, and which of the handler's functions runs.

`check` turns a change of these names in the SDK into a plain error; tests/lab/test_sdk_internals.py
says of each when it can go.
"""

from __future__ import annotations

import functools
import inspect
import queue
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aws_durable_execution_sdk_python import __version__, context, execution, state
from aws_durable_execution_sdk_python.concurrency import executor
from aws_durable_execution_sdk_python.exceptions import (
    NonDeterministicExecutionError,
    SuspendExecution,
)
from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import (
    Operation,
    OperationType,
    OperationUpdate,
)
from aws_durable_execution_sdk_python.operation.base import OperationExecutor

from dacapo import chance

Ask = Callable[..., Any]
Branch = tuple[Callable[..., object], tuple[Any, ...]]


class SdkChangedError(RuntimeError):
    """The installed SDK lacks something that `dacapo` relies on."""


def is_durable(handler: Callable[..., object] | None) -> bool:
    """Whether `durable_execution` made this handler, or one that it wraps.

    The SDK's wrapper carries the name and module of what it wraps; only its globals give it away.
    """
    while handler is not None:
        if getattr(handler, "__globals__", None) is vars(execution):
            return True
        handler = getattr(handler, "__wrapped__", None)
    return False


def runs_user_code(thread: threading.Thread) -> bool:
    """Whether this is one of the threads in which the SDK calls a handler."""
    return thread.name.startswith("dex-handler")


def official_clock(runner: Any) -> Callable[[], datetime]:
    """The virtual clock of an official local runner, which skips waits; the runner hides it.

    Raises:
        SdkChangedError: the testing SDK is not as this module knows it.
    """
    clock: Any = getattr(runner, "_clock", None)
    _require(hasattr(clock, "now"), "DurableFunctionTestRunner._clock.now")
    now: Callable[[], datetime] = clock.now
    return now


@cache
def check() -> None:
    """Make sure that the SDK is as this module knows it.

    Raises:
        SdkChangedError: it is not; says what is missing.
    """
    for module, name in (
        (execution, "ExecutionState"),
        (state, "_BLOCKED_CALLER_WAIT_SECONDS"),
        (state, "_Signal"),
        (executor, "ThreadPoolExecutor"),
        (executor.ConcurrentExecutor, "_branch_worker"),
        (OperationExecutor, "process"),
        (context.Callback, "result"),
        (executor, "queue"),
    ):
        _require(hasattr(module, name), f"{module.__name__}.{name}")
    for name, expected in (
        ("create_checkpoint", ["operation_update", "is_sync"]),
        ("get_checkpoint_result", ["checkpoint_id", "claim_end_hook"]),
        (
            "wrap_user_function",
            ["user_function", "operation_identifier", "is_replay_children", "attempt"],
        ),
    ):
        method = getattr(state.ExecutionState, name, lambda: None)
        parameters = list(inspect.signature(method).parameters)
        _require(
            parameters == ["self", *expected],
            f"state.ExecutionState.{name}({', '.join(expected)})",
        )
    source = inspect.getsource(state.ExecutionState.__init__)
    for attribute in ("_checkpoint_queue", "_checkpointing_stopped", "_service_client"):
        _require(f"self.{attribute}" in source, f"state.ExecutionState.{attribute}")


def _require(is_there: bool, what: str) -> None:
    if not is_there:
        raise SdkChangedError(
            f"dacapo needs {what}, which SDK {__version__} does not have: "
            "install the SDK version that constraints.txt names, or a newer dacapo."
        )


class Probe:
    """Is told what an invocation does; this one lets it."""

    def reads(self, operation_id: str) -> None:
        """The handler reads back what it recorded of an operation."""

    def takes(self, update: OperationUpdate, *, is_sync: bool) -> bool:
        """Whether the probe keeps a checkpoint to itself, so that it is not sent."""
        _ = update, is_sync
        return False

    def around(
        self, operation: OperationIdentifier, attempt: int, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        """What is called instead of a function of the handler's: a step, a poll, a child's body."""
        _ = operation, attempt
        return function


class PromptState(state.ExecutionState):
    """The SDK's state of one invocation, without idle waits, and ended in a defined way."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_behind = False
        client: Any = self._service_client
        if hasattr(client, "flush"):
            client.flush = self.flush
        self._probe: Probe = getattr(client, "probe", None) or Probe()

    def get_checkpoint_result(self, checkpoint_id: str, *, claim_end_hook: bool = True) -> Any:
        """As the SDK does it; a read that only looks ahead is not told."""
        result = super().get_checkpoint_result(checkpoint_id, claim_end_hook=claim_end_hook)
        if claim_end_hook and result.operation is not None:
            self._probe.reads(checkpoint_id)
        return result

    def create_checkpoint(
        self, operation_update: OperationUpdate | None = None, is_sync: bool = True
    ) -> None:
        """As the SDK does it; remembers whether something is under way in the background."""
        if operation_update is not None and self._probe.takes(operation_update, is_sync=is_sync):
            return
        super().create_checkpoint(operation_update, is_sync)
        self._is_behind = not is_sync

    def wrap_user_function(
        self,
        user_function: Callable[..., Any],
        operation_identifier: OperationIdentifier,
        is_replay_children: bool = False,
        attempt: int | None = None,
    ) -> Callable[..., Any]:
        """As the SDK does it, around what the probe gives."""
        function = self._probe.around(operation_identifier, attempt or 1, user_function)
        if operation_identifier.operation_type is OperationType.STEP:
            function = _drawing_its_own(function, operation_identifier.operation_id, attempt)
        wrapped: Callable[..., Any] = super().wrap_user_function(
            function, operation_identifier, is_replay_children, attempt
        )
        return wrapped

    def flush(self) -> None:
        """Wait until everything that was checkpointed so far has been stored."""
        if self._is_behind and not self._checkpointing_stopped.is_set():
            self.create_checkpoint()

    def stop_checkpointing(self) -> None:
        """Send what is still queued, then end the background thread at once."""
        with suppress(BaseException):  # the invocation is over: nobody is left to tell
            self.flush()
        super().stop_checkpointing()
        self._checkpoint_queue.put(state._Signal.REFRESH_WAKE)  # noqa: SLF001


def _drawing_its_own(function: Callable[..., Any], *parts: object) -> Callable[..., Any]:
    @functools.wraps(function)
    def drawing(*arguments: Any, **named: Any) -> Any:
        with chance.drawn_for(*parts):
            return function(*arguments, **named)

    return drawing


class _SerialQueue(queue.Queue[Any]):
    """The queue of a coordinator: asked for an event, it first runs a branch that is waiting."""

    latest = threading.local()

    def __init__(self, order: random.Random) -> None:
        super().__init__()
        self.waiting: list[Branch] = []
        self._order = order
        self.latest.queue = self

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002
        while self.empty() and self.waiting:
            run, arguments = self.waiting.pop(self._order.randrange(len(self.waiting)))
            with suppress(BaseException):  # it is on the queue as an event; a pool drops it too
                run(*arguments)
        return super().get(block=False)


class _SerialPool:
    """The pool of a coordinator, which makes its queue just before it."""

    def __init__(self, max_workers: int) -> None:  # noqa: ARG002 - one at a time, however many
        self._waiting = _SerialQueue.latest.queue.waiting

    def submit(self, run: Callable[..., object], *arguments: Any) -> None:
        self._waiting.append((run, arguments))

    def shutdown(self, **_: bool) -> None:
        self._waiting.clear()


@contextmanager
def in_simulation(seed: int) -> Iterator[None]:
    """While this lasts, the SDK does not idle, and its branches run in the order of `seed`.

    Raises:
        SdkChangedError: the installed SDK is not as this module knows it.
    """
    check()
    order = random.Random(f"branches {seed}")  # noqa: S311 - to be the same again
    serial = SimpleNamespace(Queue=lambda: _SerialQueue(order), Empty=queue.Empty)
    with ExitStack() as stack:
        for module, name, value in (
            (execution, "ExecutionState", PromptState),
            (state, "_BLOCKED_CALLER_WAIT_SECONDS", 0),
            (executor, "ThreadPoolExecutor", _SerialPool),
            (executor, "queue", serial),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield


@contextmanager
def divergences() -> Iterator[list[str]]:
    """While this lasts, collects each divergence that the SDK finds, swallowed or not."""
    found: list[str] = []
    validate = OperationIdentifier.validate_checkpoint

    def told(self: OperationIdentifier, checkpoint: Operation | None) -> None:
        try:
            validate(self, checkpoint)
        except NonDeterministicExecutionError as error:
            found.append(str(error))
            raise

    with patch.object(OperationIdentifier, "validate_checkpoint", told):
        yield found


@contextmanager
def _asking(around: Callable[[Ask], Ask]) -> Iterator[threading.local]:
    """Put something around all that suspends; gives how many branches each thread is in."""
    inside = threading.local()
    work = executor.ConcurrentExecutor._branch_worker  # noqa: SLF001

    def branch(self: Any, *arguments: Any, **named: Any) -> None:
        inside.branches = getattr(inside, "branches", 0) + 1
        try:
            work(self, *arguments, **named)
        finally:
            inside.branches -= 1

    with (
        patch.object(executor.ConcurrentExecutor, "_branch_worker", branch),
        patch.object(OperationExecutor, "process", around(OperationExecutor.process)),
        patch.object(context.Callback, "result", around(context.Callback.result)),
    ):
        yield inside


@contextmanager
def suspensions() -> Iterator[list[str]]:
    """While this lasts, collects each suspension of a handler, outside its branches."""
    found: list[str] = []
    inside: list[threading.local] = []

    def told(ask: Callable[..., Any]) -> Callable[..., Any]:
        def asking(self: Any, *arguments: Any, **named: Any) -> Any:
            try:
                return ask(self, *arguments, **named)
            except SuspendExecution as suspension:
                if not getattr(inside[0], "branches", 0):
                    found.append(str(suspension))
                raise

        return asking

    with _asking(told) as depth:
        inside.append(depth)
        yield found


@contextmanager
def uninterrupted() -> Iterator[None]:
    """While this lasts, an invocation is not suspended where something can still happen.

    Where the SDK would suspend the handler, time passes until something has changed for it, and
    the operation is asked again. In a branch of `map` or `parallel` the SDK suspends as ever: the
    other branches have to come first, and the batch as a whole is asked again.
    """
    inside: list[threading.local] = []

    def again(ask: Callable[..., Any]) -> Callable[..., Any]:
        def asking(self: Any, *arguments: Any, **named: Any) -> Any:
            while True:
                try:
                    return ask(self, *arguments, **named)
                except SuspendExecution:
                    client = self.state._service_client  # noqa: SLF001
                    if getattr(inside[0], "branches", 0) or not client.advance():
                        raise
                    # An empty checkpoint brings what has changed back.
                    self.state.create_checkpoint()

        return asking

    with _asking(again) as depth:
        inside.append(depth)
        yield
