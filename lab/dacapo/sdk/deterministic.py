"""The SDK in a simulation: without idle waits, and with its branches one at a time."""

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

from dacapo.process import randomness
from dacapo.sdk.installed import check
from dacapo.service.client import Probe

Branch = tuple[Callable[..., object], tuple[Any, ...]]


class PromptState(state.ExecutionState):
    """The SDK's state of one invocation, without idle waits, and with a deterministic end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_pending = False
        client: Any = self._service_client
        if hasattr(client, "flush"):
            client.flush = self.flush
        self.probe: Probe = getattr(client, "probe", None) or Probe()

    def get_checkpoint_result(self, checkpoint_id: str, *, claim_end_hook: bool = True) -> Any:
        """Read a checkpoint, and notify the probe unless the SDK only looks ahead."""
        result = super().get_checkpoint_result(checkpoint_id, claim_end_hook=claim_end_hook)
        if claim_end_hook and result.operation is not None:
            self.probe.on_read(checkpoint_id)
        return result

    def create_checkpoint(
        self, operation_update: OperationUpdate | None = None, is_sync: bool = True
    ) -> None:
        """Create a checkpoint unless the probe intercepts it, and note if it is asynchronous."""
        if operation_update is not None and self.probe.intercept_checkpoint(
            operation_update, is_sync=is_sync
        ):
            return
        super().create_checkpoint(operation_update, is_sync)
        self._has_pending = not is_sync

    def wrap_user_function(
        self,
        user_function: Callable[..., Any],
        operation_identifier: OperationIdentifier,
        is_replay_children: bool = False,
        attempt: int | None = None,
    ) -> Callable[..., Any]:
        """Wrap the function that the probe returns, and reseed randomness around a step."""
        function = self.probe.wrap_function(operation_identifier, attempt or 1, user_function)
        if operation_identifier.operation_type is OperationType.STEP:
            function = _reseeding(function, operation_identifier.operation_id, attempt)
        wrapped: Callable[..., Any] = super().wrap_user_function(
            function, operation_identifier, is_replay_children, attempt
        )
        return wrapped

    def flush(self) -> None:
        """Wait until every checkpoint so far is stored."""
        if self._has_pending and not self._checkpointing_stopped.is_set():
            self.create_checkpoint()

    def stop_checkpointing(self) -> None:
        """Send what is still queued, then end the background thread immediately."""
        with suppress(BaseException):  # the invocation is over: no one is left to handle it
            self.flush()
        super().stop_checkpointing()
        self._checkpoint_queue.put(state._Signal.REFRESH_WAKE)  # noqa: SLF001


def _reporting_results(process: Callable[..., Any]) -> Callable[..., Any]:
    def process_and_report(self: Any) -> Any:
        value = process(self)
        self.state.probe.on_result(self.operation_identifier, value)
        return value

    return process_and_report


def _reseeding(function: Callable[..., Any], *parts: object) -> Callable[..., Any]:
    @functools.wraps(function)
    def reseeded(*arguments: Any, **named: Any) -> Any:
        with randomness.seeded_for(*parts):
            return function(*arguments, **named)

    return reseeded


class _SerialQueue(queue.Queue[Any]):
    """A coordinator's queue that runs waiting branches when the coordinator asks for an event."""

    latest = threading.local()

    def __init__(self, order: random.Random) -> None:
        super().__init__()
        self.waiting: list[Branch] = []
        self._order = order
        self.latest.queue = self

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002
        while self.empty() and self.waiting:
            run, arguments = self.waiting.pop(self._order.randrange(len(self.waiting)))
            with suppress(BaseException):  # the queue has it as an event; a pool drops it too
                run(*arguments)
        return super().get(block=False)


class _SerialPool:
    """A coordinator's pool; the coordinator creates its queue just before it."""

    def __init__(self, max_workers: int) -> None:  # noqa: ARG002 - branches run one at a time
        self._waiting = _SerialQueue.latest.queue.waiting

    def submit(self, run: Callable[..., object], *arguments: Any) -> None:
        self._waiting.append((run, arguments))

    def shutdown(self, **_: bool) -> None:
        self._waiting.clear()


@contextmanager
def in_simulation(seed: int) -> Iterator[None]:
    """Context manager that makes the SDK prompt, and orders its branches by `seed`.

    Raises:
        SdkChangedError: the installed SDK lacks a private name that this relies on.
    """
    check()
    order = random.Random(f"branches {seed}")  # noqa: S311 - must be reproducible
    serial = SimpleNamespace(Queue=lambda: _SerialQueue(order), Empty=queue.Empty)
    with ExitStack() as stack:
        for module, name, value in (
            (execution, "ExecutionState", PromptState),
            (state, "_BLOCKED_CALLER_WAIT_SECONDS", 0),
            (executor, "ThreadPoolExecutor", _SerialPool),
            (executor, "queue", serial),
            (OperationExecutor, "process", _reporting_results(OperationExecutor.process)),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield
