"""The user's modules, what they define, and functions that an experiment replaces in them."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

from dacapo.process import source_lines

_ABSENT = object()


def user_modules() -> list[ModuleType]:
    """Return the modules with user code that are imported."""
    return [sys.modules[name] for name in _of_users(tuple(sys.modules)) if name in sys.modules]


@lru_cache(maxsize=1)
def _of_users(names: tuple[str, ...]) -> tuple[str, ...]:
    # Each run asks several times, and thousands of modules of libraries take longer than a run.
    return tuple(name for name in names if is_users(name))


def is_users(name: str) -> bool:
    """Return whether a module is imported and has user code, by its name."""
    return _has_user_code(sys.modules.get(name))


def _has_user_code(module: object) -> bool:
    file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
    return isinstance(file, str) and source_lines.is_user_file(file)


def is_defined_by_user(value: object) -> bool:
    """Return whether a value is a function or a class of the user's, or one of its objects."""
    # Not `getattr`, for which a module that is loaded lazily would be imported.
    if isinstance(value, FunctionType):
        return source_lines.is_user_code(value.__code__)
    kind = value if isinstance(value, type) else type(value)
    return is_users(kind.__module__)


def is_users_object(value: object) -> bool:
    """Return whether a value is an object of a class of the user's, with attributes of its own."""
    is_object = not isinstance(value, type | FunctionType) and is_defined_by_user(value)
    return is_object and hasattr(value, "__dict__")


@contextmanager
def replacing(
    owner: ModuleType, function: Callable[..., Any], by: Callable[..., Any]
) -> Iterator[None]:
    """Context manager that replaces a function in its module, and wherever the user's code has it.

    `from os import listdir` binds the function itself, so each module that has it gets the other
    one. A builtin is replaced for the user's modules alone.

    Parameters:
        owner: the module that defines it.
        function: the function.
        by: what stands in for it.
    """
    replaced: list[tuple[dict[str, Any], str, object]] = []
    scopes = [vars(module) for module in user_modules()]
    if owner is builtins:
        name = function.__name__
        replaced = [(scope, name, _ABSENT) for scope in scopes if name not in scope]
    else:
        replaced = [
            (scope, name, function)
            for scope in (vars(owner), *scopes)
            for name, value in list(scope.items())
            if value is function
        ]
    for scope, name, _ in replaced:
        scope[name] = by
    try:
        yield
    finally:
        for scope, name, before in replaced:
            if before is _ABSENT:
                scope.pop(name, None)
            else:
                scope[name] = before
