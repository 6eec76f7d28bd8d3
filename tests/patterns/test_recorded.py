"""Executions of the patterns that were in flight before a change survive it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compare.patterns import SCENARIOS
from tests.all_scenarios import PATTERNS
from tests.command_line import dacapo
from tests.patterns.recorded import file_of

AN_OPERATION = {
    "approval": "record the outcome",
    "event_callback": "check after event 1",
    "polling": "start the migration",
}


def test_each_pattern_has_a_main_scenario() -> None:
    assert sorted(SCENARIOS) == sorted(PATTERNS)


@pytest.mark.parametrize("pattern", SCENARIOS)
def test_an_execution_in_flight_continues_with_the_code_of_today(pattern: str) -> None:
    result = dacapo("check", str(file_of(pattern)), f"patterns.{pattern}.handler:handler")
    assert result.returncode == 0, result.stdout
    assert "survives" in result.stdout


@pytest.mark.parametrize(("pattern", "operation"), AN_OPERATION.items())
def test_a_renamed_operation_breaks_an_execution_in_flight(
    pattern: str, operation: str, tmp_path: Path
) -> None:
    text = file_of(pattern).read_text()
    assert json.dumps(operation) in text
    renamed = tmp_path / "renamed.json"
    renamed.write_text(text.replace(json.dumps(operation), json.dumps(f"old: {operation}")))
    result = dacapo("check", str(renamed), f"patterns.{pattern}.handler:handler")
    assert result.returncode == 1
    assert "different-operation" in result.stdout
