"""Print the rooms of the lab: how many files each holds, and which rooms it imports.

`python -m tools.rooms`. docs/architecture.md describes them, in the order in which they may import
each other; tests/project/test_rooms.py holds code and page together.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAB = ROOT / "lab"
NESTED = "verify"
"""The room that has rooms of its own."""
MOST_ROOMS, MOST_FILES, MOST_NESTED_FILES = 16, 20, 8
"""Limits: more than a reader can hold in mind at once."""


@cache
def modules() -> dict[str, Path]:
    """Map the dotted name of each module of the lab to its file, packages' own texts excluded."""
    named = {_name(path): path for path in sorted(LAB.rglob("*.py"))}
    return {
        name: path
        for name, path in named.items()
        if path.name != "__init__.py" or name in ("dacapo", "dacapo.cli", "dacapo.scenario")
    }


def room_of(module: str) -> str:
    """Return the room of a module: the part after `dacapo`, and one more inside `verify`."""
    parts = module.split(".")
    if parts[0] != "dacapo":
        return parts[0]
    inside = parts[1:] or ["dacapo"]
    return ".".join(inside[:2]) if inside[0] == NESTED else inside[0]


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of the lab that a file imports, also those that it imports late."""
    known = modules()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield from [name for name in (full, node.module) if name in known][:1]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


@cache
def arrows() -> dict[str, set[str]]:
    """Map each room to the rooms that it imports."""
    graph: dict[str, set[str]] = {}
    for name, path in modules().items():
        targets = {room_of(imported) for imported in imports_of(path)}
        graph.setdefault(room_of(name), set()).update(targets - {room_of(name)})
    return graph


def files_in(room: str) -> list[Path]:
    """List the files of a room."""
    return [path for name, path in modules().items() if room_of(name) == room]


def _name(path: Path) -> str:
    parts = path.relative_to(LAB).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def main() -> None:
    """Print a line for each room."""
    graph = arrows()
    total = sum(len(targets) for targets in graph.values())
    print(f"{len(graph)} rooms, {total} arrows between them:")
    for room, targets in sorted(graph.items()):
        lines = [len(path.read_text().splitlines()) for path in files_in(room)]
        print(
            f"  {room:20} {len(lines):2} files, {min(lines):3} to {max(lines):3} lines"
            f"  → {', '.join(sorted(targets)) or 'nothing'}"
        )


if __name__ == "__main__":
    main()
