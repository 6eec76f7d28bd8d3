"""Which module may know which: arrows point one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SDK = "aws_durable_execution_sdk_python"
PATTERNS = sorted((ROOT / "src").rglob("*.py"))
LAB = sorted((ROOT / "lab").rglob("*.py"))
SERVICE = sorted((ROOT / "lab/dacapo/service").rglob("*.py"))
ABOVE_THE_SERVICE = {"cli", "pytest_plugin", "report", "runner", "official", "loading", "recording"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> Iterator[str]:
    """The full names of everything that a file imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports here are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_files_are_there() -> None:
    assert len(PATTERNS) > 10
    assert len(LAB) > 20
    assert len(SERVICE) > 10


@pytest.mark.parametrize("path", PATTERNS, ids=lambda path: path.stem)
def test_a_pattern_knows_nothing_that_isnt_deployed_with_it(path: Path) -> None:
    deployed = {SDK, "boto3", "botocore", "aws_lambda_powertools", "pydantic", "patterns"}
    typing_only = {"mypy_boto3_dms", "mypy_boto3_dynamodb", "mypy_boto3_lambda"}
    for name in imported(path):
        package = name.split(".")[0]
        assert package in deployed | typing_only or is_standard_library(package), name


def is_standard_library(package: str) -> bool:
    import sys  # noqa: PLC0415

    return package in sys.stdlib_module_names


@pytest.mark.parametrize("path", LAB, ids=lambda path: path.stem)
def test_the_lab_knows_no_pattern_and_no_scenario(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & {"patterns", "scenarios"}


@pytest.mark.parametrize("path", SERVICE, ids=lambda path: path.stem)
def test_the_service_knows_nobody_who_uses_it(path: Path) -> None:
    used = {name.split(".")[1] for name in imported(path) if name.startswith("dacapo.")}
    assert not used & ABOVE_THE_SERVICE


@pytest.mark.parametrize("path", [*LAB, *PATTERNS], ids=lambda path: path.stem)
def test_private_names_of_the_sdk_are_in_one_module(path: Path) -> None:
    if path.name == "sdk_internals.py":
        return
    private = [
        name
        for name in imported(path)
        if name.startswith(SDK) and any(part.startswith("_") for part in name.split("."))
    ]
    assert not private


@pytest.mark.parametrize("path", PATTERNS, ids=lambda path: path.stem)
def test_no_pattern_prints(path: Path) -> None:
    calls = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert not [f for f in calls if isinstance(f, ast.Name) and f.id == "print"]
