"""Which module may know which: arrows point one way, as docs/architecture.md has them."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SDK = "aws_durable_execution_sdk_python"
PATTERNS = sorted((ROOT / "src").rglob("*.py"))
LAB = sorted(path for path in (ROOT / "lab").rglob("*.py") if path.read_text().count("\n") > 1)
TABLE = re.findall(
    r"^\| `([a-z_.]+)` \|", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE
)
DEPLOYED = {SDK, "boto3", "botocore", "aws_lambda_powertools", "pydantic", "urllib3", "patterns"}


def module_of(path: Path) -> str:
    """A module of the lab as the table names it."""
    parts = path.relative_to(ROOT / "lab/dacapo").with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__").replace("__init__", "dacapo")


MODULES = [module_of(path) for path in LAB]


def imported(path: Path) -> Iterator[str]:
    """The full names of everything that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports here are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def lab_modules_imported(path: Path) -> Iterator[str]:
    for name in imported(path):
        package, _, rest = name.partition(".")
        if package == "dacapo":
            candidates = (rest, rest.rpartition(".")[0])
            yield next((module for module in candidates if module in MODULES), "dacapo")


def test_the_table_names_every_module_of_the_lab_once() -> None:
    assert len(TABLE) > 30
    assert sorted(TABLE) == sorted(MODULES)


@pytest.mark.parametrize("path", LAB, ids=module_of)
def test_a_module_of_the_lab_knows_only_modules_below_it(path: Path) -> None:
    below = TABLE[TABLE.index(module_of(path)) + 1 :]
    assert set(lab_modules_imported(path)) <= set(below)


@pytest.mark.parametrize("path", LAB, ids=module_of)
def test_the_lab_knows_no_pattern_and_no_scenario(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & {
        "patterns",
        "scenarios",
        "gotchas",
        "tests",
    }


@pytest.mark.parametrize("path", PATTERNS, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_pattern_knows_only_what_is_deployed_with_it(path: Path) -> None:
    # Type checking needs stubs that are not deployed; they come as mypy_boto3_….
    for name in imported(path):
        package = name.split(".")[0]
        is_known = package in DEPLOYED or package in sys.stdlib_module_names
        assert is_known or package.startswith("mypy_boto3_"), name


@pytest.mark.parametrize(
    "path", [*LAB, *PATTERNS], ids=lambda path: str(path.relative_to(ROOT)).replace("/", ".")
)
def test_private_names_of_the_sdk_are_in_one_module(path: Path) -> None:
    private = [
        name
        for name in imported(path)
        if name.startswith(SDK) and any(part.startswith("_") for part in name.split("."))
    ]
    assert not private or path.parent.name == "sdk_internals"
