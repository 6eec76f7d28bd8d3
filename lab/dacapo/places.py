"""Lines of the user's code: which one acts, and where a function is written."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

_NOT_THE_USERS = (
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    str(Path(__file__).parent),
    "<",
)


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        """As editors take it; shorter where the file is below the current directory."""
        path = Path(self.file)
        here = Path.cwd()
        shown = path.relative_to(here) if path.is_relative_to(here) else path
        return f"{shown}:{self.line}"


def is_users(code: CodeType) -> bool:
    """Whether code is the user's own: no library's, not the lab's."""
    return is_users_file(code.co_filename)


def is_users_file(file: str) -> bool:
    """Whether a file is the user's own."""
    return not file.startswith(_NOT_THE_USERS)


def acting(frame: FrameType | None = None) -> Place | None:
    """The innermost line of the user's that is being executed; None if there is none.

    Parameters:
        frame: where to begin; None for the caller.
    """
    frame = frame or sys._getframe(1)  # noqa: SLF001 - the documented way to look up
    while frame is not None and not is_users(frame.f_code):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno) if frame else None


def is_called_by(module: ModuleType) -> bool:
    """Whether a module stands between the caller and the innermost line of the user's."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None and not is_users(frame.f_code):
        if frame.f_code.co_filename == module.__file__:
            return True
        frame = frame.f_back
    return False


def of_function(function: Callable[..., Any]) -> Place | None:
    """Where a function is written; None if it is no code of the user's.

    What the SDK puts around a function is looked through: its decorators keep it in their closure.
    """
    function = inspect.unwrap(getattr(function, "func", function))
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    if is_users(code):
        return Place(code.co_filename, code.co_firstlineno)
    inner = [cell.cell_contents for cell in function.__closure__ or () if cell.cell_contents]
    found = (of_function(one) for one in inner if callable(one) and one is not function)
    return next((place for place in found if place), None)
