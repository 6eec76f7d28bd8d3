"""The installed SDK: checks for names that this package needs, recognizes handlers and threads."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from types import MethodType
from typing import Any

from aws_durable_execution_sdk_python import __version__, context, execution, state
from aws_durable_execution_sdk_python import threading as sdk_threading
from aws_durable_execution_sdk_python.concurrency import executor
from aws_durable_execution_sdk_python.identifier import OperationIdNamespace
from aws_durable_execution_sdk_python.operation.base import OperationExecutor

from dacapo.errors import SdkChangedError
from dacapo.scheduling.baton import TASK_THREAD
from dacapo.scheduling.scheduler import here

VERSION = __version__
"""The version of the SDK that is installed."""
_FIRST_POSITIONS = 100
"""Positions in a context at which operations are looked for."""


def is_durable(handler: Callable[..., object] | None) -> bool:
    """Return True if `durable_execution` decorates this handler, or one that it wraps.

    The SDK's wrapper has the name and the module of the wrapped function; only its globals identify
    it. What stands above it may be any callable, and need not say what it wraps.
    """
    seen: dict[int, object] = {}
    waiting: list[object] = [handler]
    while waiting:
        one = waiting.pop()
        if _is_sdk_wrapper(one):
            return True
        if callable(one) and not isinstance(one, type) and id(one) not in seen:
            seen[id(one)] = one
            waiting.extend(_held_by(one))
    return False


def _is_sdk_wrapper(function: object) -> bool:
    is_of_sdk = getattr(function, "__globals__", None) is vars(execution)
    return is_of_sdk and hasattr(function, "__wrapped__")


def _held_by(wrapper: object) -> Iterator[object]:
    """Yield what a wrapper holds, and may call: in attributes, in its closure, or bound to it."""
    yield from getattr(wrapper, "__dict__", {}).values()
    if isinstance(wrapper, functools.partial):
        yield from (wrapper.func, *wrapper.args)
    elif isinstance(wrapper, MethodType):
        yield from (wrapper.__func__, *getattr(wrapper.__self__, "__dict__", {}).values())
    for cell in getattr(wrapper, "__closure__", None) or ():
        with suppress(ValueError):  # a name that is not bound yet
            yield cell.cell_contents


def may_run_handlers(thread: threading.Thread) -> bool:
    """Return True if the SDK calls handlers or branches in this thread, now or later."""
    return thread.name.startswith(("dex-handler", TASK_THREAD))


def runs_user_code() -> bool:
    """Return True if the current thread runs a handler or a branch, called by the SDK.

    What stands above the handler (a decorator) runs in a task's own thread.
    """
    return threading.current_thread().name.startswith("dex-handler") or is_in_branch()


def is_in_branch() -> bool:
    """Return True if the current thread runs a branch of a batch, in a simulation."""
    scheduler = here()
    return scheduler is not None and scheduler.current.is_branch


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
        (execution, "LambdaClient"),
        (execution.DurableExecutionInvocationInput, "from_json_dict"),
        (state, "_BLOCKED_CALLER_WAIT_SECONDS"),
        (sdk_threading, "Event"),
        (state, "_Signal"),
        (executor, "ThreadPoolExecutor"),
        (executor.ConcurrentExecutor, "_branch_worker"),
        (executor.ConcurrentExecutor, "execute"),
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
    decorator = inspect.getsource(execution.durable_execution)
    for call in (
        "DurableExecutionInvocationInput.from_json_dict(event)",
        "LambdaClient(client=boto3_client)",
        "LambdaClient.initialize_client()",
    ):
        _require(call in decorator, f"{call} in execution.durable_execution")
    source = inspect.getsource(state.ExecutionState.__init__)
    for attribute in (
        *("_branch_pools", "_checkpoint_queue"),
        *("_checkpointing_stopped", "_service_client"),
    ):
        _require(f"self.{attribute}" in source, f"state.ExecutionState.{attribute}")


def writes(operations: Mapping[str, str | None]) -> bool:
    """Return whether the Python SDK gives these operations their IDs, and not another one.

    One of them is enough: a handler's first operation, as a rule.

    Parameters:
        operations: the ID of the context around each operation, by its ID; None for the handler.
    """
    first = range(_FIRST_POSITIONS)
    root = OperationIdNamespace()
    handlers = [root.create_id_for_step(number) for number in first]
    if any(key in operations for key in handlers):
        return True
    # A virtual context is recorded nowhere, but the IDs inside it depend on its own.
    around = {parent for parent in operations.values() if parent is not None}
    spaces = [OperationIdNamespace(key) for key in (*handlers, *around)]
    return any(
        space.create_id_for_step(number) in operations for space in spaces for number in first
    )


def _require(exists: bool, name: str) -> None:
    if not exists:
        raise SdkChangedError(
            f"dacapo needs {name}, which SDK {__version__} does not have: "
            "install the SDK version in constraints.txt, or a newer dacapo."
        )
