"""`make compare` reports measured figures, and marks the calculated ones."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

import dacapo
from compare import (
    answer,
    baselines,
    cells,
    durable,
    everything,
    page,
    patterns,
    readme,
    step_functions,
    terminal,
)
from compare.everything import Limit, Series
from compare.outcome import LENGTHS, Counts, Line, Outcome, polls_until
from scenarios import demo
from scenarios.worlds.migration import SIX_HOURS

pytestmark = pytest.mark.prove  # every approach is run for its figures

ROOT = Path(__file__).parents[2]
MINUTE, QUARTER, HOUR = timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1)
LIMIT = Limit("durable polls", "3,000 operations", 2_997, HOUR, 2_997 * HOUR, is_measured=True)
SERIES = (
    Series(durable.BACKOFF, ((HOUR, 0.12), (28 * HOUR, 1.04)), 28 * HOUR),
    Series(durable.CALLBACK, ((HOUR, 0.05), (96 * HOUR, 0.42)), 96 * HOUR),
    Series(step_functions.POLLING, ((HOUR, 0.35), (694 * HOUR, 208.25)), 694 * HOUR),
    Series(step_functions.TOKEN, ((HOUR, 0.05), (720 * HOUR, 0.05)), None),
    Series(baselines.POLLING, ((HOUR, 0.004), (6 * HOUR, 0.01), (720 * HOUR, 1.42)), None),
)
ANOTHER_NUMBER = 47
"""Of polls; neither of the two runs that give the line has as many."""


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Return the outcomes for the tests below: each approach, and those that poll at two paces."""
    return [
        step_functions.poll(SIX_HOURS, QUARTER),
        step_functions.poll(SIX_HOURS, HOUR),
        step_functions.wait_for_token(SIX_HOURS),
        durable.poll(SIX_HOURS, HOUR),
        durable.poll_as_deployed(SIX_HOURS),
        durable.wait_for_callback(SIX_HOURS),
        baselines.poll(SIX_HOURS, QUARTER),
        baselines.poll(SIX_HOURS, HOUR),
    ]


@pytest.fixture(scope="module")
def rendered(outcomes: list[Outcome]) -> str:
    """Return the page for these outcomes."""
    return page.render({"six hours": outcomes, "20 hours": outcomes}, [LIMIT], SERIES)


def of(outcomes: list[Outcome], approach: str) -> Outcome:
    (outcome,) = (
        outcome
        for outcome in outcomes
        if outcome.approach == approach and outcome.pause in (None, HOUR)
    )
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


def test_a_poll_detects_an_end_that_it_has_just_missed_within_one_interval() -> None:
    just_after = timedelta(seconds=1)
    scenario = durable.polled_every(QUARTER, ends=SIX_HOURS + just_after)
    delay = durable.waited(dacapo.run(scenario, replay=False)) - SIX_HOURS - just_after
    assert delay == QUARTER - just_after


@pytest.mark.parametrize("approach", [durable.POLLING, step_functions.POLLING, baselines.POLLING])
def test_the_longest_delay_of_polls_is_their_interval(
    outcomes: list[Outcome], approach: str
) -> None:
    assert of(outcomes, approach).delay == HOUR
    assert cells.delay(of(outcomes, approach)) == "≤ 1h"


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
    outcome = step_functions.poll(LENGTHS["20 hours"], MINUTE)
    assert not outcome.is_measured
    assert [cell[0] for cell in cells.row(outcome)[2:]] == ["≈", "≤", "≈", "–", "≈"]


def test_measured_figures_are_not_marked(outcomes: list[Outcome]) -> None:
    assert "≈" not in "".join(cells.row(of(outcomes, durable.POLLING)))
    assert "≈" not in "".join(cells.row(of(outcomes, step_functions.POLLING)))


def test_a_state_machine_that_polls_too_often_never_detects_the_end() -> None:
    outcome = step_functions.poll(LENGTHS["60 hours"], MINUTE)
    assert outcome.delay is None
    assert outcome.counts.events <= step_functions.MOST_EVENTS
    assert "never" in cells.row(outcome)


