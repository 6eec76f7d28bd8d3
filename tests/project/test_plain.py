"""The tests to copy run without anything of this project but the patterns."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = "tests/plain"
OPTIONS = ("-q", "-p", "no:dacapo", "-p", "no:cacheprovider")
LONGEST = 130
"""Lines that still fit a page of text around them."""


def test_they_pass_without_the_lab_its_plugin_and_any_other_conftest() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, "--confcutdir", FOLDER, FOLDER],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b[1-9]\d* passed", done.stdout)
    assert "skipped" not in done.stdout


def test_they_import_nothing_of_the_lab_and_are_short() -> None:
    files = sorted((ROOT / FOLDER).glob("*.py"))
    assert files
    for file in files:
        text = file.read_text()
        assert re.search(r"\b(?:import|from) (?:dacapo|scenarios)\b", text) is None
        assert len(text.splitlines()) <= LONGEST, file
