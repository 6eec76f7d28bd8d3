"""docs/gotchas.md and `dacapo lesson`: made from the files, and from what runs of them show."""

from __future__ import annotations

import pytest

from dacapo.lesson import lesson
from gotchas import GOTCHAS
from tests.command_line import assert_mistake, dacapo
from tools import gotchas


def test_the_page_is_what_the_files_and_their_runs_make() -> None:
    """What the verifier finds is compared in test_verifier.py, which runs it anyway."""
    there = gotchas.PAGE.read_text()
    assert gotchas.page(gotchas.told_in(there)) == there, "python -m tools.gotchas makes it anew"


@pytest.mark.parametrize("name", GOTCHAS)
def test_a_lesson_shows_how_the_body_of_both_handlers_runs(name: str) -> None:
    told = lesson(name)
    for side in (told.broken, told.fixed):
        assert len(side.passes) == len(side.recording.invocations)
        assert all(one.lines for one in side.passes)
    waits = ("context.wait", ".wait_for_", "result()")
    if any(word in told.fixed.code for word in waits):
        assert len(told.fixed.passes) > 1


@pytest.mark.parametrize("columns", [80, 120])
def test_a_lesson_is_shown_side_by_side(columns: int) -> None:
    done = dacapo("lesson", "branch_on_chance", columns=columns)
    assert (done.returncode, done.stderr) == (0, "")
    for text in (
        *("def broken(", "def fixed(", "run 2 of the body, 8 Jan", "↻  30 lucky = random"),
        *("→ FAILED NonDeterministicExecutionError", '→ SUCCEEDED "done"'),
        "finds: chance-outside-step",
    ):
        assert text in done.stdout
    (both,) = {line for line in done.stdout.splitlines() if line.count("run 1 of the body") == 2}
    assert len(both) <= columns


def test_without_a_name_all_lessons_are_listed() -> None:
    done = dacapo("lesson")
    assert done.returncode == 0
    assert all(name in done.stdout for name in GOTCHAS)


def test_a_lesson_that_is_not_there_is_a_mistake_in_the_call() -> None:
    assert_mistake(dacapo("lesson", "luck"), "there is no lesson 'luck'; there are: branch_on_")
