"""docs/gotchas.md and `python -m gotchas`, both generated from the gotchas and runs of them."""

from __future__ import annotations

import re

import pytest

from gotchas import GOTCHAS
from gotchas.viewer.lesson import NEVER_RESUMED, Side, lesson
from tests.command_line import assert_usage_error, gotchas
from tests.depth import every
from tools import gotchas as page_maker

ANSWERED_ABOVE = {"idempotent_above_the_decorator"}
"""Gotchas in which a decorator answers an invocation without calling the handler."""


@pytest.mark.prove
def test_the_page_is_up_to_date() -> None:
    """test_verifier.py compares the findings, because it verifies the gotchas anyway."""
    text = page_maker.PAGE.read_text()
    today = page_maker.page(page_maker.findings_on(text))
    assert compared(today) == compared(text), "python -m tools.gotchas updates the page"


def compared(page: str) -> str:
    """Return a page, without how often lines ran where threads of the handler's own race."""
    before, heading, rest = page.partition("\n## user_threads\n")
    racing, after_heading, after = rest.partition("\n## ")
    assert heading
    assert "↻" in racing
    return before + re.sub(r"[\d ]+×|\s+", "", racing) + after_heading + after


@pytest.mark.parametrize("name", every(15, GOTCHAS))
def test_a_lesson_traces_every_invocation_of_both_handlers(name: str) -> None:
    one = lesson(name)
    for side in (one.broken, one.fixed):
        assert len(side.invocations) == len(side.recording.invocations)
        assert side.invocations[0].lines
        assert name in ANSWERED_ABOVE or all(each.lines for each in side.invocations)
    waits = ("context.wait", ".wait_for_", "result()")
    if any(word in one.fixed.code for word in waits):
        assert len(one.fixed.invocations) > 1


def test_only_a_callback_without_a_timeout_leaves_an_execution_that_never_ends() -> None:
    one = lesson("callback_without_a_timeout")
    assert one.broken.recording.ended is None
    assert [invocation.outcome for invocation in one.broken.invocations] == [NEVER_RESUMED]
    assert one.fixed.recording.ended is not None


@pytest.mark.parametrize("columns", [80, 120])
def test_the_invocations_of_both_handlers_are_shown_side_by_side(columns: int) -> None:
    done = gotchas("branch_on_chance", columns=columns)
    assert (done.returncode, done.stderr) == (0, "")
    for text in (
        *("def broken(", "def fixed(", "invocation 2, 8 Jan", "↻  32 lucky = random"),
        *("→ FAILED NonDeterministicExecutionError", '→ SUCCEEDED "done"'),
        *("reports randomness-outside-step", "dacapo explain randomness-outside-step"),
    ):
        assert text in done.stdout
    (both,) = {line for line in done.stdout.splitlines() if line.count("invocation 1, 1 Jan") == 2}
    assert len(both) <= columns
    assert [line for line in done.stdout.splitlines() if line.count("invocation 2, 8 Jan") == 2]
    assert max(map(len, done.stdout.splitlines())) <= columns


def test_without_a_name_all_gotchas_are_listed() -> None:
    done = gotchas()
    assert done.returncode == 0
    assert all(name in done.stdout for name in GOTCHAS)


def test_an_unknown_gotcha_is_a_mistake_in_the_call() -> None:
    assert_usage_error(gotchas("luck"), "there is no gotcha 'luck'; there are: branch_on_")


@pytest.mark.parametrize("columns", [80, 120])
def test_code_keeps_its_indentation_and_no_line_is_cut(columns: int) -> None:
    text = gotchas("except_timeout_error", columns=columns).stdout
    code, _, traces = text.partition("every invocation ─")
    numbered = [line for line in code.splitlines() if re.match(r" {1,2}\d+  ", line)]
    assert " 32      try:" in numbered
    assert any(line.startswith(" 33          answer = str(") for line in numbered)
    between = code.partition("broken ─")[2].splitlines()[1:]
    assert not [line for line in between if line and not re.match(r" |fixed ─", line)]
    assert "…" not in code + traces
    assert "   33     answer = str(" in traces, "a line of a block stands to the right of its head"


def test_an_except_clause_that_did_not_match_is_not_shown_as_run() -> None:
    one = lesson("except_timeout_error")
    (clause,) = clauses(one.broken)
    assert all(clause not in each.lines for each in one.broken.invocations)
    (clause,) = clauses(one.fixed)
    first, second = one.fixed.invocations
    assert clause not in first.lines, "a suspension passes through it"
    assert clause in second.lines, "it catches the timeout"


def clauses(side: Side) -> list[int]:
    lines = enumerate(side.code.splitlines(), start=side.first_line)
    return [number for number, line in lines if line.lstrip().startswith("except ")]
