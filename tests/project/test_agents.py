"""AGENTS.md has the rules of `dacapo explain`, and its three commands do what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from dacapo import Code
from dacapo.verify.rules import rules
from tests.command_line import dacapo
from tools import agents

LINES, COLUMNS = 100, 110
TEXT = agents.PAGE.read_text()
COMMANDS = [shlex.split(line) for line in re.findall(r"^dacapo .*$", TEXT, re.MULTILINE)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the handler of the page."""
    (handler,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    (tmp_path / "orders.py").write_text(handler)
    return tmp_path


def test_the_page_is_what_its_generator_prints() -> None:
    assert agents.page() == TEXT, "make docs updates the page"


def test_the_page_has_each_rule_and_its_fix_word_for_word() -> None:
    for code in Code:
        assert f"| {code} | {rules()[code].rule} | {rules()[code].fix} |" in TEXT
    rows = re.findall(r"^\| ([a-z-]+) \|", TEXT, re.MULTILINE)
    assert rows == ["finding", "---", *Code]


def test_the_page_is_short() -> None:
    lines = TEXT.splitlines()
    assert len(lines) < LINES
    assert max(len(line) for line in lines if not line.startswith("|")) <= COLUMNS


def test_the_three_commands_are_run_verify_and_check() -> None:
    assert [command[1] for command in COMMANDS] == ["run", "verify", "check"]


@pytest.mark.prove
def test_the_handler_runs_and_its_recording_passes_the_check(folder: Path) -> None:
    run, _, check = COMMANDS
    done = dacapo(*run[1:], cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "how was the parcel of order 17?" in done.stdout
    assert dacapo(*check[1:], cwd=folder).returncode == 0


@pytest.mark.prove
def test_the_handler_survives_replay(folder: Path) -> None:
    done = dacapo(*COMMANDS[1][1:], "--skip", "cold", cwd=folder)
    assert "0 proved, 0 suspected, 0 lints" in done.stdout


def test_the_check_fails_when_an_operation_is_renamed(folder: Path) -> None:
    run, _, check = COMMANDS
    dacapo(*run[1:], cwd=folder)
    handler = folder / "orders.py"
    handler.write_text(handler.read_text().replace('name="ship"', 'name="send"'))
    done = dacapo(*check[1:], cwd=folder)
    assert done.returncode == 1
    assert "ship" in done.stdout
