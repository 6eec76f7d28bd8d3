"""The rooms of the lab are those of docs/architecture.md, and import only what is below them."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import dacapo
from tools.rooms import (
    MOST_FILES,
    MOST_NESTED_FILES,
    MOST_ROOMS,
    NESTED,
    ROOT,
    arrows,
    imports_of,
    modules,
    room_of,
)

SDK = "aws_durable_execution_sdk_python"
PATTERNS = sorted((ROOT / "src").rglob("*.py"))
PAGE = (ROOT / "docs/architecture.md").read_text()
ROOMS = re.findall(r"^\| `([a-z_.]+)` \|", PAGE.partition("\n## From")[0], re.MULTILINE)
DEPLOYED = {SDK, "boto3", "botocore", "aws_lambda_powertools", "pydantic", "urllib3", "patterns"}
CRASHES = ("tests/patterns/waiting.py", "tests/scenarios/test_schedule.py")
"""They crash an invocation at a chosen checkpoint, which no public name does."""
PUBLIC_ONLY = [
    path
    for folder in ("scenarios", "gotchas", "tests/scenarios", "tests/patterns", "tests/plain")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "viewer" not in path.parts and not str(path).endswith(CRASHES)
]
"""The first users of the package: they import its public names, and nothing deeper."""


def imported(path: Path) -> Iterator[str]:
    """Yield the full names of everything that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports here are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_page_describes_every_room_once() -> None:
    assert sorted(ROOMS) == sorted({room_of(name) for name in modules()})


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    assert arrows()[room] <= set(ROOMS[ROOMS.index(room) + 1 :])


def test_no_module_imports_itself_through_others() -> None:
    graph = {name: set(imports_of(path)) - {name} for name, path in modules().items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


def test_no_room_holds_more_than_a_reader_can_hold_in_mind() -> None:
    top = Counter(name.split(".")[1] for name in modules() if name.startswith("dacapo."))
    assert len(top) <= MOST_ROOMS
    nested = Counter(room_of(name) for name in modules() if room_of(name).startswith(NESTED))
    assert all(count <= MOST_FILES for room, count in top.items() if room != NESTED)
    assert all(count <= MOST_NESTED_FILES for count in nested.values())


@pytest.mark.parametrize("name", modules())
def test_the_lab_knows_no_pattern_and_no_scenario(name: str) -> None:
    assert not {name.split(".")[0] for name in imported(modules()[name])} & {
        "patterns",
        "scenarios",
        "gotchas",
        "tests",
    }


@pytest.mark.parametrize("path", PUBLIC_ONLY, ids=lambda path: str(path.relative_to(ROOT)))
def test_scenarios_and_their_tests_import_nothing_but_public_names_of_the_lab(path: Path) -> None:
    names = [name.removeprefix("dacapo.") for name in imported(path) if name.startswith("dacapo.")]
    assert [name for name in names if name not in dacapo.__all__] == []


@pytest.mark.parametrize("path", PATTERNS, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_pattern_knows_only_what_is_deployed_with_it(path: Path) -> None:
    # Type checking needs stubs that are not deployed; they come as mypy_boto3_….
    # A baseline may use the patterns, to do the same job, and no pattern a baseline.
    known = DEPLOYED | ({"baselines"} if path.parent.name == "baselines" else set())
    for name in imported(path):
        package = name.split(".")[0]
        is_known = package in known or package in sys.stdlib_module_names
        assert is_known or package.startswith("mypy_boto3_"), name


@pytest.mark.parametrize(
    "path",
    [*modules().values(), *PATTERNS],
    ids=lambda path: str(path.relative_to(ROOT)).replace("/", "."),
)
def test_private_names_of_the_sdk_are_in_one_room(path: Path) -> None:
    private = [
        name
        for name in imported(path)
        if name.startswith(SDK) and any(part.startswith("_") for part in name.split("."))
    ]
    assert not private or path.parent.name == "sdk"