def test_one_more_poll_would_exceed_the_event_limit() -> None:
    line, limit = step_functions.POLLS.line, step_functions.polls_at_the_limit()
    assert line.at(limit).events <= step_functions.MOST_EVENTS < line.at(limit + 1).events


def test_a_callback_is_limited_to_a_number_of_waits() -> None:
    assert everything._waits_at_the_limit() > 500


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_the_terminal(outcomes: list[Outcome], columns: int) -> None:
    text = io.StringIO()
    longest = step_functions.poll(LENGTHS["60 hours"], MINUTE)
    console = Console(file=text, width=columns)
    terminal.show(console, "A migration", cells.HEAD, cells.rows([*outcomes, longest]))
    lines = text.getvalue().splitlines()
    # A title between two empty lines, the headings, and one line for each outcome.
    assert len(lines) == 4 + len(outcomes) + 1
    assert max(map(len, lines)) <= columns


def test_the_headline_has_the_answer_with_the_figures_of_the_runs(
    outcomes: list[Outcome], rendered: str
) -> None:
    (headline,) = re.findall(r"<h1>(.*)</h1>", rendered)
    assert headline == (
        "1,000 migrations of six hours: $0.05 if a durable function waits for their events, "
        "$0.29 if it polls"
    )
    assert f"{of(outcomes, durable.CALLBACK).dollars_per_thousand:.2f}" == "0.05"
    assert f"{of(outcomes, durable.BACKOFF).dollars_per_thousand:.2f}" == "0.29"


def test_the_page_says_why_somebody_would_pay_more_than_the_cheapest_costs(
    outcomes: list[Outcome], rendered: str
) -> None:
    cheapest, *_ = answer.why(outcomes)
    assert cheapest.startswith("The cheapest is the scheduled function, at $0.01. ")
    assert "up to 15 minutes later" in cheapest
    for paragraph in answer.why(outcomes):
        assert f"<p>{paragraph}</p>" in rendered


def test_what_an_approach_needs_is_what_its_template_deploys() -> None:
    folders = ROOT / "src/patterns"
    polling = (folders / "polling/template.yaml").read_text()
    by_event = [folders / f"{name}/template.yaml" for name in ("event_callback", "callbacks")]
    events = "".join(path.read_text() for path in by_event)
    baseline = (ROOT / "src/baselines/template.yaml").read_text()
    function, table = "Type: AWS::Serverless::Function", "Type: AWS::DynamoDB::Table"
    assert polling.count(function) == 2
    assert table not in polling
    assert answer.FACTS[durable.BACKOFF].builds == "2 functions"
    assert [events.count(each) for each in (function, table, "EventBridgeRule", "ScheduleV2")] == [
        *(4, 1, 1, 1)
    ]
    assert answer.FACTS[durable.CALLBACK].builds.startswith("4 functions, a table, a rule")
    for name in ("EventCallbackStart", "EventCallbackResolver", "PollingBegin", "PollingCheck"):
        assert f"  {name}Function:\n" in baseline
    for approach in (step_functions.TOKEN, baselines.POLLING):
        assert "2 functions, a table" in answer.FACTS[approach].builds


def test_the_faults_are_those_of_the_page_about_baselines(rendered: str) -> None:
    faults = answer.faults()
    assert ("the event is lost", "reported as finished, 2h 00m late") in [
        (fault, now) for fault, _, now in faults
    ]
    for fault, before, now in faults:
        assert f'<th scope="row">{fault}</th><td>{before}</td><td>{now}</td>' in rendered


def test_the_page_has_every_row_and_loads_nothing(outcomes: list[Outcome], rendered: str) -> None:
    for cell in (*cells.row(outcomes[0])[1:], *cells.limit_row(LIMIT)[1:]):
        assert f"<td>{cell}</td>" in rendered
    assert not re.search(r"(?:src|href)=\"(?!#)", rendered.replace("xlink:href", "href"))
    assert "url(" not in re.sub(r"url\(#", "", rendered)
    assert "<script" not in rendered


