"""What of a test a handler uses, so that no other process has it: mocks, and what records."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any
from unittest.mock import NonCallableMock

from botocore.client import BaseClient

from dacapo.process import source_lines, user_modules

_STUBBER = "boto_stubber"
"""The identifier under which botocore's Stubber registers itself with a client."""
_RECORDS = (list, dict, set, bytearray)
"""Types of variables in which a test notes what a handler does."""


def variables_of(*functions: Callable[..., Any]) -> dict[str, str]:
    """Return the variables of a test that functions use, by name, as text.

    Only those that can be changed count; a run that changes one records in it.
    """
    return {
        name: _text(value)
        for name, value in _closure(functions)
        if isinstance(value, _RECORDS) or user_modules.is_users_object(value)
    }


def changed(before: Mapping[str, str], *functions: Callable[..., Any]) -> list[str]:
    """Return the variables of a test that functions have changed, described.

    Parameters:
        before: what `variables_of` returned before they ran.
        functions: the functions.
    """
    after = variables_of(*functions)
    return [
        f"{name!r}, a variable of the test that the handler changes"
        for name, value in after.items()
        if before.get(name) != value
    ]


def mocks(file: str, *functions: Callable[..., Any]) -> list[str]:
    """Return what stands in for something in the handler's modules during a test, described.

    Parameters:
        file: the test's file.
        functions: the handler, and other functions of the run.
    """
    closure = [
        f"{name!r}, a mock of the test"
        for name, value in _closure(functions)
        if isinstance(value, NonCallableMock)
    ]
    return closure + [
        f"{owner}.{name}, which is {what}"
        for owner, names in _scopes(file)
        for name, value in list(names.items())
        if (what := _stand_in(value, file))
    ]


def _text(value: object) -> str:
    """Return a variable's content as text."""
    content = value if isinstance(value, _RECORDS) else vars(value)
    try:
        return repr(content)
    except Exception as error:  # noqa: BLE001 - by the user's own __repr__
        return type(error).__name__


def _is_stubbed(value: object) -> bool:
    if not isinstance(value, BaseClient):
        return False
    events: Any = value.meta.events
    handlers = getattr(getattr(events, "_emitter", events), "_unique_id_handlers", ())
    return _STUBBER in handlers


def _stand_in(value: object, file: str) -> str:
    if isinstance(value, NonCallableMock):
        return "a mock"
    if _is_stubbed(value):
        return "a client with stubbed responses"
    is_of_test = isinstance(value, FunctionType) and value.__code__.co_filename == file
    return "a function of the test" if is_of_test else ""


def _scopes(file: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the names of every module but the test's own, and of the user's classes in them."""
    own = {module.__name__ for module in user_modules.user_modules() if module.__file__ == file}
    modules: dict[str, object] = dict(sys.modules)  # which also has other objects
    for name, module in modules.items():
        if isinstance(module, ModuleType) and name not in own and name != "unittest.mock":
            yield name, vars(module)
            if user_modules.is_users(name):
                yield from _classes(module)


def _classes(module: ModuleType) -> Iterator[tuple[str, dict[str, Any]]]:
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield f"{module.__name__}.{value.__name__}", dict(vars(value))


def _closure(functions: tuple[Callable[..., Any], ...]) -> Iterator[tuple[str, Any]]:
    """Yield the variables around functions, and around the functions in those, by name."""
    waiting: list[object] = list(functions)
    seen: set[int] = set()
    while waiting:
        function = waiting.pop()
        if id(function) in seen:
            continue
        seen.add(id(function))
        if isinstance(function, functools.partial):
            waiting += [function.func, *function.args, *function.keywords.values()]
        elif isinstance(function, MethodType):
            waiting.append(function.__func__)
            yield "self", function.__self__
        elif isinstance(function, FunctionType):
            waiting.append(getattr(function, "__wrapped__", None))
            for name, value in _cells(function):
                waiting.append(value)
                if source_lines.is_user_code(function.__code__):
                    yield name, value


def _cells(function: FunctionType) -> Iterator[tuple[str, Any]]:
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # it is not bound yet
            continue
