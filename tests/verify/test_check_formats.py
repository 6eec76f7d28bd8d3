"""`--format` of `dacapo check` and `dacapo verify`: reports for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.command_line import assert_usage_error, dacapo
from tests.verify import order
from tests.verify.deployment import Run

BASE = "tests.verify.order:base"
OTHER = "tests.lab.handlers:steps"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("histories")
    recording = Run.of(order.base).recording
    paths = [folder / f"{number}.json" for number in range(3)]
    for path in paths:
        recording.save(path)
    return [str(path) for path in paths]


def test_github_annotates_a_cause_of_three_executions_once(files: list[str]) -> None:
    result = dacapo("check", *files, OTHER, "--format", "github")
    assert result.returncode == 1
    first, *_, last = result.stdout.splitlines()
    assert first.startswith("::error file=tests/lab/handlers.py,line=")
    assert "in 3 executions::" in first
    assert last == f"::notice title=dacapo check::{OTHER}: 0 of 3 executions survive"


def test_junit_has_a_failure_for_each_execution(files: list[str]) -> None:
    result = dacapo("check", *files, OTHER, "--format", "junit")
    assert result.returncode == 1
    suite = ET.fromstring(result.stdout)[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("3", "3")
    assert not any(Path(case.attrib["name"]).is_absolute() for case in suite)


def test_sarif_says_the_exit_status_of_the_command(files: list[str]) -> None:
    for target, status in ((BASE, 0), (OTHER, 1)):
        result = dacapo("check", files[0], target, "--format", "sarif")
        (run,) = json.loads(result.stdout)["runs"]
        assert result.returncode == run["invocations"][0]["exitCode"] == status
        levels = {each["level"] for each in run["results"]}
        assert ("error" in levels) == (status == 1)


def test_verify_has_the_same_formats() -> None:
    target = "tests.verify.corpus.registry:unnamed_steps"
    result = dacapo("verify", target, "--only", "single invocation", "--format", "github")
    assert any(
        line.startswith("::notice file=tests/verify/corpus/classics.py,line=")
        and "title=unnamed-operation::" in line
        for line in result.stdout.splitlines()
    ), result


def test_run_has_no_report_to_give() -> None:
    assert_usage_error(dacapo("run", BASE, "--format", "sarif"), "is not one of 'text', 'json'")
