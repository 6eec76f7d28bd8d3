"""The SDK in a simulation: prompt, its branches one at a time."""

from __future__ import annotations

import functools
import queue
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aws_durable_execution_sdk_python import execution, state
from aws_durable_execution_sdk_python.concurrency import executor
from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import OperationType, OperationUpdate
from aws_durable_execution_sdk_python.operation.base import OperationExecutor

from dacapo import chance
from dacapo.probe import Probe
from dacapo.sdk_internals.installed import check

Branch = tuple[Callable[..., object], tuple[Any, ...]]


class PromptState(state.ExecutionState):
    """The SDK's state of one invocation, without idle waits, and ended in a defined way."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_behind = False
        client: Any = self._service_client
        if hasattr(client, "flush"):
            client.flush = self.flush
        self.probe: Probe = getattr(client, "probe", None) or Probe()

    def get_checkpoint_result(self, checkpoint_id: str, *, claim_end_hook: bool = True) -> Any:
        """As the SDK does it; a read that only looks ahead is not told."""
        result = super().get_checkpoint_result(checkpoint_id, claim_end_hook=claim_end_hook)
        if claim_end_hook and result.operation is not None:
            self.probe.reads(checkpoint_id)
        return result

    def create_checkpoint(
        self, operation_update: OperationUpdate | None = None, is_sync: bool = True
    ) -> None:
        """As the SDK does it; remembers whether something is under way in the background."""
        if operation_update is not None and self.probe.takes(operation_update, is_sync=is_sync):
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
        function = self.probe.around(operation_identifier, attempt or 1, user_function)
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


def _told(process: Callable[..., Any]) -> Callable[..., Any]:
    def asking(self: Any) -> Any:
        value = process(self)
        self.state.probe.gives(self.operation_identifier, value)
        return value

    return asking


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
            (OperationExecutor, "process", _told(OperationExecutor.process)),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield
