"""`dacapo show`: what it takes, prints, and writes; what it refuses, in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dacapo as lab
from dacapo.history.events import to_json
from tests.command_line import (
    PATH,
    REPOSITORY,
    assert_usage_error,
    dacapo,
    run_pytest,
)
from tests.page import handlers
from tests.page.handlers import SECRET

HANDLERS = "tests.page.handlers"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "recording.json"
    lab.run(handlers.asked).save(path)
    return path


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"Events": to_json(lab.run(handlers.asked).events)}))
    return path


def test_a_scenario_is_run_and_its_timeline_printed() -> None:
    result = dacapo("show", f"{HANDLERS}:asked")
    assert result.returncode == 0
    assert result.stdout.startswith("asks · asked  SUCCEEDED  after 2h 00m")
    assert "answered by the scenario" in result.stdout


def test_a_recording_and_an_export_print_the_same_chart(saved: Path, exported: Path) -> None:
    ours, theirs = (
        [
            line.split()
            for line in dacapo("show", str(path)).stdout.splitlines()
            if line.startswith(("invocations ▼", "record ", "1  ", "2  "))
        ]
        for path in (saved, exported)
    )
    assert len(ours) == 4
    assert ours == theirs


def test_an_execution_that_nothing_resumes_is_shown() -> None:
    result = dacapo("show", f"{HANDLERS}:stuck", "--format", "json")
    (execution,) = json.loads(result.stdout)["executions"]
    assert (result.returncode, execution["never_resumed"]) == (0, "'nobody'")


def test_a_run_writes_the_same_page(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "run.html", tmp_path / "show.html"
    result = dacapo("run", f"{HANDLERS}:stuck", "--html", str(ours))
    assert result.returncode == 0
    dacapo("show", f"{HANDLERS}:stuck", "--html", str(theirs))
    assert ours.read_text("utf-8") == theirs.read_text("utf-8")


@pytest.mark.prove
def test_a_failed_test_shows_what_ran_and_writes_its_page(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "from tests.page import handlers\n"
        "def test_fails(durable):\n"
        "    assert durable.run(handlers.asked).result == 1\n"
        "def test_passes(durable):\n"
        "    assert durable.run(handlers.asked).result\n"
    )
    environment = {
        "PATH": "",
        "PYTHONPATH": os.pathsep.join([*PATH, os.environ.get("PYTHONPATH", "")]),
    }
    arguments = ("--dacapo-html", "pages", "test_it.py")
    result = run_pytest(*arguments, cwd=tmp_path, environment=environment)
    assert "1 failed, 1 passed" in result.stdout
    assert "asks  SUCCEEDED  after 2h 00m" in result.stdout
    (page,) = (tmp_path / "pages").iterdir()
    assert page.name == "test_it.py-test_fails.html"
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_the_page_and_the_model_are_written(saved: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = dacapo(
        *("show", str(saved), "--handler", f"{HANDLERS}:asked"),
        *("--html", str(page), "--format", "json"),
    )
    assert (result.returncode, result.stderr) == (0, "")
    model = json.loads(result.stdout)
    assert model["executions"][0]["source"]["origin"] == "replay"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_without_payloads_nothing_of_them_is_printed_or_written(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    for form in ("text", "json"):
        target = ("show", f"{HANDLERS}:asked", "--html", str(page), "--format", form)
        assert SECRET in dacapo(*target).stdout
        assert SECRET in page.read_text(encoding="utf-8")
        result = dacapo(*target, "--without-payloads")
        assert result.returncode == 0
        assert SECRET not in result.stdout
        assert SECRET not in page.read_text(encoding="utf-8")


def test_the_terminal_shows_marks_instead_of_obeying_them() -> None:
    result = dacapo("show", f"{HANDLERS}:hostile")
    assert "␛[31mred" in result.stdout
    assert not set("\x1b\u202e\u2066\u2028") & set(result.stdout)


def test_a_failed_run_shows_marks_and_the_line_that_failed() -> None:
    result = dacapo("run", f"{HANDLERS}:failed")
    assert result.returncode == 3
    assert "raise Busy(event)" in result.stdout
    assert "␛[31mred" in result.stdout
    assert not set("\x1b\u202e\u2066\u2028") & set(result.stdout)


@pytest.mark.prove
def test_a_terminal_that_lacks_signs_gets_others(tmp_path: Path) -> None:
    environment = {
        "PATH": "",
        "COLUMNS": "80",
        "PYTHONIOENCODING": "cp1252",
        "PYTHONPATH": os.pathsep.join([*PATH, os.environ.get("PYTHONPATH", "")]),
    }
    page = tmp_path / "page.html"
    command = [sys.executable, "-m", "dacapo", "show", f"{HANDLERS}:hostile", "--html", str(page)]
    result = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        encoding="cp1252",
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "SUCCEEDED" in result.stdout
    assert "?[31mred" in result.stdout
    assert "␛[31mred" in page.read_text("utf-8")


def test_two_are_shown_beside_each_other(saved: Path) -> None:
    result = dacapo("show", f"{HANDLERS}:beaten", "--beside", str(saved), "--format", "json")
    model = json.loads(result.stdout)
    assert [one["label"] for one in model["executions"]] == ["beaten", "recording"]
    assert "TIMED_OUT in beaten" in model["parting"]["sentence"]
    text = dacapo("show", f"{HANDLERS}:beaten", "--beside", str(saved)).stdout
    assert "They part: 'decision' is TIMED_OUT in beaten" in " ".join(text.split())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[1, 2]", "neither a recording nor a history"),
        ('{"Events": [{"EventType": 3}]}', "neither a recording nor a history"),
        ('{"Events": []}', "does not begin with the start of an execution"),
        ('{"meta": {}}', "neither a recording nor a history"),
        ("[" * 100_000, "is nested too deeply"),
        ("\x00\x1b[31m", "is not JSON"),
    ],
)
def test_a_damaged_file_gets_one_line(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_text(content)
    assert_usage_error(dacapo("show", str(path)), message)


def test_a_file_cut_off_anywhere_gets_one_line_or_is_shown(exported: Path) -> None:
    text = exported.read_text()
    for length in range(0, len(text), 400):
        exported.write_text(text[:length])
        assert_usage_error(dacapo("show", str(exported)), str(exported))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.json",), "missing.json can't be read"),
        ((f"{HANDLERS}:nothing",), "has no 'nothing'"),
        ((f"{HANDLERS}:asked", "--html", "no/such/folder/page.html"), "there is no directory"),
    ],
)
def test_a_mistake_gets_one_line(arguments: tuple[str, ...], message: str) -> None:
    assert_usage_error(dacapo("show", *arguments), message)


def test_an_export_without_its_data_is_shown_but_not_replayed(exported: Path) -> None:
    pages = json.loads(exported.read_text())
    pages["NextMarker"] = "more"
    exported.write_text(json.dumps(pages))
    shown = dacapo("show", str(exported))
    assert shown.returncode == 0
    assert "Some of its pages, or its payloads, are missing." in shown.stdout
    refused = dacapo("show", str(exported), "--handler", f"{HANDLERS}:asked")
    assert_usage_error(refused, "can't be replayed")
