"""The timeline shows everything that a reader needs, at any width of the terminal."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color
from rich.console import Console

from dacapo import Scenario, fail, heartbeats, run, succeed
from dacapo.report import terminal, text
from dacapo.report.chart import MOST_ROWS
from dacapo.report.durations import spell, spell_short, ticks
from dacapo.report.source import CONTINUATION, lines_of, wrapped
from tests.lab import handlers

ROOT = Path(__file__).parents[2]
PRINTING = [
    *(ROOT / "lab/dacapo/report").glob("*.py"),
    *(ROOT / "gotchas/viewer").glob("*.py"),
    *(ROOT / "compare").glob("*.py"),
    ROOT / "scenarios/demo.py",
]
"""What prints with colors."""
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LENGTHS = st.timedeltas(timedelta(0), timedelta(days=366))


def render(scenario: Scenario, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    terminal.show(run(scenario), console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def row(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.lstrip().startswith(name))


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    ("handler", "event"), [(handlers.big_map, 100), (handlers.polled, 3), (handlers.failing, None)]
)
def test_no_line_is_wider_than_the_terminal(handler: Any, event: Any, width: int) -> None:
    text = render(Scenario(handler=handler, event=event), width)
    assert max(map(len, text.splitlines())) <= width


def test_the_title_shows_status_and_duration() -> None:
    text = render(Scenario(handler=handlers.waits, event=1, name="a wait"))
    assert text.startswith("waits · a wait  SUCCEEDED  after ")
    failed = render(Scenario(handler=handlers.failing))
    assert failed.startswith("failing  FAILED  after 0s\n")
    assert run(Scenario(handler=handlers.failing)).error.message in failed  # type: ignore[union-attr,operator]


def test_every_invocation_has_a_mark_above_the_operations() -> None:
    recording = run(Scenario(handler=handlers.polled, event=3))
    text = render(Scenario(handler=handlers.polled, event=3))
    assert row(text, "invocations").count("▼") == len(recording.invocations) > 1


def test_every_poll_has_its_own_mark() -> None:
    line = row(render(Scenario(handler=handlers.polled, event=3)), "poll ")
    assert "3 polls" in line
    assert (line.count("○"), line.count("●")) == (2, 1), "the last poll ends the wait"


def test_an_invocation_shows_what_it_replayed_and_what_it_did() -> None:
    text = render(Scenario(handler=handlers.waited_for_callback, answers={"approval": succeed(1)}))
    first, second = row(text, "1 "), row(text, "2 ")
    assert "░" not in first
    assert "█" in first
    assert "suspended" in first
    assert "░" in second
    assert "SUCCEEDED" in second


def cut_off(act: Callable[[], object]) -> Scenario:
    """Return a scenario whose step does something once, and then succeeds."""
    left = [act]

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        context.step(lambda _: left.pop()() if left else None, name="a step with a long name")

    return Scenario(handler=handler)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (lambda: time.sleep(3600), "TIMED_OUT Sandbox.Timedout"),
        (lambda: os._exit(1), "DIED Runtime.ExitError"),
    ],
)
def test_an_invocation_that_was_cut_off_shows_its_status_and_its_error(
    act: Callable[[], object], outcome: str, width: int
) -> None:
    text = render(cut_off(act), width)
    assert outcome in row(text, "1 ")
    assert "SUCCEEDED" in row(text, "2 ")
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (succeed(1, after=MINUTE), "answered by the scenario"),
        (fail("no", after=MINUTE), "failed by the scenario"),
        (heartbeats(every=MINUTE, times=1), "timed out"),
    ],
)
def test_a_callback_shows_who_answered_it(answer: Any, outcome: str) -> None:
    text = render(Scenario(handler=handlers.waited_for_callback, answers={"approval": answer}))
    assert outcome in row(text, "create callback id")


def test_a_callback_shows_its_heartbeats() -> None:
    answer = heartbeats(every=MINUTE, times=3) + succeed(1, after=4 * MINUTE)
    text = render(Scenario(handler=handlers.waited_for_callback, answers={"approval": answer}))
    assert row(text, "create callback id").count("◦") == 3


def test_a_failed_operation_has_a_cross() -> None:
    text = render(Scenario(handler=handlers.waited_for_callback, answers={"approval": fail("no")}))
    assert "✗" in row(text, "create callback id")


@pytest.mark.prove
def test_operations_that_do_not_fit_are_counted() -> None:
    recording = run(Scenario(handler=handlers.big_map, event=100))
    text = render(Scenario(handler=handlers.big_map, event=100))
    assert f"… and {len(recording.operations) - MOST_ROWS} more" in text


def test_new_operations_are_named_in_full_up_to_a_number() -> None:
    text = render(Scenario(handler=handlers.big_map, event=100), 80)
    invocations = text[text.index("#  at") : text.index("cost  ")]
    assert re.search(r"and \d+ more", " ".join(invocations.split()))
    assert "…" not in invocations


def test_markup_in_a_name_is_shown_literally() -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        context.step(lambda _: None, name="[red]stop[/red]")

    text = render(Scenario(handler=handler))
    assert text.count("[red]stop[/red]") == 2, "in the chart and in the list of invocations"


def test_the_bill_adds_up_line_by_line() -> None:
    recording = run(Scenario(handler=handlers.polled, event=3))
    text = render(Scenario(handler=handlers.polled, event=3))
    costs = text[text.index("cost  ") :]
    for line in recording.bill.lines:
        assert f"${line.dollars:.8f}" in row(costs, line.item)
    assert f"${recording.bill.dollars:.8f}" in row(costs, "total")


@pytest.mark.parametrize(
    ("length", "words", "short"),
    [
        (timedelta(0), "0s", "0s"),
        (timedelta(milliseconds=250), "250ms", "250ms"),
        (timedelta(seconds=0.9999), "1s", "1s"),
        (timedelta(seconds=1.5), "2s", "1.5s"),
        (timedelta(seconds=59.6), "1m 00s", "1m"),
        (timedelta(seconds=90), "1m 30s", "1m 30s"),
        (HOUR * 6 + MINUTE * 2, "6h 02m", "6h 02m"),
        (timedelta(days=30), "30d 00h", "30d"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(
    length: timedelta, words: str, short: str
) -> None:
    assert spell(length) == words
    assert spell_short(length) == short


@given(length=LENGTHS, most=st.integers(2, 30))
def test_an_axis_has_evenly_spaced_ticks_that_start_at_zero_and_stay_within_it(
    length: timedelta, most: int
) -> None:
    marks = ticks(length, most)
    assert marks[0] == timedelta(0)
    assert len(marks) <= most
    assert marks[-1] <= length
    assert len({later - earlier for earlier, later in pairwise(marks)}) <= 1


@given(
    length=st.timedeltas(timedelta(milliseconds=1), timedelta(days=366)), most=st.integers(2, 30)
)
def test_an_axis_of_a_millisecond_or_a_year_names_more_than_its_zero(
    length: timedelta, most: int
) -> None:
    names = [spell_short(mark) for mark in ticks(length, most)]
    assert len(names) > 1
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("length", "named"),
    [
        (timedelta(milliseconds=7), ["0s", "2ms", "4ms", "6ms"]),
        (timedelta(seconds=2), ["0s", "500ms", "1s", "1.5s", "2s"]),
        (timedelta(minutes=4), ["0s", "1m", "2m", "3m", "4m"]),
        (timedelta(hours=20), ["0s", "6h", "12h", "18h"]),
        (timedelta(days=366), ["0s", "180d", "360d"]),
    ],
)
def test_an_axis_names_the_unit_that_fits_its_length(length: timedelta, named: list[str]) -> None:
    assert [spell_short(mark) for mark in ticks(length, 5)] == named


def contrast(color: str, background: int) -> float:
    """Return the contrast of a color with a gray, as the WCAG define it."""
    triplet = Color.parse(color).get_truecolor()
    shares = [value / 255 for value in triplet]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    brighter, darker = sorted((light, background), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("color", [text.GOOD, text.BAD, text.NOTICE, text.HINT, text.QUIET])
def test_a_color_can_be_read_on_white_and_on_black(color: str) -> None:
    assert contrast(color, 1) > 3.6
    assert contrast(color, 0) > 3.6


@pytest.mark.parametrize("path", PRINTING, ids=lambda path: path.name)
def test_no_color_of_the_terminal_s_theme_is_used(path: Path) -> None:
    text = path.read_text()
    assert not re.findall(r"\"(?:bold )?(?:dim|yellow|cyan|white|bright_\w+)\"", text)


@pytest.mark.parametrize("width", [30, 60, 80])
def test_code_that_does_not_fit_goes_on_below_its_own_indentation(width: int) -> None:
    code = '    answer = str(context.wait_for_callback(ask, name="kitchen", config=PATIENCE))'
    first, *others = [part.plain for part in wrapped(lines_of(code)[0], width)]
    assert others
    assert first.startswith("    answer = ")
    assert all(len(part) - len(part.lstrip()) == 4 + CONTINUATION for part in others)
    assert max(map(len, (first, *others))) <= width
    joined = first + "".join(part.strip() for part in others)
    assert joined.replace(" ", "") == code.replace(" ", ""), "nothing is cut"


def test_code_that_fits_is_left_as_it_is() -> None:
    code = "def handler(event, context):\n    return 1\n"
    assert [part.plain for line in lines_of(code) for part in wrapped(line, 80)] == [
        *("def handler(event, context):", "    return 1"),
    ]
