"""What the user's modules keep in memory, to find out what a run leaves there."""

from __future__ import annotations

import ast
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from types import ModuleType

from dacapo.process import source_lines
from dacapo.process.source_lines import Place

_KINDS = (
    *(int, float, str, bytes, tuple, list, dict, set, type(None)),
    *(deque, Counter, defaultdict, OrderedDict, count),
)
_COMPARED_CHARACTERS = 10_000


def imported() -> set[str]:
    """Return the names of the modules that are no user's, and are imported."""
    return {name for name, module in list(sys.modules.items()) if not _is_users(module)}


def libraries() -> list[str]:
    """Return the names of the libraries' modules that the user's modules use."""
    used = {
        value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        for module in user_modules()
        for value in list(vars(module).values())
    }
    names = (name for name in used if isinstance(name, str) and name in sys.modules)
    return sorted(name for name in names if not _is_users(sys.modules[name]))


def modules() -> list[ModuleType]:
    """Return the user's modules, and those that they use."""
    return [*user_modules(), *(sys.modules[name] for name in libraries())]


def reached_from(module_name: str) -> list[ModuleType]:
    """Return a module and the user's modules that it uses, directly or through others."""
    reached: dict[str, ModuleType] = {}
    waiting = [module_name]
    while waiting:
        module = sys.modules.get(waiting.pop())
        if module is None or module.__name__ in reached or not _is_users(module):
            continue
        reached[module.__name__] = module
        for value in list(vars(module).values()):
            name = value.__name__ if isinstance(value, ModuleType) else _module_of(value)
            waiting.append(name)
    return list(reached.values())


def _module_of(value: object) -> str:
    name = getattr(value, "__module__", None)
    return name if isinstance(name, str) else ""


def variables() -> dict[tuple[str, str], str]:
    """Return the variables of the user's modules as text, by module and name."""
    return {
        (module.__name__, name): _shown(value)[:_COMPARED_CHARACTERS]
        for module in user_modules()
        for name, value in list(vars(module).items())
        if not name.startswith("__") and (isinstance(value, _KINDS) or is_users_object(value))
    }


def is_users_object(value: object) -> bool:
    """Return whether a value is an object of a class of the user's."""
    is_users = _is_users(sys.modules.get(type(value).__module__))
    return is_users and hasattr(value, "__dict__")


def _shown(value: object) -> str:
    try:
        return repr(value if isinstance(value, _KINDS) else vars(value))
    except Exception:  # noqa: BLE001 - a class of the user's that cannot be shown
        return type(value).__name__


def is_equal(one: object, other: object) -> bool:
    """Return whether two values are of a kind that can be compared, and are equal."""
    if type(one) is not type(other) or not isinstance(one, _KINDS):
        return False
    return repr(one) == repr(other)


def changed_since(before: dict[tuple[str, str], str]) -> list[str]:
    """Return the variables that have changed, each with the line that assigns it first.

    Parameters:
        before: what `variables` returned then.
    """
    now = variables()
    return [_described(*key) for key in sorted(now) if now[key] != before.get(key, now[key])]


def _described(module: str, name: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    line = _assignments(file).get(name)
    return f"{name} ({Place(file, line)})" if line else f"{module}.{name}"


@cache
def _assignments(file: str) -> dict[str, int]:
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return {}
    targets = (
        (target, node.lineno)
        for node in reversed(tree.body)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    )
    return {target.id: line for target, line in targets if isinstance(target, ast.Name)}


def user_modules() -> Iterator[ModuleType]:
    """Yield the modules that are the user's."""
    for module in list(sys.modules.values()):
        if _is_users(module):
            yield module


def _is_users(module: object) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(module, ModuleType) and bool(file) and source_lines.is_user_file(str(file))
