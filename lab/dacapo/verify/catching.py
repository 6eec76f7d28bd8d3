"""Does an `except` around an operation name what made it fail, which never comes out of it?"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import cache
from types import FrameType
from typing import Any

from aws_durable_execution_sdk_python import CallbackTimeoutError
from aws_durable_execution_sdk_python.exceptions import DurableOperationError

from dacapo import places
from dacapo.places import Place

_Classes = tuple[type[BaseException], ...]


def never_caught(error: DurableOperationError, frame: FrameType | None) -> Place | None:
    """The line of an `except` that was meant for an error and does not catch it.

    Parameters:
        error: what an operation raises.
        frame: where it does.

    Returns:
        The line; None if there is no such `except`, or if another one catches the error.
    """
    meant: Place | None = None
    while frame is not None:
        if places.is_users(frame.f_code):
            for line, classes in _clauses(frame):
                if isinstance(error, classes):
                    return None
                if meant is None and any(_is_meant(one, error) for one in classes):
                    meant = Place(frame.f_code.co_filename, line)
        frame = frame.f_back
    return meant


def _is_meant(one: type[BaseException], error: DurableOperationError) -> bool:
    if one is TimeoutError and isinstance(error, CallbackTimeoutError):
        return True
    names = {one.__name__, *(each.__name__ for each in one.__subclasses__())}
    return error.error_type.rpartition(".")[2] in names


def _clauses(frame: FrameType) -> Iterator[tuple[int, _Classes]]:
    """The `except` clauses around the line that a frame is at, the innermost first."""
    around = [
        node
        for node in _tries(frame.f_code.co_filename)
        if node.body[0].lineno <= frame.f_lineno <= (node.body[-1].end_lineno or 0)
        and frame.f_code.co_firstlineno <= node.lineno
    ]
    for node in sorted(around, key=lambda node: -node.lineno):
        for clause in node.handlers:
            yield clause.lineno, _classes(clause.type, frame)


@cache
def _tries(file: str) -> list[ast.Try]:
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Try)]


def _classes(clause: ast.expr | None, frame: FrameType) -> _Classes:
    if clause is None:
        return (BaseException,)
    parts = clause.elts if isinstance(clause, ast.Tuple) else [clause]
    found = (_value(part, frame) for part in parts)
    return tuple(one for one in found if isinstance(one, type) and issubclass(one, BaseException))


def _value(expression: ast.expr, frame: FrameType) -> Any:
    match expression:
        case ast.Name(id=name):
            scopes = (frame.f_locals, frame.f_globals, frame.f_builtins)
            return next((scope[name] for scope in scopes if name in scope), None)
        case ast.Attribute(value=owner, attr=name):
            return getattr(_value(owner, frame), name, None)
        case _:
            return None
