"""Lines of user code: the one that is executing, and the one that defines a function."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from traceback import walk_tb
from types import CodeType, FrameType, ModuleType
from typing import Any

import aws_durable_execution_sdk_python

_SDK = str(Path(aws_durable_execution_sdk_python.__file__).parent)
_NOT_USER_CODE = (
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    str(Path(__file__).parents[1]),
    _SDK,
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
    frame = user_frame(frame or sys._getframe(1))  # noqa: SLF001 - the documented way to look up
    return Place(frame.f_code.co_filename, frame.f_lineno) if frame else None


def calling_line(frame: FrameType | None = None) -> Place | None:
    """Return the line of a step or a handler's body that a call comes from; None if there is none.

    What it calls may be a helper that many of them share, which says less.

    Parameters:
        frame: where to start; None for the caller.
    """
    inner = user_frame(frame or sys._getframe(1))  # noqa: SLF001 - the documented way to look up
    outer = inner
    while inner is not None and not _is_of_sdk(inner.f_code):
        outer = inner if is_user_code(inner.f_code) else outer
        inner = inner.f_back
    return Place(outer.f_code.co_filename, outer.f_lineno) if outer else None


def _is_of_sdk(code: CodeType) -> bool:
    return code.co_filename.startswith(_SDK)


def user_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of user code, from a frame on; None if there is none."""
    while frame is not None and not is_user_code(frame.f_code):
        frame = frame.f_back
    return frame


def raised_at(error: BaseException) -> Place | None:
    """Return the innermost line of user code that an exception came through, if there is one."""
    places = [
        Place(frame.f_code.co_filename, line)
        for frame, line in walk_tb(error.__traceback__)
        if is_user_code(frame.f_code)
    ]
    return places[-1] if places else None


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


@cache
def tree_of(file: str) -> ast.Module:
    """Return the syntax tree of a file; an empty one if the file is not in Python, or is gone."""
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def below_decorators(place: Place) -> Place:
    """Return the `def` of a decorated function, of which this is the first line."""
    nodes = ast.walk(tree_of(place.file))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    first_lines = {n.decorator_list[0].lineno: n.lineno for n in functions if n.decorator_list}
    return Place(place.file, first_lines.get(place.line, place.line))


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
