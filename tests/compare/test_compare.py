"""`make compare` reports measured figures, and marks the calculated ones."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from compare import baselines, cells, durable, everything, page, readme, step_functions, terminal
from compare.everything import Limit
from compare.outcome import LENGTHS, Counts, Line, Outcome, delay_of, polls_until

pytestmark = pytest.mark.prove  # every approach is run for its figures

SIX_HOURS = LENGTHS["six hours"]
QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)
ANOTHER_NUMBER = 47
"""Of polls; neither of the two runs that give the line has as many."""


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Return one outcome of each approach."""
    return [
        step_functions.poll(SIX_HOURS, HOUR),
        step_functions.wait_for_token(SIX_HOURS),
        durable.poll(SIX_HOURS, HOUR),
        durable.poll_as_deployed(SIX_HOURS),
        durable.wait_for_callback(SIX_HOURS),
        baselines.poll(SIX_HOURS, HOUR),
    ]


def of(outcomes: list[Outcome], approach: str) -> Outcome:
    (outcome,) = (outcome for outcome in outcomes if outcome.approach == approach)
    return outcome


def test_the_line_of_the_state_machine_predicts_another_run() -> None:
    assert step_functions.POLLS.line.at(ANOTHER_NUMBER) == step_functions.POLLS.run(ANOTHER_NUMBER)


def test_the_line_of_the_scheduled_function_predicts_another_run() -> None:
    assert baselines.POLLS.line.at(ANOTHER_NUMBER) == baselines.POLLS.run(ANOTHER_NUMBER)


def test_a_line_passes_through_both_of_its_runs() -> None:
    one, other = Counts(5, 1, 100, 2, 3, 18), Counts(11, 1, 160, 2, 9, 54)
    line = Line.through(1, one, 3, other)
    assert (line.at(1), line.at(3)) == (one, other)
    assert line.at(2) == Counts(8, 1, 130, 2, 6, 36)


def test_every_approach_makes_the_same_number_of_polls(outcomes: list[Outcome]) -> None:
    polls = polls_until(SIX_HOURS, HOUR)
    assert of(outcomes, step_functions.POLLING).counts.units == 2 + 3 * polls
    # An execution, two steps, the condition, one poll at the start, and one after each pause.
    assert of(outcomes, durable.POLLING).counts.units == 4 + 1 + polls
    assert of(outcomes, baselines.POLLING).counts.invocations == 1 + polls


def test_the_calculated_delay_is_the_one_measured_in_virtual_time(
    outcomes: list[Outcome],
) -> None:
    assert of(outcomes, durable.POLLING).is_delay_measured
    assert of(outcomes, durable.POLLING).delay == delay_of(SIX_HOURS, HOUR)


def test_a_callback_detects_the_end_without_delay(outcomes: list[Outcome]) -> None:
    assert of(outcomes, durable.CALLBACK).delay == timedelta(0)
    assert of(outcomes, durable.CALLBACK).counts.invocations == 2 + 1
    assert of(outcomes, step_functions.TOKEN).counts.units == 2


def test_the_cost_includes_tables_and_functions(outcomes: list[Outcome]) -> None:
    for approach in (durable.CALLBACK, step_functions.TOKEN, baselines.POLLING):
        counts = of(outcomes, approach).counts
        assert counts.writes > 0
        assert of(outcomes, approach).dollars > counts.writes * 0.625 / 1_000_000


def test_the_calculated_figures_of_a_long_wait_are_marked() -> None:
    minute = timedelta(minutes=1)
    outcome = step_functions.poll(LENGTHS["24 hours"], minute)
    assert not outcome.is_measured
    assert [cell[0] for cell in cells.row(outcome)[2:]] == ["≈", "–", "≈", "≈", "≈"]


def test_measured_figures_are_not_marked(outcomes: list[Outcome]) -> None:
    assert "≈" not in "".join(cells.row(of(outcomes, durable.POLLING)))
    assert "≈" not in "".join(cells.row(of(outcomes, step_functions.POLLING))[:6])


def test_a_state_machine_that_polls_too_often_never_detects_the_end() -> None:
    outcome = step_functions.poll(LENGTHS["three days"], timedelta(minutes=1))
    assert outcome.delay is None
    assert outcome.counts.events <= step_functions.MOST_EVENTS
    assert cells.row(outcome)[-1] == "never"


def test_one_more_poll_would_exceed_the_event_limit() -> None:
    line, limit = step_functions.POLLS.line, step_functions.polls_at_the_limit()
    assert line.at(limit).events <= step_functions.MOST_EVENTS < line.at(limit + 1).events


def test_a_callback_is_limited_to_a_number_of_waits() -> None:
    assert everything._waits_at_the_limit() > 500


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_the_terminal(outcomes: list[Outcome], columns: int) -> None:
    text = io.StringIO()
    longest = step_functions.poll(LENGTHS["three days"], timedelta(minutes=1))
    console = Console(file=text, width=columns)
    terminal.show(console, "A migration", cells.HEAD, cells.rows([*outcomes, longest]))
    lines = text.getvalue().splitlines()
    # A title between two empty lines, the headings, and one line for each outcome.
    assert len(lines) == 4 + len(outcomes) + 1
    assert max(map(len, lines)) <= columns


def test_the_page_has_every_row_and_both_plots_and_loads_nothing(outcomes: list[Outcome]) -> None:
    limit = Limit("durable polls", "3,000 operations", 2_997, HOUR, is_measured=True)
    text = page.render({"six hours": outcomes, "another": outcomes}, [limit])
    for cell in (*cells.row(outcomes[0]), *cells.limit_row(limit)):
        assert f"<td>{cell}</td>" in text
    drawing = ET.fromstring(re.findall(r"<svg.*</svg>", text, re.DOTALL)[0])
    assert "dollars per thousand migrations" in "".join(drawing.itertext())
    assert not re.search(r"(?:src|href)=\"(?!#)", text.replace("xlink:href", "href"))
    assert "<script" not in text


def test_the_same_figures_produce_the_same_page(outcomes: list[Outcome]) -> None:
    by_length = {"six hours": outcomes, "another": outcomes}
    assert page.render(by_length, []) == page.render(by_length, [])


def test_the_readme_has_the_measured_figures_for_24_hours() -> None:
    assert readme.current() == readme.table(), "make docs updates the page"
