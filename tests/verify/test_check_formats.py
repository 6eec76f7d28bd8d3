"""`--format` of `dacapo check` and `dacapo verify`: reports for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from tests.command_line import REPOSITORY, assert_usage_error, dacapo
from tests.verify import order
from tests.verify.deployment import Run

SCHEMA = json.loads((REPOSITORY / "docs/check.schema.json").read_text())
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


@pytest.mark.parametrize("target", [BASE, OTHER])
def test_the_json_of_a_check_conforms_to_its_schema(files: list[str], target: str) -> None:
    result = dacapo("check", *files[:2], target, "--format", "json")
    printed = json.loads(result.stdout)
    assert (result.returncode, bool(printed["groups"])) == (
        (0, False) if target == BASE else (1, True)
    )
    jsonschema.validate(printed, SCHEMA)
    assert printed["schema"] == SCHEMA["properties"]["schema"]["const"]


def test_a_damaged_history_among_others_conforms_to_the_schema(
    files: list[str], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{}")
    result = dacapo("check", files[0], str(damaged), BASE, "--format", "json")
    printed = json.loads(result.stdout)
    assert (result.returncode, printed["exit_status"]) == (2, 2)
    assert printed["recordings"][1]["damage"]
    jsonschema.validate(printed, SCHEMA)


def test_the_schema_allows_no_member_that_it_does_not_describe(files: list[str]) -> None:
    printed = json.loads(dacapo("check", files[0], OTHER, "--format", "json").stdout)
    printed["recordings"][0]["findings"][0]["other"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(printed, SCHEMA)


@pytest.mark.prove
def test_github_annotates_a_cause_of_three_executions_once(files: list[str]) -> None:
    result = dacapo("check", *files, OTHER, "--format", "github")
    assert result.returncode == 1
    first, *_, last = result.stdout.splitlines()
    assert first.startswith("::error file=tests/lab/handlers.py,line=")
    assert "in 3 executions::" in first
    assert last == "::notice title=dacapo check::0 of 3 executions survive"


@pytest.mark.prove
def test_junit_has_a_failure_for_each_execution(files: list[str]) -> None:
    result = dacapo("check", *files, OTHER, "--format", "junit")
    assert result.returncode == 1
    suite = ET.fromstring(result.stdout)[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("3", "3")
    assert not any(Path(case.attrib["name"]).is_absolute() for case in suite)


@pytest.mark.prove
def test_sarif_says_the_exit_status_of_the_command(files: list[str]) -> None:
    for target, status in ((BASE, 0), (OTHER, 1)):
        result = dacapo("check", files[0], target, "--format", "sarif")
        (run,) = json.loads(result.stdout)["runs"]
        assert result.returncode == run["invocations"][0]["exitCode"] == status
        levels = {each["level"] for each in run["results"]}
        assert ("error" in levels) == (status == 1)


def test_one_check_writes_several_reports_and_prints_one(files: list[str], tmp_path: Path) -> None:
    reports = {form: tmp_path / f"check.{form}" for form in ("json", "junit", "sarif")}
    options = [f"--format={form}={file}" for form, file in reports.items()]
    result = dacapo("check", files[0], OTHER, *options, "--format", "github")
    assert (result.returncode, result.stdout.startswith("::error")) == (1, True)
    assert json.loads(reports["json"].read_text())["exit_status"] == 1
    assert json.loads(reports["sarif"].read_text())["version"] == "2.1.0"
    assert ET.fromstring(reports["junit"].read_text()).tag == "testsuites"


def test_without_a_format_to_print_the_text_is_printed(files: list[str], tmp_path: Path) -> None:
    file = tmp_path / "check.sarif"
    result = dacapo("check", files[0], BASE, "--format", f"sarif={file}")
    assert "keeps all 1 history" in result.stdout
    assert file.exists()


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        (["xml"], "'xml' is not one of 'text', 'json', 'junit', 'sarif', 'github'"),
        (["json", "sarif"], "only one can be printed, give sarif a file"),
        (["sarif=a", "sarif=b"], "sarif is there twice"),
        (["sarif=nowhere/a"], "there is no directory nowhere"),
        (["sarif=tests"], "tests is a directory"),
    ],
)
def test_a_format_that_cannot_be_written_is_one_line(
    files: list[str], formats: list[str], message: str
) -> None:
    options = [f"--format={form}" for form in formats]
    assert_usage_error(dacapo("check", files[0], BASE, *options), f"--format: {message}")


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
