"""Child processes: what they import to begin with, and that they do not outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

_PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal that a process gets when its parent dies."""


def import_path() -> list[str]:
    """Return `sys.path` as it is in another process, or in another folder."""
    return [entry or str(Path.cwd()) for entry in sys.path]


def import_all(names: Iterable[str]) -> None:
    """Import modules, for every fork of this process to find them there.

    One that cannot be imported here, for any reason, is left to the code that needs it.
    """
    for name in names:
        with suppress(Exception):
            import_module(name)


def end_group(leader: int | None) -> None:
    """Kill a process that leads a group of its own, and every process that it started.

    Parameters:
        leader: its process ID; None if it never started.
    """
    if leader is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def die_with_parent(parent: int) -> None:
    """End this process when its parent ends, however that happens; only Linux can do that.

    Parameters:
        parent: the parent's process ID; if it has ended already, this process does, too.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
