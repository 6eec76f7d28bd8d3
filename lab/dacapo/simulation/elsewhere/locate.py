"""How another process finds a handler: the variable of a module, or the target of its scenario."""

from __future__ import annotations

import os
import sys
from functools import reduce
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from dacapo.process import user_modules
from dacapo.scenario import Scenario, target
from dacapo.service.functions import Handler
from dacapo.simulation.elsewhere.wire import Location


class NotFound(Exception):  # noqa: N818 - what happened
    """The handler is not found in this process."""


def find(handler: Handler, scenario: Scenario, function: str, named: str) -> Location | None:
    """Return where another process finds a handler; None if only a fork of this one has it.

    Parameters:
        scenario: a scenario that has it.
        function: the name of its function.
        named: the target that names the scenario on the command line; "" if none does.
    """
    if scenario.has_one_world:
        return None  # what a test has patched is in this process, and in its forks
    for module in _user_modules(handler):
        for name, value in list(vars(module).items()):
            if value is handler:
                return Location(module.__name__, _file(module), name)
            if isinstance(value, Scenario) and value.handlers.get(function) is handler:
                return Location(module.__name__, _file(module), name, function=function)
    if named and function in scenario.handlers:
        return Location(target=named, function=function)
    return None


def load(location: Location) -> Handler:
    """Return the handler that is there.

    Raises:
        NotFound: it cannot be imported in this process.
    """
    try:
        value = _load(location)
    except Exception as error:
        raise NotFound(f"{type(error).__name__}: {error}") from error
    if isinstance(value, Scenario):
        value = value.handlers.get(location.function)
    if value is None:
        raise NotFound(f"there is no function {location.function!r}")
    handler: Handler = value
    return handler


def _load(location: Location) -> Any:
    if location.target:
        return target.load(location.target)
    return reduce(getattr, location.path.split("."), _module(location))


def _module(location: Location) -> ModuleType:
    try:
        module = import_module(location.module)
    except ImportError:
        if not os.path.exists(location.file):  # noqa: PTH110
            raise
        return target.import_file(Path(location.file))
    if location.file and _file(module) != location.file:
        return target.import_file(Path(location.file))
    return module


def _user_modules(handler: Handler) -> list[ModuleType]:
    own = sys.modules.get(getattr(handler, "__module__", None) or "")
    others = (module for module in user_modules.user_modules() if module is not own)
    return [*([own] if own else []), *others]


def _file(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or ""
