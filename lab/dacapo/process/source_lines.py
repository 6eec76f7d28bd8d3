"""Lines of user code: the one that is executing, and the one that defines a function."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

_NOT_USER_CODE = (
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    str(Path(__file__).parents[1]),
    "<",
)


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        """Format it as editors do; relative to the current directory if the file is below it."""
        path = Path(self.file)
        here = Path.cwd()
        shown = path.relative_to(here) if path.is_relative_to(here) else path
        return f"{shown}:{self.line}"


def is_user_code(code: CodeType) -> bool:
    """Return True for user code: neither a library's nor the lab's."""
    return is_user_file(code.co_filename)


def is_user_file(file: str) -> bool:
    """Return True for a file with user code."""
    return not file.startswith(_NOT_USER_CODE)


def current_line(frame: FrameType | None = None) -> Place | None:
    """Return the innermost line of user code that is executing; None if there is none.

    Parameters:
        frame: where to start; None for the caller.
    """
    frame = frame or sys._getframe(1)  # noqa: SLF001 - the documented way to look up
    while frame is not None and not is_user_code(frame.f_code):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno) if frame else None


def frame_of(thread: int) -> FrameType | None:
    """Return the frame that a thread executes, by its identifier; None if it has ended."""
    return sys._current_frames().get(thread)  # noqa: SLF001 - the documented way


def is_called_by(module: ModuleType) -> bool:
    """Return True if a module is on the stack between the caller and the innermost user code."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None and not is_user_code(frame.f_code):
        if frame.f_code.co_filename == module.__file__:
            return True
        frame = frame.f_back
    return False


def of_function(function: Callable[..., Any]) -> Place | None:
    """Return the line that defines a function; None if it isn't user code.

    This looks through the SDK's wrappers: its decorators keep a function in their closure.
    """
    function = inspect.unwrap(getattr(function, "func", function))
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    if is_user_code(code):
        return Place(code.co_filename, code.co_firstlineno)
    inner = [cell.cell_contents for cell in function.__closure__ or () if cell.cell_contents]
    places = (of_function(one) for one in inner if callable(one) and one is not function)
    return next((place for place in places if place), None)
