"""The SDK in a simulation: without idle waits, and with a deterministic end."""

from __future__ import annotations

import functools
import queue
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aws_durable_execution_sdk_python import execution, state
from aws_durable_execution_sdk_python import threading as sdk_threading
from aws_durable_execution_sdk_python.concurrency import executor
from aws_durable_execution_sdk_python.identifier import OperationIdentifier
from aws_durable_execution_sdk_python.lambda_service import OperationType, OperationUpdate
from aws_durable_execution_sdk_python.operation.base import OperationExecutor

from dacapo.process import randomness
from dacapo.scheduling.scheduler import Scheduler
from dacapo.scheduling.tasks import Task
from dacapo.sdk import input_reader
from dacapo.sdk.installed import check
from dacapo.sdk.pools import BranchPool, Event, Events, HandlerPool
from dacapo.service.client import Probe


def _nothing() -> None:
    pass


class PromptState(state.ExecutionState):
    """The SDK's state of one invocation, without idle waits, and with a deterministic end.

    Parameters:
        scheduler: runs the tasks; each synchronous checkpoint lets another one go on.
    """

    def __init__(self, scheduler: Scheduler, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._scheduler = scheduler
        self._has_pending = False
        if scheduler.current.sandbox is not None:
            # Ends a wait for a checkpoint that this SDK never sends (one above 750 KB).
            scheduler.current.sandbox.on_abort.append(self._settle_after_execution_completed)
        client: Any = self._service_client
        if hasattr(client, "flush"):
            client.flush = self.flush
        self.probe: Probe = getattr(client, "probe", None) or Probe()

    def get_checkpoint_result(self, checkpoint_id: str, *, claim_end_hook: bool = True) -> Any:
        """Read a checkpoint, and notify the probe unless the SDK only looks ahead."""
        result = super().get_checkpoint_result(checkpoint_id, claim_end_hook=claim_end_hook)
        if claim_end_hook and result.operation is not None:
            self._scheduler.watchdog.progress()
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
        scheduler = self._scheduler
        scheduler.check()
        scheduler.watchdog.progress()
        try:
            super().create_checkpoint(operation_update, is_sync)
        except BaseException:
            scheduler.check()  # after a crash, the SDK's error is not the one to report
            raise
        self._has_pending = not is_sync
        if is_sync and operation_update is not None:
            scheduler.switch()

    def schedule_refresh(self, earliest_check_time: float) -> Any:
        """Return a refresh that is sent when it is waited for: then its time has come."""
        _ = earliest_check_time

        def wait(timeout: float | None = None) -> None:
            _ = timeout
            # What else is due at this moment happens first, the end of the awaited wait for one.
            self._scheduler.waiter().wait(timedelta(0))
            self.create_checkpoint()

        return SimpleNamespace(wait=wait, cancel=_nothing)

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
            key = operation_identifier.operation_id, attempt
            place = self.durable_execution_arn, operation_identifier.operation_id
            count = partial(self._scheduler.count, place)
            function = _in_step(self._scheduler.current, function, key, count)
        wrapped: Callable[..., Any] = super().wrap_user_function(
            function, operation_identifier, is_replay_children, attempt
        )
        return wrapped

    def flush(self) -> None:
        """Wait until every checkpoint so far is stored."""
        if self._has_pending and not self._checkpointing_stopped.is_set():
            self._has_pending = False
            super().create_checkpoint()

    def park(self) -> bool:
        """End the invocation and begin the next one, with the handler where it is.

        Returns:
            False if there is no next one, or the handler is to be replayed.
        """
        park = getattr(self._service_client, "park", None)
        if park is None:
            return False
        while self._branch_pools:  # as `close` does before an invocation ends
            self._branch_pools.pop(0).shutdown(wait=True)
        self.flush()
        if not park():
            return False
        super().create_checkpoint()  # an empty one returns what has changed
        return True

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


def _in_step(
    task: Task, function: Callable[..., Any], key: tuple[object, ...], count: Callable[[], int]
) -> Callable[..., Any]:
    """Return a step's function that draws its own values each time that it runs.

    Parameters:
        key: of the attempt; what is drawn after it (the jitter of a retry) depends on this alone.
        count: returns how often the attempt has run before; after a crash, it runs again.
    """

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        randomness.reseed(*key, *[before] if (before := count()) else [])
        task.is_in_step = True
        try:
            return function(*arguments, **named)
        finally:
            task.is_in_step = False
            randomness.reseed(*key, "after")

    return call


@contextmanager
def in_simulation(scheduler: Scheduler) -> Iterator[None]:
    """Context manager that makes the SDK prompt, and its handlers and branches tasks.

    Parameters:
        scheduler: runs the tasks.

    Raises:
        SdkChangedError: the installed SDK lacks a private name that this relies on.
    """
    check()
    events = SimpleNamespace(Queue=partial(Events, scheduler), Empty=queue.Empty)
    with ExitStack() as stack:
        for module, name, value in (
            (execution, "ExecutionState", partial(PromptState, scheduler)),
            (execution, "ThreadPoolExecutor", partial(HandlerPool, scheduler)),
            (state, "_BLOCKED_CALLER_WAIT_SECONDS", 0),
            (sdk_threading, "Event", Event),
            (executor, "ThreadPoolExecutor", partial(BranchPool, scheduler)),
            (executor, "queue", events),
            (OperationExecutor, "process", _reporting_results(OperationExecutor.process)),
        ):
            stack.enter_context(patch.object(module, name, value))
        stack.enter_context(input_reader.reading_inputs())
        yield
