"""The installed SDK: checks for names that this package needs, recognizes handlers and threads."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from aws_durable_execution_sdk_python import __version__, context, execution, state
from aws_durable_execution_sdk_python.concurrency import executor
from aws_durable_execution_sdk_python.operation.base import OperationExecutor

from dacapo.errors import SdkChangedError


def is_durable(handler: Callable[..., object] | None) -> bool:
    """Return True if `durable_execution` decorates this handler, or one that it wraps.

    The SDK's wrapper has the name and the module of the wrapped function; only its globals identify
    it.
    """
    while handler is not None:
        if getattr(handler, "__globals__", None) is vars(execution):
            return True
        handler = getattr(handler, "__wrapped__", None)
    return False


def runs_user_code(thread: threading.Thread) -> bool:
    """Return True if this is one of the threads in which the SDK calls a handler."""
    return thread.name.startswith("dex-handler")


def official_clock(runner: Any) -> Callable[[], datetime]:
    """Return the virtual clock of an official local runner, which is a private attribute.

    Raises:
        SdkChangedError: the testing SDK has no such attribute.
    """
    clock: Any = getattr(runner, "_clock", None)
    _require(hasattr(clock, "now"), "DurableFunctionTestRunner._clock.now")
    now: Callable[[], datetime] = clock.now
    return now


@cache
def check() -> None:
    """Check that the SDK has the private names that this package relies on.

    Raises:
        SdkChangedError: one is missing; the message names it.
    """
    for module, name in (
        (execution, "ExecutionState"),
        (state, "_BLOCKED_CALLER_WAIT_SECONDS"),
        (state, "_Signal"),
        (executor, "ThreadPoolExecutor"),
        (executor.ConcurrentExecutor, "_branch_worker"),
        (OperationExecutor, "process"),
        (context.Callback, "result"),
        (context, "DurableContext"),
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


def _require(exists: bool, name: str) -> None:
    if not exists:
        raise SdkChangedError(
            f"dacapo needs {name}, which SDK {__version__} does not have: "
            "install the SDK version in constraints.txt, or a newer dacapo."
        )
