"""Three files that list dependencies agree with each other."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.]*")


def lines_of(name: str) -> list[str]:
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def pins() -> dict[str, str]:
    return dict(line.split("==") for line in lines_of("constraints.txt"))


@cache
def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def requirements() -> list[Requirement]:
    extras = project()["optional-dependencies"].values()
    listed = [*project()["dependencies"], *(line for extra in extras for line in extra)]
    return [r for r in map(Requirement, listed) if r.name != project()["name"]]


def test_a_constraint_is_only_a_name_and_a_version() -> None:
    assert pins()
    for line in lines_of("constraints.txt"):
        assert PIN.fullmatch(line), line


def test_lambda_gets_the_versions_that_were_tested() -> None:
    deployed = [Requirement(line) for line in lines_of("src/requirements.txt")]
    assert {r.name for r in deployed} >= {"aws-durable-execution-sdk-python", "boto3"}
    for requirement in deployed:
        assert str(requirement.specifier) == f"=={pins()[requirement.name]}"


def test_lambda_gets_version_3_of_the_sdk_or_newer() -> None:
    assert pins()["aws-durable-execution-sdk-python"].startswith("3.")


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_requirement_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_these_tests_run_with_the_pinned_versions() -> None:
    installed = {
        name: metadata.version(name)
        for name in pins()
        if any(True for _ in metadata.distributions(name=name))
    }
    assert installed == {name: pins()[name] for name in installed}
    assert "boto3" in installed
