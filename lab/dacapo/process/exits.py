"""What a handler does to its process: in a run, it ends the invocation and not the tool."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from dacapo.process.active_run import ACTIVE

_HARMLESS = {0, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
"""Signals that do not end a process, or stop it."""


def install() -> None:
    """Let handlers end only their invocation, from now on.

    Outside a run, and in a child process that a handler forks, nothing changes. A crash in machine
    code cannot be intercepted.
    """
    if hasattr(os._exit, "status_of"):
        return
    os._exit = _ending(os._exit, int)
    os.abort = _ending(os.abort, lambda: 128 + signal.SIGABRT)
    os.kill = _ending(os.kill, _status_of_signal)
    os.execv = _ending(os.execv, lambda *_: 0)
    os.execve = _ending(os.execve, lambda *_: 0)
    os.register_at_fork(after_in_child=_leave)


def _ending(really: Callable[..., Any], status_of: Callable[..., int | None]) -> Any:
    def end(*arguments: Any) -> Any:
        status = None if ACTIVE.scheduler is None else status_of(*arguments)
        if status is not None:
            ACTIVE.scheduler.exit(status)
        return really(*arguments)

    end.status_of = status_of  # type: ignore[attr-defined]
    return end


def _status_of_signal(pid: int, number: int) -> int | None:
    ends = number not in _HARMLESS and _is_default(signal.getsignal(number))
    return 128 + number if ends and pid == os.getpid() else None


def _is_default(handler: Any) -> bool:
    # The command line's own handler stands in for the default one.
    return handler is signal.SIG_DFL or getattr(handler, "is_default", False)


def _leave() -> None:
    ACTIVE.scheduler = None
