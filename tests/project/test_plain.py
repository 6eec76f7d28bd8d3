"""The tests to copy depend on nothing in this project except the patterns, nor on each other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = "tests/plain"
OPTIONS = ("-q", "-p", "no:dacapo", "-p", "no:cacheprovider")
LONGEST = 200
"""Maximum lines per file: what somebody reads in one sitting before copying it."""


@pytest.mark.prove
def test_they_pass_without_the_lab_its_plugin_or_any_other_conftest() -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, "--confcutdir", FOLDER, FOLDER],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert re.search(r"\b[1-9]\d* passed", completed.stdout)
    assert "skipped" not in completed.stdout


def test_they_import_nothing_from_the_lab_and_are_short() -> None:
    files = sorted((ROOT / FOLDER).glob("*.py"))
    assert files
    for file in files:
        text = file.read_text()
        assert re.search(r"\b(?:import|from) (?:baselines|dacapo|scenarios|tests)\b", text) is None
        assert len(text.splitlines()) <= LONGEST, file
