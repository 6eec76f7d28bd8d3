"""The charts: SVG drawings of one column's width, with colors that the page's style sheet sets.

Matplotlib computes scales and text. It writes colors as numbers; here, they become variables.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from html import escape
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from compare import baselines, cells, durable, step_functions
from compare.everything import Series
from compare.outcome import PAUSES, Outcome
from dacapo.report.durations import spell_short

_INK, _LINES, _PAPER = "#010203", "#010204", "#010205"
_VARIABLES = {
    _INK: "--ink",
    _LINES: "--lines",
    _PAPER: "--paper",
    "#010206": "--machine",
    "#010207": "--durable",
    "#010208": "--function",
}
"""Placeholders for colors, and the variables of the style sheet that they become."""
_NO_DELAY = timedelta(seconds=12)
"""Where the logarithmic axis has its zero."""
_LOWEST, _HIGHEST = 0.003, 400
"""Dollars for a thousand migrations at the ends of the axis."""
_SIZE = (3.8, 3.5)
_DOLLARS = (0.01, 0.1, 1, 10, 100)
_HOUR, _DAY = 3_600, 86_400
_TWO_DAYS = 48
_LENGTHS = (1, 6, 24, 96, 720)
"""Hours that the axis of lengths names."""


@dataclass(frozen=True)
class _Label:
    """A label on a line or on its end, where no line of our figures crosses it.

    Parameters:
        text: short, because the legend has the full name.
        point: the marker that it belongs to: its index.
        offset: from that marker, in points.
        side: the side of the text at which that is.
    """

    text: str
    point: int
    offset: tuple[int, int]
    side: Literal["left", "center", "right"] = "left"


@dataclass(frozen=True)
class _Style:
    """Color, marker, and line of an approach, which differ without their colors, too.

    Parameters:
        by_delay: its label in a chart by delay.
        by_length: its labels in the chart by length.
        shift: factor by which its markers move in a chart by delay, off one that costs the same.
    """

    color: str
    marker: str
    line: str
    by_delay: _Label
    by_length: tuple[_Label, ...]
    shift: float = 1


STYLES = {
    step_functions.POLLING: _Style(
        "#010206",
        "s",
        "-",
        _Label("Step Functions polls", 0, (8, -1)),
        (_Label("Step Functions polls", 4, (-8, 6), "right"), _Label("{}", -1, (-9, 4), "right")),
    ),
    step_functions.TOKEN: _Style(
        "#010206",
        "s",
        ":",
        _Label("token", 0, (0, -11), "center"),
        (_Label("token", -1, (0, -10), "right"),),
        shift=0.8,
    ),
    durable.POLLING: _Style(
        "#010207", "v", "--", _Label("durable polls", 1, (-6, -5), "right"), ()
    ),
    durable.BACKOFF: _Style(
        "#010207",
        "D",
        "--",
        _Label("backoff", 0, (-7, -5), "right"),
        (_Label("backoff", 0, (0, 14)), _Label("{}", -1, (-6, 11))),
    ),
    durable.CALLBACK: _Style(
        "#010207",
        "o",
        "-",
        _Label("callback", 0, (0, 10), "center"),
        (_Label("callback, token", 0, (0, -10)), _Label("{}", -1, (0, 11), "center")),
        shift=1.25,
    ),
    baselines.POLLING: _Style(
        "#010208",
        "^",
        "-.",
        _Label("scheduled", 2, (2, 9)),
        (_Label("scheduled", 1, (8, -5)),),
    ),
}


def dollars(amount: float) -> str:
    """Return an amount as it is written on an axis: `$0.01`, `$1`, `$100`."""
    return f"${amount:,.0f}" if amount >= 1 else f"${amount:.2f}"


def by_delay(outcomes: Sequence[Outcome], name: str) -> str:
    """Return a chart of what each approach costs, by how late it may detect the end.

    Parameters:
        outcomes: of all approaches, for one length of migration.
        name: of that length; the chart's identifiers start with it.
    """
    figure, axes = _axes("longest delay until the end is detected")
    for approach, style in STYLES.items():
        of_it = [one for one in outcomes if one.approach == approach]
        if of_it:
            _draw_outcomes(axes, style, of_it)
    axes.set_xlim(5, 1.6 * _HOUR)
    ticks = [_NO_DELAY, *PAUSES]
    labels = ["none", *map(spell_short, PAUSES)]
    axes.set_xticks([tick.total_seconds() for tick in ticks], labels)
    return _svg(figure, f"delay {name}", _sentences(outcomes))


def by_length(series: Sequence[Series]) -> str:
    """Return a chart of what each approach costs, by the length of the migration."""
    figure, axes = _axes("length of the migration")
    for one in series:
        _draw_series(axes, one)
    axes.set_xlim(0.8 * _HOUR, 36 * _DAY)
    axes.set_xticks(
        [hours * _HOUR for hours in _LENGTHS],
        [spell_short(timedelta(hours=hours)) for hours in _LENGTHS],
    )
    return _svg(figure, "length", _ends(series))


def _axes(across: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.subplots()
    axes.patch.set_visible(False)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(_LOWEST, _HIGHEST)
    axes.set_yticks(_DOLLARS)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda amount, _: dollars(amount)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.grid(color=_LINES, linewidth=0.6)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=_INK)
    axes.set_xlabel(across, color=_INK)
    axes.set_title("for 1,000 migrations", loc="left", color=_INK, fontsize=9)
    return figure, axes


def _draw_outcomes(axes: Axes, style: _Style, outcomes: Sequence[Outcome]) -> None:
    xs = [_delay(one).total_seconds() * style.shift for one in outcomes]
    ys = [one.dollars_per_thousand for one in outcomes]
    _draw(axes, style, xs, ys, [one.delay is not None for one in outcomes])
    _write(axes, style, style.by_delay, xs, ys)


def _delay(outcome: Outcome) -> timedelta:
    """Return where an outcome is drawn: one that never detects the end, where it would have."""
    if outcome.delay is None:
        return outcome.pause or durable.LONGEST_PAUSE
    return outcome.delay or _NO_DELAY


def _draw_series(axes: Axes, series: Series) -> None:
    style = STYLES[series.approach]
    xs = [length.total_seconds() for length, _ in series.points]
    ys = [amount for _, amount in series.points]
    goes_on = [True] * (len(xs) - 1) + [series.end is None]
    _draw(axes, style, xs, ys, goes_on)
    end = "" if series.end is None else f"ends at {_in_one_unit(series.end)}"
    for label in style.by_length:
        _write(axes, style, replace(label, text=label.text.format(end)), xs, ys)


def _in_one_unit(length: timedelta) -> str:
    """Return a length in hours or, from two days on, in days; rounded down, as it is a limit."""
    hours = int(length.total_seconds() // _HOUR)
    return f"{hours}h" if hours < _TWO_DAYS else f"{length.days}d"


def _draw(
    axes: Axes, style: _Style, xs: Sequence[float], ys: Sequence[float], detects: Sequence[bool]
) -> None:
    axes.plot(xs, ys, linestyle=style.line, color=style.color, linewidth=1.6)
    for x, y, is_detected in zip(xs, ys, detects, strict=True):
        marker, size = (style.marker, 5.0) if is_detected else ("X", 9.0)
        axes.plot(
            [x], [y], marker=marker, ms=size, color=style.color, mec=_PAPER, mew=0.8, zorder=3
        )


def _write(
    axes: Axes, style: _Style, label: _Label, xs: Sequence[float], ys: Sequence[float]
) -> None:
    point = min(label.point, len(xs) - 1)
    axes.annotate(
        label.text,
        (xs[point], ys[point]),
        xytext=label.offset,
        textcoords="offset points",
        color=style.color,
        ha=label.side,
        va="center",
        zorder=4,
    )


def _svg(figure: Figure, name: str, text: str) -> str:
    """Return a figure as SVG for a page that holds several, with a text in its place.

    Parameters:
        name: what its identifiers start with.
        text: what a screen reader reads instead of the drawing.
    """
    output = io.StringIO()
    # Keep text as text, and the same drawing for the same figures.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "compare", "font.size": 9}):
        figure.savefig(output, format="svg", metadata={"Date": None, "Creator": None})
    _, start, drawing = output.getvalue().partition("<svg")
    drawing = re.sub(r"<metadata>.*?</metadata>", "", start + drawing, flags=re.DOTALL)
    prefix = name.replace(" ", "-")
    drawing = re.sub(r'(?<=\bid=")|(?<=href="#)|(?<=url\(#)', f"{prefix}-", drawing)
    for color, variable in _VARIABLES.items():
        drawing = drawing.replace(color, f"var({variable})")
    return drawing.replace("<svg", f'<svg role="img" aria-label="{escape(text)}"', 1)


def _sentences(outcomes: Sequence[Outcome]) -> str:
    """Return the figures of a chart in words."""
    parts: Mapping[str, list[str]] = {one.approach: [] for one in outcomes}
    for one in outcomes:
        delay = "never detects the end" if one.delay is None else f"delay {spell_short(one.delay)}"
        parts[one.approach].append(f"{delay}: ${cells.amount(one.dollars_per_thousand)}")
    texts = (f"{_first_upper(approach)}: {'; '.join(each)}." for approach, each in parts.items())
    return f"Cost of 1,000 migrations. {' '.join(texts)}"


def _first_upper(text: str) -> str:
    return text[0].upper() + text[1:]


def _ends(series: Sequence[Series]) -> str:
    """Return the first and the last figure of each line in words."""
    texts = []
    for one in series:
        (first, cost), (last, last_cost) = one.points[0], one.points[-1]
        end = "ends" if one.end is not None else "goes on"
        texts.append(
            f"{_first_upper(one.approach)}: ${cells.amount(cost)} for {spell_short(first)}, "
            f"${cells.amount(last_cost)} for {spell_short(last)}, where it {end}."
        )
    return "Cost of 1,000 migrations by their length. " + " ".join(texts)
