"""What `make compare` says is what was counted, and what was not counted is marked."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from compare import by_hand, cells, durable, everything, page, step_functions, terminal
from compare.everything import Wall
from compare.outcome import LENGTHS, Counts, Line, Outcome, delay_of, looks_until

SIX_HOURS = LENGTHS["six hours"]
QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)
ANOTHER_NUMBER = 47
"""Of looks; neither of the two that give the line."""


@pytest.fixture(scope="module")
def some() -> list[Outcome]:
    """One outcome of each way."""
    return [
        step_functions.asking(SIX_HOURS, HOUR),
        step_functions.being_told(SIX_HOURS),
        durable.asking(SIX_HOURS, HOUR),
        durable.asking_as_deployed(SIX_HOURS),
        durable.being_told(SIX_HOURS),
        by_hand.asking(SIX_HOURS, HOUR),
    ]


def of(outcomes: list[Outcome], way: str) -> Outcome:
    (found,) = (outcome for outcome in outcomes if outcome.way == way)
    return found


def test_the_line_of_the_state_machine_tells_what_another_run_counts() -> None:
    assert step_functions.LOOKS.line.at(ANOTHER_NUMBER) == step_functions.LOOKS.run(ANOTHER_NUMBER)


def test_the_line_of_the_schedule_tells_what_another_run_counts() -> None:
    assert by_hand.LOOKS.line.at(ANOTHER_NUMBER) == by_hand.LOOKS.run(ANOTHER_NUMBER)


def test_a_line_goes_through_both_of_its_runs() -> None:
    one, other = Counts(5, 1, 100, 2, 3, 18), Counts(11, 1, 160, 2, 9, 54)
    line = Line.through(1, one, 3, other)
    assert (line.at(1), line.at(3)) == (one, other)
    assert line.at(2) == Counts(8, 1, 130, 2, 6, 36)


def test_a_durable_poll_and_a_state_machine_look_equally_often(some: list[Outcome]) -> None:
    looks = looks_until(SIX_HOURS, HOUR)
    assert of(some, step_functions.POLLING).counts.units == 2 + 3 * looks
    # An execution, two steps, the condition, and a poll for each look and one at the start.
    assert of(some, durable.POLLING).counts.units == 4 + 1 + looks
    assert of(some, by_hand.POLLING).counts.invocations == 1 + looks


def test_the_delay_that_is_reckoned_is_the_one_that_is_seen_in_virtual_time(
    some: list[Outcome],
) -> None:
    assert of(some, durable.POLLING).is_delay_seen
    assert of(some, durable.POLLING).delay == delay_of(SIX_HOURS, HOUR)


def test_who_is_told_knows_at_once(some: list[Outcome]) -> None:
    assert of(some, durable.CALLBACK).delay == timedelta(0)
    assert of(some, durable.CALLBACK).counts.invocations == 2 + 1
    assert of(some, step_functions.TOKEN).counts.units == 2


def test_tables_and_functions_are_part_of_the_price(some: list[Outcome]) -> None:
    for way in (durable.CALLBACK, step_functions.TOKEN, by_hand.POLLING):
        counts = of(some, way).counts
        assert counts.writes > 0
        assert of(some, way).dollars > counts.writes * 0.625 / 1_000_000


def test_what_a_long_wait_takes_is_reckoned_and_says_so() -> None:
    minute = timedelta(minutes=1)
    outcome = step_functions.asking(LENGTHS["24 hours"], minute)
    assert not outcome.is_counted
    assert [cell[0] for cell in cells.row(outcome)[2:]] == ["≈", "–", "≈", "≈", "≈"]


def test_what_was_counted_is_not_marked(some: list[Outcome]) -> None:
    assert "≈" not in "".join(cells.row(of(some, durable.POLLING)))
    assert "≈" not in "".join(cells.row(of(some, step_functions.POLLING))[:6])


def test_a_state_machine_that_looks_too_often_never_tells() -> None:
    outcome = step_functions.asking(LENGTHS["three days"], timedelta(minutes=1))
    assert outcome.delay is None
    assert outcome.counts.events <= step_functions.MOST_EVENTS
    assert cells.row(outcome)[-1] == "never"


def test_another_look_would_be_too_many_events() -> None:
    line, wall = step_functions.LOOKS.line, step_functions.looks_at_the_wall()
    assert line.at(wall).events <= step_functions.MOST_EVENTS < line.at(wall + 1).events


def test_the_waits_of_a_callback_have_a_wall_as_well() -> None:
    assert everything._waits_at_the_wall() > 500


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_the_terminal(some: list[Outcome], columns: int) -> None:
    text = io.StringIO()
    longest = step_functions.asking(LENGTHS["three days"], timedelta(minutes=1))
    console = Console(file=text, width=columns)
    terminal.show(console, "A migration", cells.HEAD, cells.rows([*some, longest]))
    lines = text.getvalue().splitlines()
    # A title between two empty lines, the headings, and one line for each outcome.
    assert len(lines) == 4 + len(some) + 1
    assert max(map(len, lines)) <= columns


def test_the_page_holds_every_row_and_both_plots_and_loads_nothing(some: list[Outcome]) -> None:
    wall = Wall("durable polls", "3,000 operations", 2_997, HOUR, is_seen=True)
    text = page.render({"six hours": some, "another": some}, [wall])
    for cell in (*cells.row(some[0]), *cells.wall_row(wall)):
        assert f"<td>{cell}</td>" in text
    drawing = ET.fromstring(re.findall(r"<svg.*</svg>", text, re.DOTALL)[0])
    assert "dollars a thousand migrations" in "".join(drawing.itertext())
    assert not re.search(r"(?:src|href)=\"(?!#)", text.replace("xlink:href", "href"))
    assert "<script" not in text


def test_the_same_figures_give_the_same_page(some: list[Outcome]) -> None:
    outcomes = {"six hours": some, "another": some}
    assert page.render(outcomes, []) == page.render(outcomes, [])


def test_the_readme_says_what_comes_out() -> None:
    """A day of waiting, as the README has it."""
    length = LENGTHS["24 hours"]
    outcomes = [
        step_functions.asking(length, QUARTER),
        step_functions.being_told(length),
        durable.asking(length, QUARTER),
        durable.being_told(length),
        by_hand.asking(length, QUARTER),
    ]
    text = (Path(__file__).parents[2] / "README.md").read_text()
    table = text.partition("<!-- compared by tests/compare -->\n")[2].partition("\n\n")[0]
    lines = [cells.HEAD, ("---",) * len(cells.HEAD), *cells.rows(outcomes)]
    assert table == "\n".join(f"| {' | '.join(line)} |" for line in lines)