def drawings(rendered: str) -> list[ET.Element]:
    return [ET.fromstring(text) for text in re.findall(r"<svg role.*?</svg>", rendered, re.DOTALL)]


def test_axes_name_dollars_and_lengths(rendered: str) -> None:
    *by_delay, by_length = ("\n".join(each.itertext()) for each in drawings(rendered))
    assert len(by_delay) == 2
    for text in (*by_delay, by_length):
        for label in ("$0.01", "$0.10", "$1", "$10", "$100", "for 1,000 migrations"):
            assert label in text
    assert "longest delay until the end is detected" in by_delay[0]
    for label in ("6h", "1d", "30d", "ends at 28h", "ends at 4d"):
        assert label in by_length


def test_a_chart_can_be_read_out_and_its_figures_stand_in_a_table(
    outcomes: list[Outcome], rendered: str
) -> None:
    first, *_, last = (each.attrib["aria-label"] for each in drawings(rendered))
    for outcome in outcomes:
        assert f"${cells.amount(outcome.dollars_per_thousand)}" in first
    assert "Durable backoff: $0.12 for 1h, $1.04 for 1d 04h, where it ends." in last
    assert "<td>1.04</td>" in rendered


def test_colors_of_a_chart_come_from_the_style_sheet_that_has_them_for_dark_pages_too(
    rendered: str,
) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", rendered, re.DOTALL)[:1]
    used = set(
        re.findall(r"var\((--\w+)\)", "".join(re.findall(r"<svg role.*?</svg>", rendered, re.S)))
    )
    assert used >= {"--ink", "--lines", "--machine", "--durable", "--function"}
    light, _, dark = style.partition("prefers-color-scheme: dark")
    for variable in used:
        assert f"{variable}:" in light
        assert f"{variable}:" in dark
    assert not re.findall(
        r"(?:stroke|fill): #", "".join(re.findall(r"<svg role.*?</svg>", rendered, re.S))
    )


def test_no_identifier_is_used_twice_on_the_page(rendered: str) -> None:
    names = re.findall(r'\bid="([^"]+)"', rendered)
    assert len(names) > 50
    assert len(set(names)) == len(names)
    assert set(re.findall(r'href="#([^"]+)"', rendered)) <= set(names)


def test_the_same_figures_produce_the_same_page(outcomes: list[Outcome], rendered: str) -> None:
    again = page.render({"six hours": outcomes, "20 hours": outcomes}, [LIMIT], SERIES)
    assert again == rendered


def test_a_series_ends_where_the_wait_of_the_pattern_ends() -> None:
    assert durable.longest_wait_of_callback() == timedelta(days=4)
    assert durable.longest_wait_of_backoff() // HOUR == 28


def test_a_migration_of_six_hours_is_the_same_in_the_demo_the_documents_and_the_comparison(
    outcomes: list[Outcome],
) -> None:
    assert LENGTHS["six hours"] == SIX_HOURS == timedelta(hours=6)
    for approach, pattern in ((durable.BACKOFF, "polling"), (durable.CALLBACK, "event_callback")):
        counts, dollars = of(outcomes, approach).counts, of(outcomes, approach).dollars_per_thousand
        cost, figures = patterns.cost_of(pattern), demo.figures(patterns.SCENARIOS[pattern])
        assert (counts.units, counts.invocations, counts.payload_bytes) == (
            *(cost.operations, cost.invocations, cost.bytes_written),
        )
        invocations = [int(figures[f"invocations of {whose}"]) for whose in demo.WHOSE]
        assert sum(invocations) == counts.invocations
        assert figures["charged operations"] == str(counts.units)
        assert figures["cost per 1,000 migrations"] == f"${dollars:.2f}"
        assert patterns.costs_line(pattern) == str(cost)
        assert f"${dollars:.2f} per 1,000 runs" in str(cost)


def test_the_readme_has_the_measured_figures_for_six_hours() -> None:
    assert readme.current() == readme.table(), "make docs updates the page"
