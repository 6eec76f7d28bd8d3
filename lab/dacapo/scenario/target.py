"""From a target on the command line to a scenario."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from aws_durable_execution_sdk_python import durable_execution

from dacapo.errors import DacapoError, TargetError
from dacapo.process.source_lines import raised_at
from dacapo.scenario import Scenario
from dacapo.sdk import installed
from dacapo.sdk.installed import is_durable

FORMS = "FILE.py:SCENARIO, MODULE:SCENARIO or MODULE:HANDLER"
_TARGET = re.compile(r"(?P<place>(?:[A-Za-z]:(?=[\\/]))?[^:]*)(?::(?P<name>[^:]+))?")
"""A path may begin with a drive letter."""
_INSTALLED = ("site-packages", "dist-packages")


def load(target: str) -> Scenario:
    """Load the scenario that a target names; a bare durable handler becomes one without input.

    Imports start from the folder of the target's file, the current directory and its `src`. None of
    these hides a module of the standard library or of dacapo.

    Parameters:
        target: `FILE.py:NAME` or `MODULE:NAME`.

    Raises:
        TargetError: no such file, module or name, or it is neither scenario nor durable handler.
        SdkChangedError: the installed SDK is not one that a run can use.
    """
    installed.check()  # first: handlers of another SDK may not even be recognized
    match = _TARGET.fullmatch(target)
    if match is None or not match["place"]:
        raise TargetError(f"{target!r} names no target: give {FORMS}")
    place, name = match["place"], match["name"]
    if Path(place).is_dir():
        raise TargetError(f"{place} is a directory: give {FORMS}")
    if name is None and not place.endswith(".py"):
        raise TargetError(f"{target!r} names no target: give {FORMS}")
    _make_importable(Path.cwd() / "src", Path.cwd())
    module = _import(place)
    if name is None:
        raise TargetError(f"{target} names no scenario or handler; {_candidates(place, module)}")
    value = getattr(module, name, None)
    if value is None:
        raise TargetError(f"{place} has no {name!r}; {_candidates(place, module)}")
    return _scenario(value, name, target)


def load_function(target: str) -> Callable[..., Any]:
    """Load a function that is neither a scenario nor a handler; imports start as in `load`.

    Parameters:
        target: `FILE.py:NAME` or `MODULE:NAME`.

    Raises:
        TargetError: no such file, module or name, or it cannot be called.
    """
    match = _TARGET.fullmatch(target)
    if match is None or not (match["place"] and match["name"]):
        raise TargetError(f"{target!r} names no function: give FILE.py:NAME or MODULE:NAME")
    _make_importable(Path.cwd() / "src", Path.cwd())
    function = getattr(_import(match["place"]), match["name"], None)
    if not callable(function):
        raise TargetError(f"{match['place']} has no function {match['name']!r}")
    loaded: Callable[..., Any] = function
    return loaded


def _scenario(value: Any, name: str, target: str) -> Scenario:
    if isinstance(value, Scenario):
        return replace(value, name=value.name or name)
    if _is_handler(value):
        return Scenario(handler=value, name=name)
    raise TargetError(
        f"{target} is of type {type(value).__name__}: neither a Scenario nor a handler that "
        "@durable_execution made"
    )


def _is_handler(value: Any) -> bool:
    return callable(value) and value is not durable_execution and is_durable(value)


def _make_importable(*folders: Path) -> None:
    # Before what is installed, as in Lambda; after the standard library, which must not be hidden.
    entries = [str(folder) for folder in folders]
    others = [entry for entry in sys.path if entry not in ("", *entries)]
    installed = (n for n, entry in enumerate(others) if Path(entry).name in _INSTALLED)
    at = next(installed, len(others))
    sys.path[:] = [*others[:at], *entries, *others[at:]]


def _import(place: str) -> ModuleType:
    try:
        if place.endswith(".py"):
            return import_file(Path(place))
        return importlib.import_module(place)
    except DacapoError:
        raise
    except ModuleNotFoundError as error:
        raise TargetError(
            f"{place} cannot be imported: {error} (imports start from the folder of the file, the "
            "current directory and its src)"
        ) from error
    except Exception as error:
        kind, at = type(error).__name__, raised_at(error)
        where = f" ({at})" if at else ""
        raise TargetError(f"{place} cannot be imported: {kind}: {error}{where}") from error


def import_file(path: Path) -> ModuleType:
    """Import a file, under the name that imports from its own folder and the current one give it.

    Raises:
        TargetError: there is no such file.
    """
    if not path.is_file():
        hint = " (on this system, paths are written with /)" if "\\" in str(path) else ""
        raise TargetError(f"there is no file {path}{hint}")
    dotted = _module_name(path.resolve())
    if dotted is not None:
        return importlib.import_module(dotted)
    _make_importable(path.resolve().parent, Path.cwd() / "src", Path.cwd())
    if _leads_to(path.stem, path):
        return importlib.import_module(path.stem)
    return _load(path)


def _leads_to(name: str, path: Path) -> bool:
    """Return whether importing this name gives this file, and not a module that it would hide."""
    if name in sys.stdlib_module_names or not name.isidentifier():
        return False
    spec = importlib.util.find_spec(name)
    return bool(spec and spec.origin) and Path(str(spec and spec.origin)).samefile(path)


def _load(path: Path) -> ModuleType:
    """Load a file whose own name is taken, under one that is not."""
    spec = importlib.util.spec_from_file_location(f"dacapo_target_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _module_name(path: Path) -> str | None:
    """Return the name by which a file in a package is imported, so that it is imported once."""
    here = Path.cwd().resolve()
    if not path.is_relative_to(here) or not (path.parent / "__init__.py").exists():
        return None
    return ".".join(path.relative_to(here).with_suffix("").parts)


def _candidates(place: str, module: ModuleType) -> str:
    names = list(_names(module))
    if not names:
        return "it has no scenario and no durable handler"
    return f"it has: {', '.join(f'{place}:{name}' for name in names)}"


def _names(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        if isinstance(value, Scenario) or _is_handler(value):
            yield name
