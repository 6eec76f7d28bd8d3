"""From a target on the command line to a scenario."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from dacapo.scenario import Scenario
from dacapo.sdk_internals.installed import is_durable

FORMS = "FILE.py:SCENARIO, MODULE:SCENARIO or MODULE:HANDLER"


class TargetError(Exception):
    """The target leads to nothing that can be run: says why and what to do."""


def load(target: str) -> Scenario:
    """The scenario that a target names; a bare durable handler becomes one with no input.

    The current directory and its `src` can be imported from.

    Parameters:
        target: `FILE.py:NAME` or `MODULE:NAME`.

    Raises:
        TargetError: no such file, module or name, or it is neither scenario nor durable handler.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise TargetError(f"{target!r} names no target: give {FORMS}")
    _make_importable(Path.cwd())
    module = _import(place)
    found = getattr(module, name, None)
    if found is None:
        raise TargetError(f"{place} has no {name!r}; {_candidates(module)}")
    return _scenario(found, name, target)


def _scenario(found: Any, name: str, target: str) -> Scenario:
    if isinstance(found, Scenario):
        return replace(found, name=found.name or name)
    if callable(found) and is_durable(found):
        return Scenario(handler=found, name=name)
    raise TargetError(
        f"{target} is of type {type(found).__name__}: neither a Scenario nor a handler that "
        "@durable_execution made"
    )


def _make_importable(directory: Path) -> None:
    for path in (str(directory / "src"), str(directory)):
        if path not in sys.path:
            sys.path.insert(0, path)


def _import(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        return _import_file(Path(place))
    except TargetError:
        raise
    except ModuleNotFoundError as error:
        raise TargetError(
            f"{place} can't be imported: {error} (imports start from the current directory and "
            "its src)"
        ) from error
    except Exception as error:
        raise TargetError(f"{place} can't be imported: {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise TargetError(f"there is no file {path}")
    dotted = _module_name(path.resolve())
    if dotted is not None:
        return importlib.import_module(dotted)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _module_name(path: Path) -> str | None:
    """The name by which a file in a package is imported, so that it is imported only once."""
    here = Path.cwd().resolve()
    if not path.is_relative_to(here) or not (path.parent / "__init__.py").exists():
        return None
    return ".".join(path.relative_to(here).with_suffix("").parts)


def _candidates(module: ModuleType) -> str:
    names = [
        name
        for name, value in vars(module).items()
        if isinstance(value, Scenario) or (callable(value) and is_durable(value))
    ]
    return f"it has: {', '.join(names)}" if names else "it has no scenario and no durable handler"
