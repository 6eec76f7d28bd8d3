"""The folder of each pattern explains itself: a page, an example of its input, its variables."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compare import patterns as costs
from patterns import transient
from patterns.approval import handler as approval
from patterns.approval.logic import parse_order as parse_approval
from patterns.batch_import import start as batch_import
from patterns.batch_import.logic import parse_import
from patterns.event_callback import handler as event_callback
from patterns.fan_out import start as fan_out
from patterns.fan_out.logic import parse_announcement
from patterns.migration.logic import task_arn_of
from patterns.migration.start import MigrationRequest
from patterns.polling import handler as polling
from patterns.schedule.plan import Request, parse_plan
from patterns.versioned import logic as preorders
from patterns.versioned.logic import parse_preorder
from patterns.webhook_callback import handler as webhook_callback
from patterns.webhook_callback.start import TranscriptionRequest
from patterns.workflow import handler as workflow
from patterns.workflow.logic import parse_order
from tools import copying

ROOT = Path(__file__).parents[2]
PATTERNS = copying.patterns()
LINES, COLUMNS = 40, 80
SECTIONS = ("## Environment variables", "## Test and deploy", "## Change first")

HANDLER: dict[str, Callable[[Any], Any]] = {
    "approval": parse_approval,
    "batch_import": parse_import,
    "event_callback": task_arn_of,
    "fan_out": parse_announcement,
    "polling": task_arn_of,
    "schedule": parse_plan,
    "webhook_callback": lambda event: event["recording"],
    "workflow": parse_order,
    "versioned": parse_preorder,
}
"""What each handler parses its event with, `event.json`."""
START: dict[str, Callable[[Any], Any]] = {
    "approval": parse_approval,
    "batch_import": batch_import.ObjectCreated.model_validate,
    "event_callback": MigrationRequest.model_validate,
    "fan_out": fan_out.request_in,
    "polling": MigrationRequest.model_validate,
    "schedule": Request.model_validate,
    "webhook_callback": TranscriptionRequest.model_validate,
    "workflow": parse_order,
    "versioned": parse_preorder,
}
"""What each `start.py` parses its event with: `start.json` where that is another one."""


def page(pattern: str) -> str:
    return costs.page_of(pattern).read_text()


def example(pattern: str, name: str) -> Any:
    return json.loads((ROOT / "src/patterns" / pattern / name).read_text())


def variables(pattern: str) -> Iterator[str]:
    """Yield the environment variables that the modules of a pattern name in constants."""
    for path in copying.modules_of(pattern):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                names = (target.id for target in node.targets if isinstance(target, ast.Name))
                yield from (str(node.value.value) for name in names if name.endswith("_VARIABLE"))


def hours(duration: Any) -> int:
    return int(duration.to_seconds()) // 3600


def hours_of_polls() -> int:
    """Return how long `polling` polls, in full hours."""
    pace, total = polling.PACE, 0.0
    delay = float(pace.initial_delay.to_seconds())
    for _ in range(pace.max_polls - 1):
        total += delay
        delay = min(delay * pace.backoff_rate, pace.max_delay.to_seconds())
    return int(total // 3600)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_page_is_one_screen_with_all_sections(pattern: str) -> None:
    lines = page(pattern).splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    assert [line for line in lines if line.startswith("## ")] == list(SECTIONS)
    assert re.findall(r"^- \*\*([\w ]+)\*\*", page(pattern), re.M)[:3] == [
        "Waits for",
        "Outlasts",
        "Costs",
    ]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_page_lists_the_variables_that_the_code_reads(pattern: str) -> None:
    section = page(pattern).partition(SECTIONS[0])[2].partition("\n## ")[0]
    listed = re.findall(r"^- `([A-Z_]+)`", section, re.MULTILINE)
    assert sorted(listed) == sorted(set(variables(pattern)))
    assert listed


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_templates_of_a_pattern_set_the_variables_that_the_code_reads(pattern: str) -> None:
    texts = [path.read_text() for path in copying.templates_of(pattern)]
    for name in variables(pattern):
        assert any(re.search(rf"\b{name}:", text) for text in texts), name


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_page_names_files_that_a_copy_has(pattern: str) -> None:
    files = {str(path) for path in copying.files_of(pattern)}
    names = re.findall(r"(?:src|tests)/[\w/]+\.\w+", page(pattern))
    assert f"tests/plain/test_{pattern}.py" in names
    assert f"src/patterns/{pattern}/template.yaml" in names
    assert set(names) <= files


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_page_names_functions_and_constants_that_exist(pattern: str) -> None:
    section = page(pattern).partition(SECTIONS[2])[2]
    files = copying.modules_of(pattern) | copying.templates_of(pattern)
    source = "".join(path.read_text() for path in files)
    names = re.findall(r"`([A-Za-z_]+)`", section)
    assert names
    for name in names:
        assert re.search(rf"\b{name}\b", source), name


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_example_is_an_event_that_the_handler_accepts(pattern: str) -> None:
    assert HANDLER[pattern](example(pattern, "event.json"))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_example_is_an_event_that_the_function_that_starts_it_accepts(pattern: str) -> None:
    has_own = (ROOT / "src/patterns" / pattern / "start.json").exists()
    event = example(pattern, "start.json" if has_own else "event.json")
    assert START[pattern](event)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_page_says_what_one_run_costs(pattern: str) -> None:
    assert costs.costs_line(pattern) == str(costs.cost_of(pattern)), "make docs updates the page"


def test_the_readme_has_the_table_of_all_patterns() -> None:
    assert sorted(costs.SCENARIOS) == PATTERNS
    assert costs.current() == costs.table(), "make docs updates the page"


@pytest.mark.parametrize(
    ("pattern", "durations"),
    [
        ("polling", [f"{hours_of_polls()} hours"]),
        (
            "event_callback",
            [
                f"{hours(event_callback.EVENT_TIMEOUT)} hours",
                f"{event_callback.MAX_WAITS * hours(event_callback.EVENT_TIMEOUT) // 24} days",
            ],
        ),
        (
            "webhook_callback",
            [
                f"{hours(webhook_callback.ANSWER_TIMEOUT)} hours",
                f"{hours(webhook_callback.HEARTBEAT_TIMEOUT)} hour",
            ],
        ),
        ("approval", [f"{int(approval.ANSWER_TIMEOUT.to_seconds()) // 60} minutes"]),
        (
            "workflow",
            [f"{hours(workflow.CHECK_INTERVAL) * (workflow.MAX_CHECKS - 1) // 24} days"],
        ),
        ("versioned", [f"{preorders.MAX_WAIT.days} days"]),
    ],
)
def test_the_durations_on_a_page_are_those_of_the_code(pattern: str, durations: list[str]) -> None:
    for duration in durations:
        assert duration in " ".join(page(pattern).split()), duration


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_page_says_how_long_an_outage_its_steps_survive(pattern: str) -> None:
    assert f"{hours(transient.OUTLASTS)} hours" in " ".join(page(pattern).split())
