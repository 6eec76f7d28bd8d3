"""What the user's modules keep in memory, to find out what a run leaves there."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable
from functools import cache
from itertools import count
from types import ModuleType

from dacapo.process.source_lines import Place, tree_of
from dacapo.process.user_modules import is_users, is_users_object, user_modules

_KINDS = (
    *(int, float, str, bytes, tuple, list, dict, set, type(None)),
    *(deque, Counter, defaultdict, OrderedDict, count),
)
_COMPARED_CHARACTERS = 10_000
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def libraries(modules: Iterable[ModuleType]) -> list[str]:
    """Return the names of the libraries' modules that the user's modules use."""
    used = {_module_of(value) for module in modules for value in list(vars(module).values())}
    return sorted(name for name in used if name in sys.modules and not is_users(name))


def modules() -> list[ModuleType]:
    """Return the user's modules, and those that they use."""
    users = user_modules()
    return [*users, *(sys.modules[name] for name in libraries(users))]


def reached_from(functions: Iterable[object]) -> list[ModuleType]:
    """Return the user's modules that functions use, directly or through others.

    Parameters:
        functions: functions, partials of them, or callable objects.

    Returns:
        All modules of the user's, if none defines a function.
    """
    reached: dict[str, ModuleType] = {}
    waiting = [_module_of(getattr(function, "func", function)) for function in functions]
    while waiting:
        name = waiting.pop()
        if name not in reached and is_users(name):
            reached[name] = sys.modules[name]
            waiting += map(_module_of, list(vars(reached[name]).values()))
    return list(reached.values()) or user_modules()


def _module_of(value: object) -> str:
    attribute = "__name__" if isinstance(value, ModuleType) else "__module__"
    name = getattr(value, attribute, None)
    return name if isinstance(name, str) else ""


def variables(modules: Iterable[ModuleType]) -> dict[tuple[str, str], str]:
    """Return the variables of modules as text, by module and name."""
    return {
        (module.__name__, name): as_text(value)[:_COMPARED_CHARACTERS]
        for module in modules
        for name, value in list(vars(module).items())
        if not name.startswith("__") and (isinstance(value, _KINDS) or is_users_object(value))
    }


def is_equal(one: object, other: object) -> bool:
    """Return whether two values are of a kind that can be compared, and are equal."""
    is_known = type(one) is type(other) and isinstance(one, _KINDS)
    return is_known and as_text(one) == as_text(other)


def as_text(value: object) -> str:
    """Return a value as text: the same for equal values, in every process.

    It has what an object holds, which its `repr` may not show.
    """
    held = None if isinstance(value, _KINDS) else getattr(value, "__dict__", None)
    content = {type(value).__name__: held} if held else value
    try:
        return json.dumps(content, sort_keys=True, default=_described)
    except (TypeError, ValueError, RecursionError):
        return _described(content)


def _described(value: object) -> str:
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(_described, value)))}}}"
    try:
        return _ADDRESS.sub("", repr(value))
    except Exception:  # noqa: BLE001 - the user's `__repr__`, which may raise anything
        return type(value).__name__


def changed_since(before: dict[tuple[str, str], str], modules: Iterable[ModuleType]) -> list[str]:
    """Return the variables that have changed, each with the line that assigns it first.

    Parameters:
        before: what `variables` returned for these modules then.
    """
    now = variables(modules)
    return [_shown(*key) for key in sorted(now) if now[key] != before.get(key, now[key])]


def _shown(module: str, name: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    line = _assignments(file).get(name)
    return f"{name} ({Place(file, line)})" if line else f"{module}.{name}"


@cache
def _assignments(file: str) -> dict[str, int]:
    targets = (
        (target, node.lineno)
        for node in reversed(tree_of(file).body)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    )
    return {target.id: line for target, line in targets if isinstance(target, ast.Name)}
