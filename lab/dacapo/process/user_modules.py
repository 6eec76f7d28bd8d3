"""The user's modules, and functions that are replaced in them while an experiment lasts."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from dacapo.process import source_lines

_ABSENT = object()


def user_modules() -> list[ModuleType]:
    """Return the modules with user code that are imported."""
    return [
        module
        for module in list(sys.modules.values())
        if isinstance(file := getattr(module, "__file__", None), str)
        and source_lines.is_user_file(file)
    ]


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
